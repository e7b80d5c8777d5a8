"""What a reading is: inverters on a bus, what became of each, and the stamped line that says so."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pv_exec.quantities import Value

STATES = {
    "ok": 0,
    "asleep": 1,
    "silent": 2,
    "corrupt": 3,
    "refused": 4,
    "port_missing": 5,
    "port_denied": 6,
    "locked": 7,
    "hung": 8,
    "timeout": 9,
    "error": 10,
    "config": 11,
    "unlearned": 12,
    "stale_list": 13,
    "address_conflict": 14,
    "paused": 15,
}
"""State words of the health line with their codes; the numbers are published and never change."""


class Inverter(NamedTuple):
    """One configured inverter: `name` is its tag, `unit` the driver's own NamedTuple of its settings."""

    name: str
    unit: Any
    expected: bool = True
    """False at night: ask once and shortly, an answer would be a surprise."""


class Bus(NamedTuple):
    """All a conversation may know about its bus; it has no clock, file or socket of its own."""

    name: str
    inverters: tuple[Inverter, ...]
    options: Any
    bridged: bool = False
    """True behind a network bridge (tcp://), whose bursts stretch the gaps inside a frame."""
    wall: float = 0.0
    """Unix seconds at the start of the run; only to be told to inverters that freeze values by time."""
    boottime: float = 0.0
    """CLOCK_BOOTTIME at the start of the run, s."""
    boot_id: str = ""
    budget: float = 0.0
    """Seconds from `boottime` on in which the conversation must be over: `boottime + budget - left` is the time."""
    expect: int = 0
    """How many inverters a learning conversation should find; 0: as many as are listed, or whoever answers."""
    trusted: bool = False
    """Whether `wall` is to be believed."""
    elevation: float | None = None
    """Height of the sun in degrees; None without a position or a trusted clock."""
    kept: Mapping[str, bytes] = {}
    """What earlier conversations on this bus asked to keep, by name."""


class Outcome(NamedTuple):
    """What became of one inverter. A later outcome of the same inverter in the same run replaces the earlier."""

    inverter: str
    state: str
    values: Mapping[str, Value] = {}
    """Field name → value, in the units of the vocabulary. What is unknown is not in it."""
    error: str = ""
    attempts: int = 0
    duration: float = 0.0
    """Seconds from the first question to the last answer; the mandated gap before it does not count."""
    dropped: tuple[str, ...] = ()
    """Values left out, each as `name: why`."""
    rated_power: float | None = None
    """The most this inverter can feed, W; bounds how fast its energy may grow."""
    at: float = 0.0
    """CLOCK_BOOTTIME of the reading; the worker fills it in."""


class Event(NamedTuple):
    """Something that happened once and should be seen on the server."""

    inverter: str
    kind: str
    text: str


class Found(NamedTuple):
    """An inverter heard by a scan: the keys of its `[[bus.inverter]]` table, and what it called itself."""

    keys: Mapping[str, Value]
    text: str


class Progress(NamedTuple):
    """How far a long conversation has come."""

    done: int
    total: int
    text: str


class Stamp(NamedTuple):
    """When a line was true: whole Unix seconds, and whether the clock that gave them was trusted."""

    seconds: int
    trusted: bool


class Line(NamedTuple):
    """One line of line protocol before it is written."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    stamp: Stamp
