"""Every fault of a configuration at once, and what is odd about it today. Looks at names and rights; opens no port."""

import math
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pv_exec import links
from pv_exec.box import paths, toml
from pv_exec.box.errors import LinkError
from pv_exec.box.settings import Fault, called
from pv_exec.config import BusTable, Config
from pv_exec.formats.line import clean
from pv_exec.links import serial_port
from pv_exec.quantities import MEASUREMENTS, find
from pv_exec.run import memory, plan as plans
from pv_exec.run.plan import BusPlan, Plan
from pv_exec.run.worker import RESERVE

OUR_TAGS = ("boot", "bus", "driver", "host", "inverter", "site")
"""Tags that lines already have (DESIGN 5.3, 5.5)."""


class Note(NamedTuple):
    """What is no fault of the file but stands in the way today: an adapter that is not plugged in."""

    path: toml.Path
    text: str

    def __str__(self) -> str:
        return f"{called(self.path)}: {self.text}"


class Examined(NamedTuple):
    """A configuration, looked through."""

    plan: Plan
    faults: tuple[Fault, ...]
    notes: tuple[Note, ...]


def examine(config: Config) -> Examined:
    """All that is wrong with a configuration, in the order of its lines. Never raises."""
    plan, faults = plans.make(config)
    buses = tuple(zip(config.buses, plan.buses, strict=True))
    wrong, notes = _ports(config, buses)
    found = [*faults, *_site(config), *_influxdb(config), *_twins(buses), *_times(config, buses), *wrong]

    def line(one: Fault | Note) -> int:
        return toml.locate(config.text, one.path) or 0

    return Examined(plan, tuple(sorted(found, key=line)), tuple(sorted(notes, key=line)))


def located(what: Fault | Note, config: Config) -> str:
    """`file:line: key: what`, without the line where it is nowhere in the file; nothing in it can move a terminal's cursor."""
    line = toml.locate(config.text, what.path)
    said = f"{config.path}:{line}: {what}" if line else f"{config.path}: {what}"
    return "".join(char if char.isprintable() else "?" for char in said)


# --- [site], [influxdb] ------------------------------------------------------------------------------------------------


def _site(config: Config) -> Iterator[Fault]:
    """Of the table as it is written: one wrong type must hide no other fault."""
    raw = tomllib.loads(config.text).get("site", {})
    if not isinstance(raw, dict):
        return
    position = ("latitude", "longitude")
    for missing, given in (position, position[::-1]):
        if given in raw and missing not in raw:
            allowed = f"a number of degrees, as {given} is given"
            yield Fault(("site", missing), "", allowed, "one alone is no position", "missing")
    for key in ("name", "host"):
        value = getattr(config.site, key)
        if value and clean(value) != value:
            yield Fault(("site", key), toml.written(value), WRITABLE)
    tags = raw.get("tags")
    for key, value in tags.items() if isinstance(tags, dict) else ():
        if isinstance(value, str):
            yield from _tag(key, value)


WRITABLE = "text without control characters, backslashes, or blanks at its ends"


def _tag(key: str, value: str) -> Iterator[Fault]:
    """A tag of the user's own: line protocol must be able to carry it, and it must not hide one of ours or a field."""
    path = ("site", "tags", key)
    named = f"a tag named {toml.written(key)}"
    if key in OUR_TAGS:
        hint = {"site": "set name in [site]", "host": "set host in [site]"}.get(key, "")
        yield Fault(path, named, f"a name other than {', '.join(OUR_TAGS)}, which every line has", hint)
    elif key == "time" or key.startswith("_"):
        yield Fault(
            path, named, "a name that InfluxDB does not keep for itself (time, and any with _ in front)"
        )
    elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", key):
        yield Fault(path, named, "a name of letters, digits and _, a letter first")
    elif any(find(measurement, key) for measurement in MEASUREMENTS):
        yield Fault(path, named, "a name that no field has", "a query could not tell them apart")
    if not value:
        yield Fault(path, '""', "some text, as an empty tag is none", "leave the tag out")
    elif clean(value) != value:
        yield Fault(path, toml.written(value), WRITABLE)


def _influxdb(config: Config) -> Iterator[Fault]:
    server = config.influxdb
    if server is None:
        return
    if not re.match(r"https?://[^/]", server.url):
        yield Fault(("influxdb", "url"), toml.written(server.url), "http://host:port or https://host:port")
    if bool(server.database) == bool(server.bucket):
        found = "both database and bucket" if server.database else "neither database nor bucket"
        yield Fault(
            ("influxdb", "database"),
            found,
            "database for InfluxDB 1.x, or bucket for 2.x and 3.x",
        )


# --- names, times ------------------------------------------------------------------------------------------------------

Buses = Iterable[tuple[BusTable, BusPlan]]


