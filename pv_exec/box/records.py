"""The run record of each bus: that a run began and what it ended with, for the next run and the watchdog.

Two files per bus, each written whole: the worker's `NAME.start.json`, under the device's lock and before the device is
touched, and the keeper's `NAME.end.json`, which names the start it ends. So an end that comes late (a keeper that slept
on a dead card) can never hide a newer start, without a lock between the two processes; and while a run hangs, what
the last finished one found can still be read.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from pv_exec.box import clock, paths, proc

SCHEMA = 1
LARGEST = 1 << 18


class Record(NamedTuple):
    """The last run of a bus in this boot. Times are CLOCK_BOOTTIME in seconds."""

    bus: str
    boot_id: str
    pid: int
    """Of the worker; with `start_ticks` (proc.state) it names the process."""
    start_ticks: int
    started: float
    ended: float | None = None
    """None while it runs, or for ever if it hung or was killed."""
    outcomes: Mapping[str, Any] = {}
    """Inverter → its outcome (JSON values); while this run has not ended, of the one before."""
    outcomes_at: float | None = None
    """When the run that `outcomes` are from had ended."""


def start(directory: str, bus: str) -> Record:
    """Writes that this process begins a run of `bus` now; without a directory that can be written it only returns the record."""
    me = proc.state(os.getpid())
    record = Record(
        bus, clock.boot_id(), os.getpid(), me.start_ticks if me else 0, round(clock.boottime(), 6)
    )
    _write(directory, bus, "start", _identity(record))
    return record


def finish(directory: str, record: Record, outcomes: Mapping[str, Any]) -> bool:
    """Adds the end, now, with each inverter's outcome; any process may do it for the one that started.

    False if another run of the bus has begun since (then nothing is written), or if it cannot be written.
    """
    if _read(directory, record.bus, "start") != _identity(record):
        return False
    end = {**_identity(record), "ended": round(clock.boottime(), 6), "outcomes": dict(outcomes)}
    return _write(directory, record.bus, "end", end)


def read(directory: str, bus: str) -> Record | None:
    """The last run of `bus` in this boot; None if there was none, or nothing can be read, or a newer version wrote it."""
    began, end = _read(directory, bus, "start"), _read(directory, bus, "end")
    try:
        record = Record(
            bus, str(began["boot_id"]), int(began["pid"]), int(began["start"]), float(began["started"])
        )
        if end and isinstance(end["outcomes"], dict):
            at = float(end["ended"])
            record = record._replace(outcomes=end["outcomes"], outcomes_at=at)
            if _identity(record).items() <= end.items():
                record = record._replace(ended=at)
    except (KeyError, TypeError, ValueError):
        return None
    return record


def read_all(directory: str) -> list[Record]:
    """The last run of every bus of this boot, by name."""
    try:
        names = os.listdir(f"{directory}/runs")
    except OSError:
        return []
    said = (_load(f"{directory}/runs/{name}") for name in names if name.endswith(".start.json"))
    buses = sorted(each["bus"] for each in said if isinstance(each.get("bus"), str))
    return [record for record in (read(directory, bus) for bus in buses) if record]


def _identity(record: Record) -> dict[str, Any]:
    return {"schema": SCHEMA, "bus": record.bus, "boot_id": record.boot_id, "pid": record.pid,
            "start": record.start_ticks, "started": record.started}  # fmt: skip


def _path(directory: str, bus: str, what: str) -> str:
    return f"{directory}/runs/{paths.word(bus)}.{what}.json"


def _write(directory: str, bus: str, what: str, said: Mapping[str, Any]) -> bool:
    try:
        paths.subdirectory(directory, "runs")
        paths.replace(_path(directory, bus, what), json.dumps(said).encode(), durable=False)
    except OSError:
        return False
    return True


def _read(directory: str, bus: str, what: str) -> dict[str, Any]:
    """{} also for the record of another boot: its pids and times mean nothing in this one."""
    said = _load(_path(directory, bus, what))
    return said if said.get("boot_id") == clock.boot_id() and said.get("schema") == SCHEMA else {}


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            said = json.loads(file.read(LARGEST))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
