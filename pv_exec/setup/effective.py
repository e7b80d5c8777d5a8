"""The configuration in force, as a file that says the same: every value, and which of them nobody wrote."""

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pv_exec import drivers
from pv_exec.box import paths, toml
from pv_exec.box.settings import effective
from pv_exec.config import LISTS, BusTable, Config
from pv_exec.run.plan import BusPlan, Plan
from pv_exec.run.worker import RESERVE
from pv_exec.setup.check import is_auto, reckoned, shown

COLUMN = 30
"""Where the comments stand if the values leave room."""

NO_POSITION = (
    "# No position (latitude and longitude): night cannot be told from failure, so an inverter that does not answer is",
    "# `asleep` at any hour and never an alarm.",
)
NO_TRUST = (
    '# trust = "never": every line goes out marked (pv_inverter_unsynced, pv_read_unsynced, with a tag `boot`), and as the',
    "# sun's height is not known either, an inverter that does not answer is `asleep` at any hour and never an alarm.",
)


def render(config: Config, plan: Plan) -> str:
    """A TOML text of the values in force. `plan` is that of this configuration and has no fault."""
    raw = tomllib.loads(config.text)
    site = config.site._replace(host=config.site.host or os.uname().nodename)
    places = config.paths._replace(
        state=paths.state_directory(config.paths.state), runtime=paths.runtime_directory(config.paths.runtime)
    )
    lines = [f"# {config.path} as it is in force"]
    lines += [
        "",
        *_table(
            site, "site", raw.get("site", {}), {"host": "" if config.site.host else "default: the host name"}
        ),
    ]
    if site.latitude is None or site.longitude is None:
        lines += NO_POSITION
    lines += ["", *_table(config.clock, "clock", raw.get("clock", {}))]
    if config.clock.trust == "never":
        lines += NO_TRUST
    lines += ["", *_table(config.read, "read", raw.get("read", {}))]
    for table, bus in zip(config.buses, plan.buses, strict=True):
        lines += ["", *_bus(config, table, bus, raw["bus"][table.place])]
    lines += ["", "# Checked, not used yet:", *_table(config.spool, "spool", raw.get("spool", {}))]
    if config.influxdb:
        lines += ["", "# Checked, not used yet:", *_table(config.influxdb, "influxdb", raw["influxdb"])]
    lines += ["", *_table(places, "paths", raw.get("paths", {}))]
    if config.watchdog:
        lines += ["", "# [watchdog] is neither checked nor used yet."]
    return "\n".join(lines) + "\n"


def _table(
    instance: Any, header: str, given: Collection[str], why: Mapping[str, str] | None = None
) -> list[str]:
    """A table's lines, each with a comment where the file does not say it; an empty text nobody gave has no line."""
    lines = []
    for line in effective(instance, header):
        key, equals, value = line.partition(" = ")
        if key not in given and equals and value == '""':
            continue
        comment = (why or {}).get(key) or ("default" if equals and key not in given else "")
        lines.append(_commented(line, comment) if comment else line)
    return lines


def _commented(line: str, comment: str) -> str:
    return f"{line:<{COLUMN - 1}} # {comment}"


def _bus(config: Config, table: BusTable, bus: BusPlan, given: Mapping[str, Any]) -> Iterator[str]:
    """A bus in full; its inverters always in the long form, which says everything."""
    assert table.keys is not None
    keys = table.keys._replace(
        interval=bus.interval,
        deadline=table.keys.deadline or ("auto" if is_auto(config, table) else bus.deadline),
    )
    every = toml.written(bus.interval, "duration").strip('"')
    yield f"# Bus {bus.name}: {reckoned(bus)}, at the least; a run has {shown(bus.deadline - RESERVE)} for it"
    yield f"# (its deadline of {shown(bus.deadline)} less {shown(RESERVE)} to commit and print), every {every}."
    why = {key: "as in [read]" for key in ("interval", "deadline") if key not in given}
    if keys.deadline == "auto":
        why["deadline"] = f"comes to {shown(bus.deadline)}"
    yield "[[bus]]"
    yield from _table(keys, "bus", given, why)[1:]
    yield from _table(bus.options, "bus", given)[1:]
    short = drivers.load(bus.driver).SHORT
    tables = given.get(LISTS[1]) or [{short: None} for _ in bus.inverters]
    for inverter, own in zip(bus.inverters, tables, strict=True):
        yield "[[bus.inverter]]"
        name = f"name = {toml.written(inverter.name)}"
        yield name if "name" in own else _commented(name, f"default: its {short}")
        yield from _table(inverter.unit, "bus.inverter", own)[1:]
