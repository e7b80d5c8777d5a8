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


@pytest.mark.parametrize("number", COMMENTED, ids=lambda number: TEXT.splitlines()[number])
def test_every_commented_key_is_taken_when_its_comment_sign_goes(number):
    lines = TEXT.splitlines()
    headers = [n for n in range(number) if re.match(r"(# )?\[", lines[n])]
    for n in (headers[-1], number):
        lines[n] = lines[n].removeprefix("# ")
    if lines[headers[-1]] == "[[bus.inverter]]":  # instead of the list, and with its address
        lines = [
            line.removeprefix("# ") if "# address" in line else line
            for line in lines
            if "inverters" not in line
        ]
    if lines[headers[-1]] == "[influxdb]":
        lines = [line.removeprefix("# ") if "# url" in line else line for line in lines]
    assert faults("\n".join(lines)) == []
