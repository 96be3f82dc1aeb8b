"""`autoscaler gateway` and `gateway-key`, as far as they go without a stack."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner

from autoscaler.gateway.access import ByKey, keys_of
from tools.cli.app import app
from tools.cli.client import CliError
from tools.cli.gateway_command import _listening

RUNNER = CliRunner()


def test_a_key_fits_the_entry_that_is_shown_with_it() -> None:
    shown = RUNNER.invoke(app, ["gateway-key", "--tenant", "search"])
    key, entry = shown.stdout.splitlines()
    access = ByKey(keys_of(json.dumps({"keys": [json.loads(entry)]})))
    assert access.check(f"Bearer {key}").tenant == "search"
    assert key not in entry


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gateway", "--host", "0.0.0.0"], "--host: '0.0.0.0' is reached from elsewhere"),
        (["gateway", "--no-key", "--keys", "x"], "--no-key and --keys do not go together"),
        (["gateway-key", "--tenant", "with blank"], "--tenant: 'with blank' is not 1 to 64"),
    ],
)
def test_what_would_leave_it_open_or_unusable_is_refused(arguments: list[str], words: str) -> None:
    refused = RUNNER.invoke(app, arguments)
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_a_port_that_somebody_has_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CliError, match=f"--port: {port} cannot be used on 127.0.0.1"):
            _listening("127.0.0.1", port)
