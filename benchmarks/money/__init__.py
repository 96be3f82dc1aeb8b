"""Time and money: schedules that are right all year, costs that add up."""
