"""Sentences about money, and about what is paid for without belonging to an endpoint."""

from __future__ import annotations

from decimal import Decimal

from ...policy.budget import period_end
from ...policy.wording import at_utc, counted
from ...spec import WhenSpent
from ..events.costs import (
    BudgetReached,
    GapFound,
    OrphanLine,
    OrphanRemoved,
    OrphansFound,
    PricesStale,
    ReportBudget,
    ReportLine,
    ReportWritten,
)
from ..wording import percent, share_of, usd
from .base import MOST_FACTS, Bars, Fact, Sentence, charted, told

_TEAMS = 9
_UNUSUAL = 3
_BARS = 12
_BUDGETS = 4


@told.register
def _(event: BudgetReached) -> Sentence:
    who = event.endpoint or "The stack"
    share = percent(event.share)
    when = f"on {event.day}" if event.day else f"in {event.month}"
    body = f"{usd(event.spent_usd)} of {usd(event.monthly_usd)} are spent {when}."
    whose = "its budget for the day" if event.day else "its budget"
    return Sentence(f"{who} has spent {share} of {whose}", body + _what_follows(event))


_FOLLOWS = {
    WhenSpent.CAP: " It has one copy at most from now on, and none kept warm.",
    WhenSpent.SLEEP: (
        " It sleeps from now on, and its requests wait, until {until} or until the budget is "
        "raised. SQS keeps them 14 days; after 13 they are refused with this as the reason."
    ),
    WhenSpent.ALERT: " Nothing is done about it.",
}


def _what_follows(event: BudgetReached) -> str:
    if event.share < 1:
        return ""
    until = at_utc(period_end(event.per, event.at))
    follows = _FOLLOWS[event.when_spent].format(until=until)
    return follows.replace(" It ", " Each endpoint ", 1) if not event.endpoint else follows


@told.register
def _(event: ReportWritten) -> Sentence:
    if event.saved_usd is None and event.baseline_usd is not None:
        compared = f"Always on would have cost {usd(event.baseline_usd)}."
    elif event.saved_usd is None:
        compared = "What always-on would have cost is not known: a price is missing."
    elif event.saved_usd < 0:
        compared = f"That is {usd(-event.saved_usd)} more than always on."
    else:
        share = share_of(event.saved_usd, event.baseline_usd)
        compared = f"Always on would have cost {usd(event.baseline_usd)}: "
        compared += f"{usd(event.saved_usd)}{f' ({share})' if share else ''} saved."
    body = f"{compared}{_unpriced(event)}{_net(event)} {_basis(event)} {event.uri}"
    cost = _bound(event.cost_usd, at_least=bool(event.unpriced_types))
    return Sentence(
        f"Cost of {event.period}{' so far' if event.running else ''}: {cost}",
        "\n".join([body, *event.unusual[:_UNUSUAL], *_advice(event)]),
        tuple(_report_facts(event)),
    )


def _unpriced(event: ReportWritten) -> str:
    if not event.unpriced_types:
        return ""
    which = ", ".join(event.unpriced_types)
    return (
        f" The price of {which} is not known: {event.unpriced_hours:,.2f} instance-hours are in no "
        "dollar figure, and what was saved is not known."
    )


def _advice(event: ReportWritten) -> list[str]:
    return ["What would save most:", *(f"• {one}" for one in event.advice)] if event.advice else []


def _net(event: ReportWritten) -> str:
    """What the controller's own cost leaves of the savings; nothing of an older version's."""
    net = event.net_saved_usd
    left = event.net_saved_at_most_usd if net is None else net
    if event.controller_usd is None or left is None:
        return ""
    bound = " at most" if net is None else ""
    return f" Net of the controller's own {usd(event.controller_usd)}: {usd(left)}{bound}."


def _basis(event: ReportWritten) -> str:
    if event.billed_usd is None:
        return "All figures are estimated."
    days = against = ""
    if event.billed_first is not None:  # a local week lies in eight UTC days
        days = f" in the UTC days {event.billed_first} to {event.billed_last}"
    if event.billed_against_usd is not None:
        against = f", which were estimated at {usd(event.billed_against_usd)}"
    return (
        f"AWS billed {usd(event.billed_usd)} for its instances{days} (reconciled){against}; "
        "all else here is estimated."
    )


def _report_facts(event: ReportWritten) -> list[Fact]:
    """At most as many as a message shows; with the last of them the endpoints add up."""
    above = _budget_facts(event)
    if len(event.teams) > 1:
        above += _team_facts(event)
    dearest = sorted(event.lines, key=lambda line: (-line.cost_usd, line.endpoint))
    room = MOST_FACTS - len(above)
    if event.others or len(dearest) > room:
        room -= 1
    shown, hidden = dearest[:room], dearest[room:]
    facts = [*above, *map(_report_fact, shown)]
    if others := len(hidden) + event.others:
        rest = sum((line.cost_usd for line in hidden), event.others_usd)
        partly = event.others_at_least or any(line.at_least for line in hidden)
        facts.append((counted(others, "other"), _bound(rest, at_least=partly)))
    return facts


def _bound(money: Decimal, *, at_least: bool) -> str:
    """Without the hours of an unknown price it is a lower bound."""
    return f"{'at least ' if at_least else ''}{usd(money)}"