def _twins(buses: Buses) -> Iterator[Fault]:
    """Names that a person reads as one and the server keeps as two: the same letters, encoded in two ways."""
    names: dict[str, str] = {}
    for table, bus in buses:
        yield from _twin(names, bus.name, ("bus", table.place, "name"))
        inverters: dict[str, str] = {}
        for place, inverter in enumerate(() if bus.fault else bus.inverters):
            yield from _twin(inverters, inverter.name, ("bus", table.place, "inverter", place, "name"))


def _twin(seen: dict[str, str], name: str, path: toml.Path) -> Iterator[Fault]:
    looks = unicodedata.normalize("NFC", name)
    if seen.setdefault(looks, name) != name:
        yield Fault(
            path,
            toml.written(name),
            "a name that cannot be taken for another",
            "its letters are those of an earlier name, encoded in another way",
        )


def _times(config: Config, buses: Buses) -> Iterator[Fault]:
    for table, bus in buses:
        if bus.fault or table.keys is None:
            continue
        keys = table.keys
        here: toml.Path = ("bus", table.place)
        at_deadline = (*(here if keys.deadline is not None else ("read",)), "deadline")
        at_interval = (*(here if keys.interval is not None else ("read",)), "interval")
        needs = bus.takes + RESERVE
        why = f"{reckoned(bus)}, {shown(RESERVE)} to commit and print"
        if bus.deadline < needs:
            allowed = f"at least {duration(needs)} for bus {bus.name}"
            yield Fault(at_deadline, _written(bus.deadline), allowed, why)
        if bus.deadline > bus.interval:
            if is_auto(config, table):
                allowed = f"at least {duration(bus.deadline)} for bus {bus.name}, the deadline it gets"
                yield Fault(at_interval, _written(bus.interval), allowed, why)
            else:
                allowed = f"at most {_written(bus.interval)}, the interval of bus {bus.name}"
                yield Fault(at_deadline, _written(bus.deadline), allowed)


def is_auto(config: Config, table: BusTable) -> bool:
    """Whether the deadline of a bus is what its wire needs, and not a figure from the file."""
    return isinstance((table.keys and table.keys.deadline) or config.read.deadline, str)


def reckoned(bus: BusPlan) -> str:
    """What a run takes on a bus, in words."""
    count = len(bus.inverters)
    return f"{count} inverter{'s' if count > 1 else ''} take{'' if count > 1 else 's'} {shown(bus.takes)} on the wire"


def shown(seconds: float) -> str:
    """Seconds for a person: to a tenth, never less than they are."""
    return f"{math.ceil(round(seconds * 10, 6)) / 10:g}s"


def duration(seconds: float) -> str:
    """The next whole seconds as a value of the file."""
    return toml.written(float(math.ceil(round(seconds, 6))), "duration")


def _written(seconds: float) -> str:
    return toml.written(seconds, "duration")


# --- ports -------------------------------------------------------------------------------------------------------------


def _ports(config: Config, buses: Buses) -> tuple[list[Fault], list[Note]]:
    faults: list[Fault] = []
    notes: list[Note] = []
    held: dict[str, BusPlan] = {}
    for table, bus in buses:
        where = ("bus", table.place, "port")
        if table.keys is None or not bus.port.isprintable() or links.scheme(bus.port) not in links.LINKS:
            continue
        if links.scheme(bus.port) == "serial" and not os.path.isabs(bus.port):
            known = bus.port and os.path.exists(f"/dev/{bus.port}")
            hint = f'did you mean "/dev/{bus.port}"?' if known else "such as /dev/ttyUSB0"
            faults.append(Fault(where, toml.written(bus.port), "the full path of a device", hint))
            continue
        try:
            place = place_of(config, bus)
        except links.PortUnclear as error:
            found = f"{toml.written(bus.port)}, which {error.what.removeprefix(bus.port).strip()}"
            faults.append(Fault(where, found, "a device, or a glob that fits one", error.remedy))
            continue
        except LinkError as error:
            notes.append(Note(where, f"{error.state}: {error}"))
            continue
        other = held.setdefault(links.lock_key(place), bus)
        if other is not bus and other.port != bus.port:  # the same port by the same name is a fault already
            faults.append(
                Fault(
                    where,
                    f"{toml.written(bus.port)}, the device that bus {other.name} has as {other.port}",
                    "a device of its own for every bus",
                    "list all inverters of one line under one [[bus]]",
                )
            )
        if links.scheme(place) == "serial" and (trouble := serial_port.foreseen(place)):
            notes.append(Note(where, f"{trouble.state}: {trouble}"))
    return faults, notes


def place_of(config: Config, bus: BusPlan) -> str:
    """The device or address a bus means now, as pv-read would find it. Raises LinkError where there is none."""
    directories = paths.runtime_directory(config.paths.runtime), paths.state_directory(config.paths.state)
    last = memory.load(*directories, bus.name).get("port", b"").decode("utf-8", "replace")
    return links.locate(bus.port, bus.others, last)
