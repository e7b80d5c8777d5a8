"""A simulated plant on a real pty, and pv-read as its own process on it, as Telegraf or a person starts it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from line_protocol_parser import parse_line

from pv_exec.box import records
from tests.e2e.process import Process, wait_for

NOON = "2026-06-21T11:00:00Z"
NIGHT = "2026-06-21T23:00:00Z"


class Done(NamedTuple):
    """What one run of pv-read gave."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every printed line through the independent parser."""
        return [parse_line(line) for line in self.out.splitlines()]

    @property
    def health(self) -> dict[str, dict[str, Any]]:
        """Inverter → fields of its health line, marked or not."""
        return {
            line["tags"]["inverter"]: line["fields"]
            for line in self.lines
            if line["measurement"].startswith("pv_read")
        }

    @property
    def states(self) -> dict[str, str]:
        return {name: fields["state"] for name, fields in self.health.items()}

    @property
    def values(self) -> dict[str, dict[str, Any]]:
        return {
            line["tags"]["inverter"]: line["fields"]
            for line in self.lines
            if line["measurement"].startswith("pv_inverter")
        }


class Plant:
    """A bus of simulated inverters on a pty, and a configuration that reads it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = str(directory / "tty")
        self.config = str(directory / "config.toml")
        self.simulator: Process | None = None
        self.configure()

    def configure(
        self,
        inverters: str = "inverters = [1, 2, 3]",
        *,
        bus: str = 'gap = "50ms"',
        clock: str = 'trust = "always"',
        site: str = "",
        more: str = "",
        port: str | None = None,
    ) -> None:
        Path(self.config).write_text(
            f"""
[site]
name = "test"
host = "box"
{site}
[clock]
{clock}
[paths]
state = "state"
runtime = "run"
[[bus]]
name = "roof"
driver = "kaco"
port = "{port or self.port}"
{bus}
{inverters}
{more}
"""
        )

    def serve(
        self,
        inverters: str = "1:8000xi,2:5000xi,3:390TL",
        *arguments: str,
        at: str = NOON,
        speed: str = "fast",
    ):
        command = [script("pv-sim"), "serve", "kaco", "--pty", self.port, "--inverters", inverters]
        command += ["--at", at, "--speed", speed, *arguments]
        self.simulator = simulator = Process(command, str(self.directory / "sim.log"))
        simulator.wait_log(self.port)
        return simulator

    def command(self, *arguments: str) -> list[str]:
        return [script("pv-read"), "--config", self.config, *arguments]

    def read(self, *arguments: str, env: dict[str, str] | None = None, within: float = 30) -> Done:
        done = subprocess.run(
            self.command(*arguments),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            env={**os.environ, **(env or {})},
            cwd="/",
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ended(self) -> records.Record:
        """The record of the last run, once its keeper has written the end (it may do so after the parent has gone)."""

        def found() -> records.Record | None:
            record = records.read(str(self.directory / "run"), "roof")
            return record if record and record.ended else None

        return wait_for(found, "the run is recorded") or pytest.fail("unreachable")


def script(name: str) -> str:
    return os.path.join(os.path.dirname(sys.executable), name)
