"""`autoscaler gateway` and `gateway-key`, as far as they go without a stack."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner

from autoscaler.gateway.access import ByKey, keys_of
from tools.cli.app import app
from tools.cli.client import CliError
from tools.cli.gateway_command import _address, _listening, _serve

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
        (["gateway", "--wait", "-5"], "--wait: -5 is no time to wait: write seconds, 0 or more"),
        (["gateway", "--wait", "nan"], "--wait: nan is no time to wait"),
        (["gateway", "--wait", "inf"], "--wait: inf is no time to wait"),
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


@pytest.mark.parametrize("host", ["nosuchhost.invalid", "a..b", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_told_by_its_option(host: str) -> None:
    with pytest.raises(CliError, match=f"--host: '{host}' is no address of this machine"):
        _listening(host, 0)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/v1"),
        ("localhost", "http://localhost:80/v1"),
        ("::1", "http://[::1]:80/v1"),
    ],
)
def test_an_address_can_be_used_as_it_is_printed(host: str, address: str) -> None:
    assert _address(host, 80) == address


def test_a_wrong_environment_of_the_gateway_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ACCESS", "iam")
    monkeypatch.setenv("GATEWAY_MOST_HELD", "x")
    with pytest.raises(CliError, match=r"environment is wrong or lacks: .*GATEWAY_MOST_HELD"):
        _serve("key", None)
