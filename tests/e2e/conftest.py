"""Real parts as fixtures: a server and as many Telegrafs as a test wants, ended with it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.influxdb import InfluxDB
from tests.e2e.process import Process
from tests.e2e.telegraf import Telegraf


@pytest.fixture
def influxdb(part: Callable[[str], str], tmp_path: Path) -> Iterator[InfluxDB]:
    """A fresh, empty InfluxDB 1.x with the database `pv-nodes` (30 ms)."""
    server = InfluxDB(part("influxd"), str(tmp_path / "influxdb"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Configure(Protocol):
    def __call__(
        self, config: str, *, drop_ins: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
    ) -> Telegraf: ...


class Ended(Telegraf):
    """Ends what it runs when the test ends; a Telegraf that does not stop by itself fails the test."""

    stack: contextlib.ExitStack

    def run(self) -> Process:
        process = super().run()
        self.stack.callback(process.kill)
        self.stack.callback(process.end)
        return process


@pytest.fixture
def telegraf(part: Callable[[str], str], tmp_path: Path) -> Iterator[Configure]:
    """`telegraf(config, drop_ins={"pv.conf": …}, env={…})` -> Telegraf, each in a directory of its own."""
    program = part("telegraf")
    with contextlib.ExitStack() as stack:
        made = 0

        def configure(
            config: str, *, drop_ins: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
        ) -> Telegraf:
            nonlocal made
            made += 1
            one = Ended(program, str(tmp_path / f"telegraf-{made}"), config, drop_ins=drop_ins, env=env)
            one.stack = stack
            return one

        yield configure
