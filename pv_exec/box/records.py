"""The run record of each bus: a run began, and what it ended with."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Record(NamedTuple):
    """The last run of a bus in this boot. Times are CLOCK_BOOTTIME seconds."""

    bus: str
    boot_id: str
    pid: int
    start_ticks: int
    started: float
    ended: float | None = None
    outcomes: Mapping[str, Any] = {}
    """Inverter → its outcome (JSON values); of the run before while this one has not ended."""
    outcomes_at: float | None = None
    """When the run that `outcomes` are from ended."""


def start(directory: str, bus: str) -> Record:
    """Writes that this process begins a run now; never fails (an unwritable directory leaves no record)."""
    raise NotImplementedError


def finish(directory: str, record: Record, outcomes: Mapping[str, Any]) -> bool:
    """Adds the end (now) if the record on disk is still this one's; False if not, or not written. Any process may call it."""
    raise NotImplementedError


def read(directory: str, bus: str) -> Record | None:
    """The record of the last run of `bus` in this boot."""
    raise NotImplementedError


def read_all(directory: str) -> list[Record]:
    """The records of every bus of this boot."""
    raise NotImplementedError
