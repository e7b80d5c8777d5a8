"""What one run is to do, settled before the fork from the configuration and the drivers' own settings. Reads nothing else."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pv_exec import drivers
from pv_exec.box import toml
from pv_exec.box.errors import Usage
from pv_exec.box.settings import Fault, Path, take
from pv_exec.config import LISTS, BusKeys, BusTable, Config
from pv_exec.conversation import Driver
from pv_exec.formats.line import clean
from pv_exec.links import LINKS, scheme
from pv_exec.model import Bus, Inverter

LEAST_DEADLINE = 4.0

ROOM = 1.5
SPARE = 2.0
"""`deadline = "auto"` is ROOM × what a healthy read takes on the wire + what healing takes + SPARE: a repeated question for every other
inverter, the start of the process on a slow board, and the reserve for commit and print."""


class Site(NamedTuple):
    """Where the box stands: tags for every line, and a position to know night from failure."""

    tags: Mapping[str, str]
    latitude: float | None = None
    longitude: float | None = None


class BusPlan(NamedTuple):
    """One bus to read."""

    name: str
    driver: str
    port: str
    inverters: tuple[Inverter, ...]
    options: Any
    interval: float
    deadline: float
    """Seconds from the start of the process."""
    takes: float = 0.0
    """Seconds a healthy read needs on the wire, as the driver reckons."""
    others: tuple[str, ...] = ()
    """Ports that other buses name; a glob never takes them."""
    fault: str = ""
    """Why this bus cannot be read; its inverters get `config`."""


class Plan(NamedTuple):
    """One run."""

    site: Site
    buses: tuple[BusPlan, ...]
    clock: str = "auto"
    """How the clock is trusted: auto, always, never."""
    runtime: str = ""
    state: str = ""
    """Directories as configured, "" for the default ones; only the children look at them."""
    trace: str = ""
    """File to record every byte in, "" for none."""


def make(config: Config) -> tuple[Plan, tuple[Fault, ...]]:
    """The plan of all buses, and every fault of the configuration. A faulty bus is in the plan with its fault."""
    faults = list(config.faults)
    ports = [str(bus.keys.port) for bus in config.buses if bus.keys]
    buses: list[BusPlan] = []
    for table in config.buses:
        bus, wrong = _bus(config, table, [one.port for one in buses])
        others = list(ports)
        if bus.port in others:
            others.remove(bus.port)
        buses.append(bus._replace(others=tuple(others)))
        faults += wrong
    if not config.buses:
        faults.append(
            Fault(("bus",), "nothing", "at least one [[bus]] table", "pv-setup sample prints one", "missing")
        )
    paths = config.paths
    return Plan(_site(config), tuple(buses), config.clock.trust, paths.runtime, paths.state), tuple(faults)


def select(plan: Plan, buses: Iterable[str], inverters: Iterable[str]) -> Plan:
    """The plan for some buses and inverters only (all where none is named). Raises Usage for a name that is none."""
    buses, inverters = tuple(buses), tuple(inverters)
    known = [bus.name for bus in plan.buses]
    for name in buses:
        if name not in known:
            raise Usage(f'no bus is called "{name}"', f"the configuration has: {', '.join(known) or 'none'}")
    kept = [bus for bus in plan.buses if not buses or bus.name in buses]
    names = [inverter.name for bus in kept for inverter in bus.inverters]
    for name in inverters:
        if name not in names:
            raise Usage(
                f'no inverter is called "{name}"', f"the configuration has: {', '.join(names) or 'none'}"
            )
    if inverters:
        kept = [
            bus._replace(inverters=tuple(one for one in bus.inverters if one.name in inverters))
            for bus in kept
            if any(one.name in inverters for one in bus.inverters)
        ]
    return plan._replace(buses=tuple(kept))


def _site(config: Config) -> Site:
    site = config.site
    tags = {"site": site.name, "host": site.host or os.uname().nodename, **(site.tags or {})}
    position = (site.latitude, site.longitude) if site.longitude is not None else (None, None)
    return Site({key: value for key, value in tags.items() if value}, *position)


def _bus(config: Config, table: BusTable, ports: list[str]) -> tuple[BusPlan, list[Fault]]:
    where: Path = ("bus", table.place)
    faults = list(table.faults)
    keys = table.keys
    driver: Driver | None = None
    options: Any = None
    inverters: tuple[Inverter, ...] = ()
    if keys and keys.driver not in drivers.DRIVERS:
        faults.append(_one_of((*where, "driver"), keys.driver, drivers.DRIVERS))
    elif keys:
        driver = drivers.load(keys.driver)
        own = {key: value for key, value in table.rest.items() if key not in LISTS}
        taken = take(driver.Options, own, where, also=(*BusKeys._fields, *LISTS))
        options = taken.value
        faults += taken.faults
        inverters, wrong = _inverters(table, driver, where)
        faults += wrong
        faults += _port(keys.port, driver, ports, (*where, "port"))
    if not inverters:
        inverters = tuple(Inverter(name, None) for name in _names_anyhow(table))
    faults += _unwritable(table.name, (*where, "name"))
    fault = next((str(one) for one in faults if one.kind != "unknown"), "")
    interval = (keys and keys.interval) or config.read.interval
    plan = BusPlan(
        table.name,
        keys.driver if keys else "unknown",
        keys.port if keys else "",
        inverters,
        options,
        interval,
        LEAST_DEADLINE,
    )
    if driver and not fault:
        wire = driver.wire(Bus(table.name, inverters, options))
        asked = (keys and keys.deadline) or config.read.deadline
        deadline = (
            max(LEAST_DEADLINE, ROOM * wire.takes + wire.healing + SPARE) if isinstance(asked, str) else asked
        )
        plan = plan._replace(takes=wire.takes, deadline=deadline)
    return plan._replace(fault=fault), faults


_LISTED = "the inverters, as inverters = [1, 2] or [[bus.inverter]] tables"


def _inverters(table: BusTable, driver: Driver, where: Path) -> tuple[tuple[Inverter, ...], list[Fault]]:
    """The inverters of a bus in whichever form they are listed; none listed is exactly one with the name of the bus."""
    short, long = (table.rest.get(key) for key in LISTS)
    if short is not None and long is not None:
        both = "either inverters = […] or [[bus.inverter]] tables"
        return (), [
            Fault((*where, LISTS[0]), "both forms of the list", both, "keep the tables, they say more")
        ]
    if short is not None:
        if not isinstance(short, list):
            return (), [Fault((*where, LISTS[0]), toml.written(short), "a list, such as [1, 2, 3]")]
        given: list[Any] = [{driver.SHORT: each} for each in short]
        place: Path = (*where, LISTS[0])
    else:
        given = long if isinstance(long, list) else [{"name": table.name}]
        place = (*where, LISTS[1])
    faults: list[Fault] = []
    found: list[Inverter] = []
    if not given:
        faults.append(
            Fault(place, "an empty list", "at least one inverter", f"such as [1], by its {driver.SHORT}")
        )
    for index, one in enumerate(given):
        here = (*place, index) if (short, long) != (None, None) else where
        if not isinstance(one, Mapping):
            faults.append(Fault(here, toml.written(one), "a table headed [[bus.inverter]]"))
            continue
        taken = take(
            driver.Unit, {key: value for key, value in one.items() if key != "name"}, here, also=("name",)
        )
        if (short, long) == (None, None) and taken.value is None:
            faults.append(Fault((*where, LISTS[0]), "", _LISTED, kind="missing"))
            continue
        faults += [fault._replace(path=here) if short is not None else fault for fault in taken.faults]
        identity = getattr(taken.value, driver.SHORT, None)
        name = one.get("name", "" if identity is None else str(identity))
        if not isinstance(name, str):
            faults.append(Fault((*here, "name"), toml.written(name), "a name in quotes"))
            continue
        twice = identity is not None and any(getattr(each.unit, driver.SHORT) == identity for each in found)
        if twice:
            key = here if short is not None else (*here, driver.SHORT)
            faults.append(Fault(key, toml.written(identity), f"every {driver.SHORT} once on a bus"))
        if "name" not in one and (taken.value is None or twice):
            pass  # the identity is the fault, not the name it would give
        elif any(other.name == name for other in found):
            allowed = "a name that no other inverter of this bus has"
            faults.append(Fault((*here, "name"), toml.written(name), allowed))
        else:
            faults += _unwritable(name, (*here, "name"))
        if taken.value is not None:
            found.append(Inverter(name, taken.value))
    return tuple(found), faults


def _names_anyhow(table: BusTable) -> list[str]:
    """Names for the health lines of a bus that cannot be read; every configured inverter still has one."""
    short, long = (table.rest.get(key) for key in LISTS)
    names = [str(each) for each in short] if isinstance(short, list) else []
    for one in long if isinstance(long, list) else ():
        if isinstance(one, Mapping):
            name = one.get("name") or next((one[key] for key in ("address", "serial") if key in one), "")
            names.append(str(name))
    return [name for name in dict.fromkeys(names) if name] or [table.name]


def _port(port: str, driver: Driver, ports: list[str], where: Path) -> list[Fault]:
    if not port.isprintable():  # no device is called so, and NUL cannot be passed to the kernel at all
        return [Fault(where, toml.written(port), "a name without control characters")]
    kind = scheme(port)
    able = [name for name in LINKS if name in driver.SCHEMES]
    if kind not in able:
        shapes = {"serial": "a device such as /dev/ttyUSB0", "tcp": "tcp://host:port"}
        return [Fault(where, toml.written(port), " or ".join(shapes[name] for name in able))]
    if kind == "tcp":
        host, _, number = port.removeprefix("tcp://").rpartition(":")
        if not host or not number.isdecimal() or not 0 < int(number) < 65536:
            return [Fault(where, toml.written(port), "tcp://host:port, with a port from 1 to 65535")]
    if port in ports:
        return [
            Fault(
                where,
                toml.written(port),
                "a device of its own for every bus",
                "list all inverters of one line under one [[bus]]",
            )
        ]
    return []


def _unwritable(name: str, where: Path) -> list[Fault]:
    """A tag that line protocol cannot carry as it stands would come out under another name."""
    if name and clean(name) == name:
        return []
    return [
        Fault(
            where, toml.written(name), "a name without control characters, backslashes, or blanks at its ends"
        )
    ]


def _one_of(where: Path, found: str, allowed: Iterable[str]) -> Fault:
    from difflib import get_close_matches

    near = get_close_matches(found, list(allowed), 1)
    return Fault(
        where,
        toml.written(found),
        "one of " + ", ".join(allowed),
        f'did you mean "{near[0]}"?' if near else "",
    )
