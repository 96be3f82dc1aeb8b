"""Entry of `python -m tools.cli`."""

from tools.cli import streams
from tools.cli.app import app

streams.prepare()
app(prog_name="autoscaler")
