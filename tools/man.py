r"""Rewrites the generated parts of packaging/man: `.venv/bin/python -m tools.man`.

A part stands between `.\" generated: NAME` and `.\" end`; everything around it is written by hand. So the pages are plain
files that need no tool to be read, and what they say of keys, fields, states, faults and codes is what the code says;
tests/unit/docs holds them to it.
"""

import datetime as dt
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pv_exec import config, drivers
from pv_exec.box import settings
from pv_exec.drivers.kaco import status
from pv_exec.model import STATES
from pv_exec.quantities import COMMON, EVENT, HEALTH, MEASURED, Quantity
from pv_exec.setup.metrics import UNITS
from pv_exec.sim import faults as of_line, plant

PAGES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packaging", "man")

KINDS = {float: "float", int: "integer", str: "string", bool: "boolean"}

STATES_MEAN = {
    "ok": "It was read; its values are in the `pv_inverter` line of the same stamp.",
    "asleep": "No answer, and the sun is down or low, or its height is not known (no position, or a clock that is not "
    "trusted). No error; `--strict` does not count it.",
    "silent": "No answer although the sun is surely up (higher than 8 degrees). Look at its fuse and its cable, its address, "
    "and whether its menu says RS485.",
    "corrupt": "Something answered and failed its checks, also when it was asked again. `error` says which check. A second "
    "master, swapped wires, a missing termination or a long line look like this.",
    "refused": "It understood the question and said no. No Kaco does that.",
    "port_missing": "The device, or the bridge, is not there, or went away while it was used.",
    "port_denied": "The device is there, and this user may not open it; `error` names the group to join.",
    "locked": "Another process holds the bus; `error` says which, since when, and where in the kernel it sleeps.",
    "hung": "The process that reads this bus did not end by the deadline; `error` says where in the kernel it sleeps. The bus "
    "stays locked until it is gone.",
    "timeout": "The time for the bus was used up, or the run was ended from outside, before this inverter was done.",
    "error": "A fault of the program. Please send the text, and a trace.",
    "config": "This bus is not configured so that it can be read, or its glob fits several devices; the others are read. "
    "`pv-setup check` says all that is wrong.",
    "unlearned": "(SMA on RS485, which is not built yet) Its channel list is not known.",
    "stale_list": "(SMA on RS485, which is not built yet) It answers by another channel list than the one kept.",
    "address_conflict": "Two devices answer to one address. Give one of them another, in its own menu.",
    "paused": "Reading was paused by a person. Nothing sets it yet.",
}


# --- troff -------------------------------------------------------------------------------------------------------------


def literal(said: str) -> str:
    """Text to be typed: every sign stands for itself, also when it is copied from a terminal."""
    for sign, written in (
        ("\\", "\\e"),
        ("-", "\\-"),
        ('"', "\\(dq"),
        ("'", "\\(aq"),
        ("^", "\\(ha"),
        ("~", "\\(ti"),
    ):
        said = said.replace(sign, written)
    return said


def prose(said: str) -> str:
    """A sentence of a docstring or an annotation: what is in backquotes is bold, what looks typed keeps its signs."""
    words = []
    for n, part in enumerate(said.split("`")):
        if n % 2:
            words.append(f"\\fB\\%{literal(part)}\\fR")
        else:
            words += [
                literal(word) if re.search(r'[/"=_$\\]|^-|^\d', word) else word
                for word in re.split(r"(\s+)", part)
            ]
    text = "".join(words)
    return "\\&" + text if text[:1] in (".", "'") else text


def item(name: str, *said: str) -> Iterator[str]:
    """One entry of a list; each sentence has a line of its own, as mandoc asks."""
    yield f".It Ic {literal(name)}"
    for text in said:
        yield from map(prose, re.split(r"(?<=[a-z\d)%]\.) (?=[A-Z])", text))


def sentence(said: str) -> str:
    """With a capital and a full stop."""
    return said[:1].upper() + said[1:] + ("" if said.endswith(".") else ".")


# --- the parts ---------------------------------------------------------------------------------------------------------


