"""What the command line's tests share: an account whose functions are stubs."""

from tests.cli_stub import bare, server, spec, stack  # noqa: F401 - fixtures
