"""A configuration to start from, written out of the settings' own annotations, so that it cannot say anything else."""

import textwrap
import tomllib
from collections.abc import Iterable

from pv_exec import drivers
from pv_exec.box import toml
from pv_exec.box.settings import sample
from pv_exec.config import DEFAULT_PATH, TABLES, VARIABLE, BusKeys

WIDTH = 110

HEAD = f"""\
## The configuration of pv-exec: {DEFAULT_PATH}, or where --config or ${VARIABLE} says.
## Fill in the port and the inverters; every other line shows a default, or an example where there is none.
## Then: pv-setup check, which names every fault there is, and pv-read --format table."""


def render() -> str:
    """The sample: it is taken as it stands, and so is each of its commented keys."""
    lines = HEAD.splitlines()
    for name in ("site", "clock", "read"):
        lines += ["", *sample(TABLES[name], name)]
    for place, name in enumerate(drivers.DRIVERS):
        lines += ["", *(_bus(name, place) if not place else _commented(_bus(name, place)))]
    lines += ["", "## Checked, not used yet.", *sample(TABLES["spool"], "spool")]
    lines += ["", "## Checked, not used yet.", *_commented(sample(TABLES["influxdb"], "influxdb"))]
    lines += ["", *sample(TABLES["paths"], "paths")]
    return "\n".join(wrapped for line in lines for wrapped in _wrapped(line)) + "\n"


BUSES = ("roof", "barn", "hall")
"""Names for the buses of the sample; each has a port of its own, so that all may be taken at once."""


def _bus(name: str, place: int) -> list[str]:
    """A bus of one family, its inverters in the short form and, commented, in the long one."""
    driver = drivers.load(name)
    unit = sample(driver.Unit, "")
    first = tomllib.loads("\n".join(unit))[driver.SHORT]
    own = {"name": BUSES[place], "driver": name, "port": f"/dev/ttyUSB{place}"}
    keys = [
        f"{key} = {toml.written(own[key])}" if (key := line.partition(" = ")[0]) in own else line
        for line in sample(BusKeys, "bus")
    ]
    return [
        "## One line with its inverters; as many of these tables as there are lines.",
        "[[bus]]",
        *keys[1:],
        *sample(driver.Options, ""),
        f"## Its inverters: the {driver.SHORT} of each.",
        f"inverters = [{toml.written(first)}]",
        "",
        "## Or, instead of that list, a table for each inverter, which can say more:",
        "# [[bus.inverter]]",
        f"## Tag inverter= on its lines; without it the {driver.SHORT}.",
        '# name = "south"',
        *_commented(unit),
    ]


def _commented(lines: Iterable[str]) -> list[str]:
    return [line if line.startswith("#") or not line else f"# {line}" for line in lines]


def _wrapped(line: str) -> list[str]:
    return (
        textwrap.wrap(line, WIDTH, subsequent_indent="## ", break_on_hyphens=False)
        if line.startswith("##")
        else [line]
    )
