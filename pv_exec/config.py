"""The configuration: one TOML file, checked against the settings' own annotations.

A running program is mild: what is wrong in another table is nothing to it, an unknown key is a warning, a faulty bus
gives its inverters the state `config` while the others are read. `pv-setup check` tells every fault there is.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pv_exec.box import toml
from pv_exec.box.errors import ConfigFaults, ConfigUnreadable
from pv_exec.box.settings import Duration, Fault, Path, Range, Size, Text, take

DEFAULT_PATH = "/etc/pv-exec/config.toml"
VARIABLE = "PV_EXEC_CONFIG"


class Site(NamedTuple):
    """[site]"""

    name: Annotated[str, Text("Tag site= on every line.", "pv_strass")] = ""
    host: Annotated[str, Text("Tag host= on every line; without it the host name.", "pi")] = ""
    latitude: Annotated[
        float | None,
        Text("Degrees north; with longitude, to know night from failure.", 47.27),
        Range(-90, 90),
    ] = None
    longitude: Annotated[float | None, Text("Degrees east.", 11.39), Range(-180, 180)] = None
    tags: Annotated[dict[str, str] | None, Text("Further tags for every line.", {"region": "europe"})] = None


class Clock(NamedTuple):
    """[clock]"""

    trust: Annotated[
        Literal["auto", "always", "never"],
        Text(
            "When the clock may stamp readings. auto: a time service or the kernel says it is synchronised, or a real-time "
            "clock set it. Readings of an untrusted clock go out marked."
        ),
    ] = "auto"
    hold: Annotated[
        Duration,
        Text(
            "How long readings of an untrusted clock wait for a right one before they go out marked (needs the spool)."
        ),
    ] = 900.0


class Read(NamedTuple):
    """[read]"""

    interval: Annotated[
        Duration,
        Text(
            "How often a bus is read: for `pv-setup telegraf` and to judge freshness. A bus may set its own."
        ),
        Range(1, 86400),
    ] = 60.0
    deadline: Annotated[
        Duration | Literal["auto"],
        Text(
            "How long a run may take, from the start of the process. auto: what the wire needs with room, at least 4s. A bus may set its own."
        ),
        Range(0.5, 3600),
    ] = "auto"


class BusKeys(NamedTuple):
    """[[bus]]: what every family has."""

    name: Annotated[str, Text("Tag bus= on its lines; unique.", "roof")]
    driver: Annotated[str, Text("The family of its inverters.", "kaco")]
    port: Annotated[
        str, Text("A device or a glob of devices, or tcp://host:port of a serial bridge.", "/dev/ttyUSB0")
    ]
    interval: Annotated[
        Duration | None,
        Text("How often this bus is read, where not as [read] says.", 300.0),
        Range(1, 86400),
    ] = None
    deadline: Annotated[
        Duration | Literal["auto"] | None,
        Text("How long a run may take on this bus, where not as [read] says.", 12.0),
        Range(0.5, 3600),
    ] = None


class Spool(NamedTuple):
    """[spool] (checked, not used yet)"""

    path: Annotated[str, Text("The SQLite file that keeps readings until the server holds them.")] = (
        "/var/lib/pv-exec/spool.db"
    )
    keep: Annotated[Duration, Text("How long delivered readings stay.")] = 30 * 86400.0
    max_size: Annotated[Size, Text("The most it may take on the disk.")] = 500_000_000


class Influxdb(NamedTuple):
    """[influxdb] (checked, not used yet)"""

    url: Annotated[str, Text("Where the server is.", "http://127.0.0.1:8086")]
    database: Annotated[str, Text("Database of InfluxDB 1.x.", "pv")] = ""
    username: Annotated[str, Text("User of InfluxDB 1.x.", "pi")] = ""
    password_file: Annotated[str, Text("File with the password of that user.", "influxdb.password")] = ""
    bucket: Annotated[str, Text("Bucket of InfluxDB 2.x and 3.x.", "pv")] = ""
    org: Annotated[str, Text("Organisation of InfluxDB 2.x.", "home")] = ""
    token_file: Annotated[str, Text("File with the token of InfluxDB 2.x and 3.x.", "influxdb.token")] = ""


class Paths(NamedTuple):
    """[paths]"""

    state: Annotated[
        str,
        Text(
            "Where durable files go; without it $STATE_DIRECTORY, then /var/lib/pv-exec.", "/var/lib/pv-exec"
        ),
    ] = ""
    runtime: Annotated[
        str,
        Text(
            "Where files of this boot go; without it $RUNTIME_DIRECTORY, then /run/pv-exec.", "/run/pv-exec"
        ),
    ] = ""


class BusTable(NamedTuple):
    """A [[bus]] with its generic keys settled and the rest as it stands in the file; the driver's settings take that."""

    place: int
    """Its position in the file, from 0."""
    name: str
    keys: BusKeys | None
    """None where a fault stands in the way."""
    rest: Mapping[str, Any]
    """Keys that are not generic: the driver's own, and the inverters in either form."""
    faults: tuple[Fault, ...]