def _report_fact(line: ReportLine) -> Fact:
    cost = f"{_bound(line.cost_usd, at_least=line.at_least)}, saved {usd(line.saved_usd)}"
    return (
        line.endpoint,
        f"{cost}; {counted(line.wakes, 'wake')}, {counted(line.requests, 'request')}",
    )


def _budget_facts(event: ReportWritten) -> list[Fact]:
    """The stack's budgets and those that run short, in one line."""
    if not event.budgets:
        return []
    told = "; ".join(_budget(one) for one in event.budgets[:_BUDGETS])
    more = len(event.budgets) - _BUDGETS
    return [("budgets", told + (f"; and {more} more" if more > 0 else ""))]


def _budget(one: ReportBudget) -> str:
    limit = f"{usd(one.limit_usd)} a {one.per}" + (f" ({one.of})" if one.of else "")
    told = f"{one.endpoint or 'the stack'} {percent(one.share)} of {limit}"
    if one.forecast_usd is not None:
        told += f", forecast {usd(one.forecast_usd)}"
    return told + (f", over it on {counted(one.days_over, 'day')}" if one.days_over else "")


def _team_facts(event: ReportWritten) -> list[Fact]:
    """In one line, dearest first, with what moved most."""
    dearest = sorted(event.teams, key=lambda team: (-team.cost_usd, team.team))
    named = [
        f"{team.team} {_bound(team.cost_usd, at_least=team.at_least)}" for team in dearest[:_TEAMS]
    ]
    if rest := dearest[_TEAMS:]:
        cost = sum((team.cost_usd for team in rest), Decimal(0))
        partly = any(team.at_least for team in rest)
        named.append(f"{counted(len(rest), 'other')} {_bound(cost, at_least=partly)}")
    facts = [("by team", ", ".join(named))]
    if event.movers:
        moved = [f"{one.endpoint} {_moved(one.moved_usd)}" for one in event.movers[:3]]
        much = "as much of the period before" if event.running else "the period before"
        facts.append((f"against {much}", ", ".join(moved)))
    return facts


def _moved(money: Decimal | None) -> str:
    return f"{'+' if money and money > 0 else ''}{usd(money)}"


@charted.register
def _(event: ReportWritten) -> Bars | None:
    """By its days and teams; without days by endpoint, dearest first. One bar says nothing."""
    if len(event.days) > 1:
        labels = tuple(day.label for day in event.days)
        teams = sorted({team for day in event.days for team in day.teams})
        if not teams:
            costs = tuple(float(day.cost_usd) for day in event.days)
            return Bars(f"Cost of {event.period}", labels, (("dollars", costs),))
        series = tuple(
            (team, tuple(float(day.teams.get(team, 0)) for day in event.days)) for team in teams
        )
        return Bars(f"Cost of {event.period} by team", labels, series)
    dearest = sorted(event.lines, key=lambda line: (-line.cost_usd, line.endpoint))[:_BARS]
    if len(dearest) < 2:
        return None
    costs = tuple(float(line.cost_usd) for line in dearest)
    names = tuple(line.endpoint for line in dearest)
    return Bars(f"Cost of {event.period} by endpoint", names, (("dollars", costs),))


@told.register
def _(event: PricesStale) -> Sentence:
    used = f"those read at {at_utc(event.read_at)}" if event.read_at else "the bundled table's"
    body = (
        f"Costs are reckoned with {used} until it can be read again; "
        f"`pricing:GetProducts` may be denied ({event.why})."
    )
    return Sentence(f"The prices of {event.region} could not be read", body)


@told.register
def _(event: OrphansFound) -> Sentence:
    count = len(event.lines) + event.others
    many = counted(count, "resource")
    unknown = f"; the price of {event.unpriced} is not known" if event.unpriced else ""
    body = (
        f"{many} of no endpoint, for {usd(event.usd_per_hour)} an hour and at most "
        f"{usd(event.usd_so_far)} until now{unknown}. `autoscaler sweep` shows them; what is "
        "marked deletable goes when two sweeps have seen it."
    )
    facts = tuple(_orphan(line) for line in event.lines[: MOST_FACTS - 1])
    rest = count - len(facts)
    more: tuple[Fact, ...] = ((counted(rest, "other"), "see `autoscaler sweep`"),) if rest else ()
    return Sentence("Something in the account belongs to no endpoint", body, facts + more)


def _orphan(line: OrphanLine) -> Fact:
    machines = ", ".join(f"{count} × {kind}" for kind, count in line.instances.items())
    hourly = "price not known" if line.usd_per_hour is None else f"{usd(line.usd_per_hour)} an hour"
    price = f", {hourly}" if machines else ""
    since = f", since {at_utc(line.since)}" if line.since else ""
    return (f"{line.kind} {line.name}", f"{machines or 'no instances'}{price}{since}")


@told.register
def _(event: GapFound) -> Sentence:
    command = f" `{event.command}`" if event.command else ""
    body = f"{event.what_to_do[:1].upper()}{event.what_to_do[1:]}.{command}"
    return Sentence(f"{event.endpoint} has no {event.lacks}", body)


@told.register
def _(event: OrphanRemoved) -> Sentence:
    body = "It belonged to no endpoint, was marked deletable, and two sweeps had seen it."
    return Sentence(f"The sweep removed the {event.kind} {event.name}", body)