def keys(schema: Any) -> Iterator[str]:
    """Every key of a table: sentence, what may stand there, default or an example.

    The words for what may stand there are those of `pv-setup check`: a date is a value that no key takes.
    """
    lines = [line for line in settings.sample(schema, "") if not line.startswith("## ")]
    for field, line in zip(schema._fields, lines, strict=True):
        key, _, value = line.removeprefix("# ").partition(" = ")
        text = next(m for m in schema.__annotations__[field].__metadata__ if isinstance(m, settings.Text))
        taken = settings.take(schema, {key: dt.date(2000, 1, 1)})
        allowed = next(fault.allowed for fault in taken.faults if fault.path == (key,))
        if field not in schema._field_defaults:
            default = "It must be given."
        elif schema._field_defaults[field] in (None, ""):
            example = "" if text.example is None or value in allowed else f"; for example {value}"
            default = f"No default{example}."
        else:
            default = f"Default: {value}."
        allowed = re.sub(r"(?<=\d)\.0\b", "", allowed)  # Range(100, 1e6)
        yield from item(key, text.sentence, f"Value: {allowed}.", default)


def fields(quantities: Mapping[str, Quantity], *, ranges: bool = False) -> Iterator[str]:
    """Every field: type, unit, range, meaning."""
    for name, quantity in quantities.items():
        said = KINDS[quantity.kind]
        if unit := UNITS.get(name.rpartition("_")[2] if quantity.kind is float else ""):
            said += f" in {unit}"
        if ranges and quantity.kind in (float, int):
            said += f", from {quantity.low:.12g} to {quantity.high:.12g}"
        yield from item(name, sentence(quantity.text), f"Type: {said}.")


def states() -> Iterator[str]:
    """Every state of an inverter with its code."""
    for word, code in STATES.items():
        yield from item(f"{code} {word}", STATES_MEAN[word])


def table(entries: Mapping[str, str] | Mapping[int, str]) -> Iterator[str]:
    """Names or codes with what they mean."""
    for name, text in entries.items():
        yield from item(str(name), sentence(text) if isinstance(name, str) else text)


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    **{f"[{name}]": partial(keys, schema) for name, schema in config.TABLES.items()},
    "[[bus]]": lambda: keys(config.BusKeys),
    **{f"[[bus]] of {name}": partial(keys, drivers.load(name).Options) for name in drivers.DRIVERS},
    **{f"[[bus.inverter]] of {name}": partial(keys, drivers.load(name).Unit) for name in drivers.DRIVERS},
    "pv_inverter": lambda: fields(MEASURED, ranges=True),
    "pv_read": lambda: fields(HEALTH),
    "pv_event": lambda: fields(EVENT),
    "every line": lambda: fields(COMMON),
    "states": states,
    **{f"options of {name}": partial(table, plant.simulator(name).OPTIONS) for name in plant.families()},
    **{f"faults of {name}": partial(table, plant.simulator(name).FAULTS) for name in plant.families()},
    "faults of every line": lambda: table(of_line.FAULTS),
    "which answers": lambda: table(of_line.MODIFIERS),
    "operating codes": lambda: table(status.OPERATING),
    "fault codes": lambda: table(status.FAULTS),
    "xp codes": lambda: table(status.XP),
}

_PART = re.compile(r'^(\.\\" generated: (.+)\n)(?:.*\n)*?(\.\\" end\n)', re.MULTILINE)


def rewritten(page: str) -> str:
    """The page with its generated parts made anew. KeyError for a part that nobody makes."""
    return _PART.sub(lambda m: m[1] + "".join(f"{line}\n" for line in PARTS[m[2]]()) + m[3], page)


def parts(page: str) -> list[str]:
    """The names of the generated parts of a page."""
    return [found[2] for found in _PART.finditer(page)]


def main() -> None:
    """Rewrite every page where it differs."""
    for name in sorted(os.listdir(PAGES)):
        path = os.path.join(PAGES, name)
        with open(path, encoding="utf-8") as file:
            old = file.read()
        if (new := rewritten(old)) != old:
            with open(path, "w", encoding="utf-8") as file:
                file.write(new)
            print(f"{os.path.relpath(path)} rewritten", file=sys.stderr)


if __name__ == "__main__":
    main()