class Config(NamedTuple):
    """The whole file. Tables that nobody here reads (watchdog) stay as they are."""

    path: str
    text: str
    site: Site
    clock: Clock
    read: Read
    spool: Spool
    influxdb: Influxdb | None
    paths: Paths
    buses: tuple[BusTable, ...]
    watchdog: Mapping[str, Any]
    faults: tuple[Fault, ...]
    """Of all but the buses, which carry their own."""


TABLES = {"site": Site, "clock": Clock, "read": Read, "spool": Spool, "influxdb": Influxdb, "paths": Paths}
LISTS = ("inverters", "inverter")


def find(argument: str | None) -> str:
    """The path of the configuration file: --config, else $PV_EXEC_CONFIG, else the system's."""
    return argument or os.environ.get(VARIABLE) or DEFAULT_PATH


def load(path: str) -> Config:
    """Read a configuration file. Raises ConfigUnreadable where there is none to read, ConfigFaults where it is no TOML."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode()
    except OSError as error:
        raise ConfigUnreadable(
            f"the configuration {path} cannot be read: {error.strerror}", _remedy(error)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigFaults(f"the configuration {path} is no UTF-8 text (byte {error.start})") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigFaults(f"the configuration {path} is no TOML: {error}") from error
    except RecursionError:
        raise ConfigFaults(f"the configuration {path} is nested too deeply to be read") from None
    return parse(table, path, text)


def _remedy(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"name one with --config or ${VARIABLE}; `pv-setup sample` prints one to start from"
    return f"let uid {os.geteuid()} read it, for example: chgrp pv-exec and chmod 640"


def parse(table: Mapping[str, Any], path: str = "", text: str = "") -> Config:
    """Settle a whole configuration; never raises, the faults are in it. Relative paths count from the file."""
    faults: list[Fault] = []
    found: dict[str, Any] = {}
    for name, cls in TABLES.items():
        given = table.get(name, {})
        if name == "influxdb" and name not in table:
            found[name] = None
        elif isinstance(given, Mapping):
            taken = take(cls, given, (name,))
            faults += taken.faults
            found[name] = taken.value if taken.value is not None else _mild(cls, given, taken.faults)
        else:
            faults.append(Fault((name,), repr(given), f"a table: [{name}]"))
            found[name] = cls() if name != "influxdb" else None
    watchdog = table.get("watchdog", {})
    faults += [_unknown(key) for key in table if key not in {*TABLES, "bus", "watchdog"}]
    buses, wrong = _buses(table.get("bus", []))
    here = os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
    for key, place in found["paths"]._asdict().items():
        if not place.isprintable():
            faults.append(Fault(("paths", key), toml.written(place), "a path without control characters"))
            found["paths"] = found["paths"]._replace(**{key: ""})
    found["paths"] = Paths(*(os.path.join(here, one) if one else "" for one in found["paths"]))
    return Config(
        path,
        text,
        buses=buses,
        watchdog=watchdog if isinstance(watchdog, Mapping) else {},
        faults=(*faults, *wrong),
        **found,
    )


def _mild(cls: Any, given: Mapping[str, Any], faults: Iterable[Fault]) -> Any:
    """What a running program makes of a table with faults: the faulty keys are as if they were not there."""
    bad = {fault.path[1] for fault in faults if len(fault.path) > 1}
    return take(cls, {key: value for key, value in given.items() if key not in bad}).value


def _unknown(key: str) -> Fault:
    from difflib import get_close_matches

    near = get_close_matches(key, [*TABLES, "bus", "watchdog"], 1)
    return Fault(
        (key,),
        key,
        "one of " + ", ".join([*TABLES, "bus", "watchdog"]),
        f'did you mean "{near[0]}"?' if near else "",
        "unknown",
    )


def _buses(given: Any) -> tuple[tuple[BusTable, ...], list[Fault]]:
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        return (), [Fault(("bus",), repr(given)[:60], "tables headed [[bus]]")]
    buses: list[BusTable] = []
    for index, table in enumerate(given):
        generic = {key: value for key, value in table.items() if key in BusKeys._fields}
        rest = {key: value for key, value in table.items() if key not in BusKeys._fields}
        where: Path = ("bus", index)
        taken = take(BusKeys, generic, where)
        faults = list(taken.faults)
        name = str(table.get("name", "")) or f"bus{index + 1}"
        if any(other.name == name for other in buses):
            faults.append(Fault((*where, "name"), toml.written(name), "a name that no other bus has"))
        buses.append(BusTable(index, name, taken.value, rest, tuple(faults)))
    return tuple(buses), []
