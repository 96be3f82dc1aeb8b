"""The autoscaler's layer: what every handler, the command line and the simulator share."""

__version__ = "0.1.0"
