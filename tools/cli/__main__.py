"""Entry of `python -m tools.cli`."""

from tools.cli.app import app

app(prog_name="autoscaler")
