"""What others do, as documented: each a controller for the simulator."""
