"""The configuration in force: it says every value, who chose it, and what it costs; and it is a configuration itself."""

import os
from typing import Any

import pytest

from pv_exec import config
from pv_exec.box.settings import SECRET
from pv_exec.run import plan
from pv_exec.setup import effective

TWO = """\
[site]
name = "pv_strass"
host = "pi"
tags = { region = "europe" }

[read]
interval = "2m"

[[bus]]
name = "roof"
driver = "kaco"
port = "/dev/ttyUSB0"
inverters = [1, 2, 3]

[[bus]]
name = "barn süd"
driver = "kaco"
port = "tcp://bridge:4001"
interval = "5m"
deadline = "12s"
[[bus.inverter]]
name = "east"
address = 7

[paths]
state = "state"
runtime = "/run/elsewhere"
"""

SAID = """\
# /etc/pv-exec/config.toml as it is in force

[site]
name = "pv_strass"
host = "pi"
tags = { region = "europe" }
# No position (latitude and longitude): night cannot be told from failure, so an inverter that does not answer is
# `asleep` at any hour and never an alarm.

[clock]
trust = "auto"                # default
hold = "15m"                  # default

[read]
interval = "2m"
deadline = "auto"             # default

# Bus roof: 3 inverters take 3.6s on the wire, at the least; a run has 7s for it
# (its deadline of 7.4s less 0.4s to commit and print), every 2m.
[[bus]]
name = "roof"
driver = "kaco"
port = "/dev/ttyUSB0"
interval = "2m"               # as in [read]
deadline = "auto"             # comes to 7.4s
totals = "in turn"            # default
gap = "1s"                    # default
[[bus.inverter]]
name = "1"                    # default: its address
address = 1
total_unit = "auto"           # default
sub_inverters = 1             # default
[[bus.inverter]]
name = "2"                    # default: its address
address = 2
total_unit = "auto"           # default
sub_inverters = 1             # default
[[bus.inverter]]
name = "3"                    # default: its address
address = 3
total_unit = "auto"           # default
sub_inverters = 1             # default

# Bus barn süd: 1 inverter takes 1.6s on the wire, at the least; a run has 11.6s for it
# (its deadline of 12s less 0.4s to commit and print), every 5m.
[[bus]]
name = "barn süd"
driver = "kaco"
port = "tcp://bridge:4001"
interval = "5m"
deadline = "12s"
totals = "in turn"            # default
gap = "1s"                    # default
[[bus.inverter]]
name = "east"
address = 7
total_unit = "auto"           # default
sub_inverters = 1             # default

# Checked, not used yet:
[spool]
path = "/var/lib/pv-exec/spool.db" # default
keep = "30d"                  # default
max_size = "500MB"            # default

[paths]
state = "/etc/pv-exec/state"
runtime = "/run/elsewhere"
"""


def settled(text: str) -> config.Config:
    import tomllib

    return config.parse(tomllib.loads(text), "/etc/pv-exec/config.toml", text)


def render(text: str) -> str:
    settings = settled(text)
    made, faults = plan.make(settings)
    assert faults == ()
    return effective.render(settings, made)


def test_every_value_is_said_and_who_chose_it():
    assert render(TWO) == SAID


def test_what_it_says_is_a_configuration_that_reads_the_same():
    first, again = plan.make(settled(TWO)), plan.make(settled(SAID))
    assert again == first


def test_with_a_position_nothing_is_said_about_the_night():
    position = 'host = "pi"\nlatitude = 47.27\nlongitude = 11.39\n'
    assert "asleep" not in render(TWO.replace('host = "pi"\n', position))


def test_a_clock_that_is_never_trusted_is_told_with_what_it_costs():
    said = render('[clock]\ntrust = "never"\n' + TWO)
    assert 'trust = "never"\nhold' in said
    assert "every line goes out marked (pv_inverter_unsynced, pv_read_unsynced, with a tag `boot`)" in said


def test_host_and_directories_are_said_as_they_come_out(monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/somewhere/state")
    said = render(TWO.replace('host = "pi"\n', "").replace('state = "state"\n', ""))
    assert f'host = "{os.uname().nodename}"'.ljust(29) + " # default: the host name\n" in said
    assert 'state = "/somewhere/state"    # default\n' in said


def test_a_server_is_said_without_what_nobody_gave():
    said = render(
        TWO + '[influxdb]\nurl = "http://a:8086"\ndatabase = "pv-nodes"\npassword_file = "secret"\n'
    )
    assert '[influxdb]\nurl = "http://a:8086"\ndatabase = "pv-nodes"\npassword_file = "secret"\n' in said
    assert "token" not in said


def test_no_setting_holds_a_secret_that_is_not_marked():
    """A password in the file itself must carry SECRET, which `effective` shows as "…"."""
    from pv_exec import drivers

    schemas: list[Any] = [config.BusKeys, *config.TABLES.values()]
    schemas += [
        schema for name in drivers.DRIVERS for schema in (drivers.load(name).Options, drivers.load(name).Unit)
    ]
    for schema in schemas:
        for key, annotation in schema.__annotations__.items():
            if key in {"password", "token", "secret", "pin"}:
                assert SECRET in annotation.__metadata__, (schema, key)


@pytest.mark.parametrize("text", ["[watchdog]\nlevel = 'repair'\n"])
def test_the_watchdogs_table_is_said_to_be_unchecked(text):
    assert "# [watchdog] is neither checked nor used yet.\n" in render(TWO + text)
