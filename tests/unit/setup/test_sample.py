"""The sample: it is taken as it stands, and so is each key in it that is commented out."""

import re
import tomllib
from typing import Any

import pytest

from pv_exec import config, drivers
from pv_exec.run import plan
from pv_exec.setup import sample

TEXT = sample.render()
COMMENTED = [number for number, line in enumerate(TEXT.splitlines()) if re.match(r"# [a-z_]+ = ", line)]


def faults(text: str) -> list[str]:
    settings = config.parse(tomllib.loads(text), "config.toml", text)
    return [str(fault) for fault in plan.make(settings)[1]]


def test_it_is_a_configuration_without_a_fault():
    assert faults(TEXT) == []


def test_only_what_must_be_given_is_given():
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    assert lines == [
        "[site]",
        "[clock]",
        "[read]",
        "[[bus]]",
        'name = "roof"',
        'driver = "kaco"',
        'port = "/dev/ttyUSB0"',
        "inverters = [1]",
        "[spool]",
        "[paths]",
    ]


def test_it_has_every_key_of_every_table_with_its_meaning():
    schemas: list[Any] = [config.BusKeys, *config.TABLES.values()]
    schemas += [
        schema for name in drivers.DRIVERS for schema in (drivers.load(name).Options, drivers.load(name).Unit)
    ]
    lines = TEXT.splitlines()
    for schema in schemas:
        for key in schema._fields:
            at = [number for number, line in enumerate(lines) if re.match(rf"(# )?{key} = ", line)]
            assert at, key
            assert all(lines[number - 1].startswith("## ") for number in at), key


GIVEN = re.compile(r"# (\[\[bus\]\]|(name|driver|port|inverters|address|serial|url) = )")
"""What a table must have, or its head."""


@pytest.mark.parametrize("number", COMMENTED, ids=lambda number: TEXT.splitlines()[number])
def test_every_commented_key_is_taken_when_its_comment_sign_goes(number):
    """With its table's head and what that table must have, where they are comments as well."""
    lines = TEXT.splitlines()
    heads = [n for n, line in enumerate(lines) if re.match(r"(# )?\[", line)]
    head = max(n for n in heads if n < number)
    end = min((n for n in heads if n > number), default=len(lines))
    long = lines[head] == "# [[bus.inverter]]"
    first = max(n for n in heads if "[[bus]]" in lines[n] and n < number) if long else head
    opened = {number, head, *(n for n in range(first, end) if GIVEN.match(lines[n]))}
    if long:  # the tables instead of the list
        lines = ["" if first < n < end and "inverters = " in line else line for n, line in enumerate(lines)]
    text = (line.removeprefix("# ") if n in opened else line for n, line in enumerate(lines))
    assert faults("\n".join(text)) == []


def test_all_of_it_can_be_taken_at_once():
    """Every bus with its list, and everything else that is a comment."""
    lines = TEXT.splitlines()
    tables = {n for n, line in enumerate(lines) if line == "# [[bus.inverter]]"}
    inside = False
    text = []
    for n, line in enumerate(lines):
        inside = n in tables or (inside and not re.match(r"(# )?\[|## One line|## Checked", line))
        text.append("" if inside else line.removeprefix("# "))
    assert faults("\n".join(text)) == []
