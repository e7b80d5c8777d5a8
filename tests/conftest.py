"""What every suite shares: an environment that is the test's own, and real parts that are there or say why not."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.e2e import parts
from tests.plant import Plant

# A developer's own plant, systemd's directories or a proxy must not reach into a test.
for name in (
    "PV_EXEC_CONFIG",
    "STATE_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "http_proxy",
    "HTTP_PROXY",
):
    os.environ.pop(name, None)

# A shell that started the tests in the background has SIGINT ignored, and every program started here would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Two cores shared with servers: no deadline per example. CI must say the same thing twice; at home new examples are sought.
hypothesis.settings.register_profile("home", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "home")


@pytest.fixture(scope="session")
def part() -> Callable[[str], str]:
    """`part("telegraf")` is the path of that part (names: parts.PARTS).

    Where it is missing the test is skipped with the reason; under CI or PV_EXEC_PARTS=required it fails.
    """

    def find(name: str) -> str:
        found = parts.find(name)
        if isinstance(found, parts.Missing):
            (pytest.fail if parts.required() else pytest.skip)(found.why)
        return found

    return find


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """A bus of simulated inverters on a pty with a configuration that reads it; what it serves ends with the test."""
    one = Plant(tmp_path)
    yield one
    if one.simulator:
        one.simulator.kill()
