"""Every fault of a configuration with its whole text: what a person reads is the feature."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_exec import config
from pv_exec.box import paths, toml
from pv_exec.setup import check, effective

ROOF = '[[bus]]\nname = "roof"\ndriver = "kaco"\nport = "{tty}"\n'
BARN = '[[bus]]\nname = "barn"\ndriver = "kaco"\nport = "{other}"\n'
ONE = "inverters = [1]\n"
GOOD = ROOF + ONE
OWN = "a device of its own for every bus (list all inverters of one line under one [[bus]])"
PLUG = "plug the adapter in, or list the ports with: ls -l /dev/serial/by-path"
CLEAN = "text without control characters, backslashes, or blanks at its ends"
TAKEN = "allowed a name other than boot, bus, driver, host, inverter, site, which every line has"
KEPT = "allowed a name that InfluxDB does not keep for itself (time, and any with _ in front)"


@pytest.fixture
def ttys() -> Iterator[dict[str, str]]:
    """Two serial ports that are there."""
    pairs = [os.openpty(), os.openpty()]
    yield {"tty": os.ttyname(pairs[0][1]), "other": os.ttyname(pairs[1][1])}
    for pair in pairs:
        for fd in pair:
            os.close(fd)


@pytest.fixture
def told(ttys, tmp_path, monkeypatch):
    """told(text) -> what check says of it: faults and then notes, the test's own directory as `D`, its ports as `TTY` and `OTHER`."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))

    def tell(text: str) -> list[str]:
        for name, port in {**ttys, "directory": str(tmp_path)}.items():
            text = text.replace(f"{{{name}}}", port)
        place = tmp_path / "config.toml"
        place.write_text(text)
        settings = config.load(str(place))
        examined = check.examine(settings)
        said = located(examined, settings)
        for name, port in (("TTY", ttys["tty"]), ("OTHER", ttys["other"]), ("D", str(tmp_path))):
            said = [re.sub(rf"{re.escape(port)}(?!\d)", name, one) for one in said]
        return [re.sub(r"^D/config\.toml:(?=\d)", "", one) for one in said]

    return tell


def located(examined: check.Examined, settings: config.Config) -> list[str]:
    faults = [check.located(one, settings) for one in examined.faults]
    return faults + [check.located(one, settings) for one in examined.notes]


FAULTS = {
    "a table nobody knows": (
        '[sitte]\nname = "x"\n' + GOOD,
        [
            '1: sitte: unknown key, allowed one of site, clock, read, spool, influxdb, paths, bus, watchdog (did you mean "site"?)'
        ],
    ),
    "a key nobody knows": ('[site]\nnmae = "x"\n' + GOOD, ["2: nmae: unknown key (did you mean name?)"]),
    "keys of a bus nobody knows": (
        GOOD + 'gapp = "1s"\nbaudrate = 9600\n',
        [
            "6: gapp: unknown key (did you mean gap?)",
            "7: baudrate: unknown key (known: deadline, driver, gap, interval, inverter, inverters, name, port, reply_timeout, totals)",
        ],
    ),
    "wrong types, all of them": (
        '[site]\nname = 5\nlatitude = "47"\nlongitude = 200\n[read]\ninterval = 60\ndeadline = "soon"\n'
        '[clock]\ntrust = "allways"\n[spool]\nkeep = "30"\nmax_size = "big"\n' + GOOD,
        [
            '2: name: found 5 (an integer), allowed a string in quotes such as "pv_strass" (write "5")',
            '3: latitude: found "47" (a string), allowed a number from -90 to 90 (write it without quotes)',
            "4: longitude: found 200 (an integer), allowed a number from -180 to 180",
            '6: interval: found 60 (an integer), allowed a duration in quotes such as "4s" from 1s to 1d (for seconds write "60s")',
            '7: deadline: found "soon" (a string), allowed a duration in quotes such as "4s" from 500ms to 1h or "auto"',
            '9: trust: found "allways" (a string), allowed "auto", "always" or "never" (did you mean always?)',
            '11: keep: found "30" (a string), allowed a duration in quotes such as "4s" (it needs a unit, as in "30s")',
            '12: max_size: found "big" (a string), allowed a size in quotes such as "500MB"',
        ],
    ),
    "a value where a table belongs": ("site = 5\n" + GOOD, ["1: site: found 5, allowed a table: [site]"]),
    "no bus": (
        "[site]\n",
        ["D/config.toml: bus: missing, allowed at least one [[bus]] table (pv-setup sample prints one)"],
    ),
    "a bus that says nothing": (
        '[[bus]]\nname = "a"\n',
        [
            '1: driver: missing, allowed a string in quotes such as "kaco"',
            '1: port: missing, allowed a string in quotes such as "/dev/ttyUSB0"',
        ],
    ),
    "a driver that is none": (
        GOOD.replace("kaco", "kako"),
        ['3: driver: found "kako", allowed one of kaco, sma_rs485 (did you mean "kaco"?)'],
    ),
    "half a position": (
        "[site]\nlatitude = 47.27\n" + GOOD,
        [
            "1: longitude: missing, allowed a number of degrees, as latitude is given (one alone is no position)"
        ],
    ),
    "the other half": (
        "[site]\nlongitude = 11.39\n" + GOOD,
        [
            "1: latitude: missing, allowed a number of degrees, as longitude is given (one alone is no position)"
        ],
    ),
    "tags": (
        '[site]\nname = " x"\nhost = "a\\\\b"\n[site.tags]\nbus = "1"\nsite = "2"\nhost = "3"\nboot = "4"\ntime = "5"\n'
        '_field = "6"\n"a b" = "7"\nstatus = "8"\ndc2_power_w = "9"\nseq = "10"\nempty = ""\nline = "a\\nb"\nfine_1 = "ü, ="\n'
        "number = 5\n" + GOOD,
        [
            f'2: name: found " x", allowed {CLEAN}',
            f'3: host: found "a\\\\b", allowed {CLEAN}',
            f'5: bus: found a tag named "bus", {TAKEN}',
            f'6: site: found a tag named "site", {TAKEN} (set name in [site])',
            f'7: host: found a tag named "host", {TAKEN} (set host in [site])',
            f'8: boot: found a tag named "boot", {TAKEN}',
            f'9: time: found a tag named "time", {KEPT}',
            f'10: _field: found a tag named "_field", {KEPT}',
            '11: a b: found a tag named "a b", allowed a name of letters, digits and _, a letter first',
            '12: status: found a tag named "status", allowed a name that no field has (a query could not tell them apart)',
            '13: dc2_power_w: found a tag named "dc2_power_w", allowed a name that no field has (a query could not tell them apart)',
            '14: seq: found a tag named "seq", allowed a name that no field has (a query could not tell them apart)',
            '15: empty: found "", allowed some text, as an empty tag is none (leave the tag out)',
            f'16: line: found "a\\u000ab", allowed {CLEAN}',
            '18: number: found 5 (an integer), allowed a string in quotes (write "5")',
        ],
    ),
    "a server without a scheme, and nothing to look in": (
        '[influxdb]\nurl = "localhost:8086"\n' + GOOD,
        [
            "1: database: found neither database nor bucket, allowed database for InfluxDB 1.x, or bucket for 2.x and 3.x",
            '2: url: found "localhost:8086", allowed http://host:port or https://host:port',
        ],
    ),
    "two servers in one": (
        '[influxdb]\nurl = "http://a:8086"\ndatabase = "a"\nbucket = "b"\n' + GOOD,
        [
            "3: database: found both database and bucket, allowed database for InfluxDB 1.x, or bucket for 2.x and 3.x"
        ],
    ),
    "two buses of one name": (
        GOOD + BARN.replace("barn", "roof") + ONE,
        ['7: name: found "roof", allowed a name that no other bus has'],
    ),
    "two buses on one port": (
        GOOD + BARN.replace("{other}", "{tty}") + ONE,
        [f'9: port: found "TTY", allowed {OWN}'],
    ),
    "two buses on one bridge": (
        GOOD.replace("{tty}", "tcp://bridge:4001") + BARN.replace("{other}", "tcp://Bridge:4001") + ONE,
        [
            f'9: port: found "tcp://Bridge:4001", the device that bus roof has as tcp://bridge:4001, allowed {OWN}'
        ],
    ),
    "addresses": (
        ROOF + 'inverters = [0, 33, 1, 1, "2"]\n',
        [
            "5: inverters, item 1: found 0 (an integer), allowed an integer from 1 to 32",
            "5: inverters, item 2: found 33 (an integer), allowed an integer from 1 to 32",
            "5: inverters, item 4: found 1, allowed every address once on a bus",
            '5: inverters, item 5: found "2" (a string), allowed an integer from 1 to 32 (write it without quotes)',
        ],
    ),
    "inverters in both forms": (
        GOOD + "[[bus.inverter]]\naddress = 2\n",
        [
            "5: inverters: found both forms of the list, allowed either inverters = […] or [[bus.inverter]] tables (keep the tables, they say more)"
        ],
    ),
    "an empty list": (
        ROOF + "inverters = []\n",
        ["5: inverters: found an empty list, allowed at least one inverter (such as [1], by its address)"],
    ),
    "no inverter listed": (
        ROOF,
        ["1: inverters: missing, allowed the inverters, as inverters = [1, 2] or [[bus.inverter]] tables"],
    ),
    "inverters in the long form": (
        ROOF
        + '[[bus.inverter]]\naddress = 1\nname = ""\n[[bus.inverter]]\naddress = 1\n[[bus.inverter]]\nadress = 2\n'
        '[[bus.inverter]]\naddress = 3\nname = "x"\n[[bus.inverter]]\naddress = 4\nname = "x"\n'
        '[[bus.inverter]]\naddress = 5\ntotal_unit = "kwh"\n',
        [
            '7: name: found "", allowed a name without control characters, backslashes, or blanks at its ends',
            "9: address: found 1, allowed every address once on a bus",
            "10: address: missing, allowed an integer from 1 to 32",
            "11: adress: unknown key (did you mean address?)",
            '17: name: found "x", allowed a name that no other inverter of this bus has',
            '20: total_unit: found "kwh" (a string), allowed "auto", "Wh", "0.1 kWh" or "kWh" (did you mean kWh?)',
        ],
    ),
    "names that look the same": (
        ROOF
        + '[[bus.inverter]]\naddress = 1\nname = "süd"\n[[bus.inverter]]\naddress = 2\nname = "su\u0308d"\n',
        [
            '10: name: found "su\u0308d", allowed a name that cannot be taken for another (its letters are those of an earlier name, encoded in another way)'
        ],
    ),
    # 3 inverters and one total: 4 questions, 3 gaps of 1 s, and 0.59 s for the last answer; 0.4 s are kept for printing.
    "a deadline too short for the wire": (
        '[read]\ndeadline = "2s"\n' + ROOF + "inverters = [1, 2, 3]\n",
        [
            '2: deadline: found "2s", allowed at least "4s" for bus roof (3 inverters take 3.6s on the wire, 0.4s to commit and print)'
        ],
    ),
    "a bus's own deadline too short for the wire": (
        '[read]\ndeadline = "20s"\n' + ROOF + 'inverters = [1]\ndeadline = "1900ms"\n',
        [
            '8: deadline: found "1900ms", allowed at least "2s" for bus roof (1 inverter takes 1.6s on the wire, 0.4s to commit and print)'
        ],
    ),
    "a deadline longer than the interval": (
        ROOF + 'inverters = [1]\ninterval = "5s"\ndeadline = "20s"\n',
        ['7: deadline: found "20s", allowed at most "5s", the interval of bus roof'],
    ),
    "an interval too short for the wire": (
        '[read]\ninterval = "5s"\n' + ROOF + "inverters = [1, 2, 3]\n",
        [
            '2: interval: found "5s", allowed at least "8s" for bus roof, the deadline it gets (3 inverters take 3.6s on the wire, 0.4s to commit and print)'
        ],
    ),
    "no port": (
        GOOD.replace("{tty}", ""),
        ['4: port: found "", allowed the full path of a device (such as /dev/ttyUSB0)'],
    ),
    "a port without its directory": (
        GOOD.replace("{tty}", "null"),
        ['4: port: found "null", allowed the full path of a device (did you mean "/dev/null"?)'],
    ),
    "a port of another family": (
        GOOD.replace("{tty}", "rfcomm://00:80:25:15:B6:06"),
        [
            '4: port: found "rfcomm://00:80:25:15:B6:06", allowed a device such as /dev/ttyUSB0 or tcp://host:port'
        ],
    ),
    "a bridge without its port": (
        GOOD.replace("{tty}", "tcp://bridge"),
        ['4: port: found "tcp://bridge", allowed tcp://host:port, with a port from 1 to 65535'],
    ),
    "today: no such port": (
        GOOD.replace("{tty}", "{directory}/none"),
        [f"4: port: port_missing: D/none is not there; {PLUG}"],
    ),
    "today: a directory": (
        GOOD.replace("{tty}", "{directory}"),
        ["4: port: port_missing: D is no serial port but a directory; name a device such as /dev/ttyUSB0"],
    ),
    "today: a file": (
        GOOD.replace("{tty}", "{directory}/config.toml"),
        [
            "4: port: port_missing: D/config.toml is no serial port but a file; name a device such as /dev/ttyUSB0"
        ],
    ),
    "today: a glob that fits nothing": (
        GOOD.replace("{tty}", "{directory}/ttyUSB*"),
        [f"4: port: port_missing: D/ttyUSB* fits no device; {PLUG}"],
    ),
    "names that no kernel takes": (
        '[paths]\nstate = "/a\\u0000"\n' + GOOD.replace("{tty}", "/dev/tty\\u0000*"),
        [
            '2: state: found "/a\\u0000", allowed a path without control characters',
            '6: port: found "/dev/tty\\u0000*", allowed a name without control characters',
        ],
    ),
    "none": (GOOD, []),
    "none on two buses": (
        '[site]\nlatitude = 47\nlongitude = 11\ntags = { a = "b" }\n' + GOOD + BARN + ONE,
        [],
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_every_fault_says_where_what_was_found_and_what_is_allowed(told, case):
    text, expected = FAULTS[case]
    assert told(text) == expected


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.text(max_size=8),
        st.integers(),
        st.booleans(),
        st.floats(),
        st.sampled_from(["1s", "*", "/dev/*", "tcp://"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
SCHEMAS: dict[str, Any] = dict(config.TABLES)
PLACES = [
    *((table, key) for table, schema in SCHEMAS.items() for key in schema._fields),
    *(("bus", key) for key in (*config.BusKeys._fields, *config.LISTS, "totals", "gap")),
    *((key, "") for key in (*config.TABLES, "bus", "watchdog")),
]


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=3))
def test_whatever_stands_in_a_file_is_examined_and_told(junk):
    tables: dict[str, Any] = {
        "bus": [{"name": "roof", "driver": "kaco", "port": "/dev/null", "inverters": [1]}]
    }
    for (table, key), value in junk:
        if not key:
            tables[table] = value
        elif (
            table == "bus"
            and isinstance(tables["bus"], list)
            and tables["bus"]
            and isinstance(tables["bus"][0], dict)
        ):
            tables["bus"][0][key] = value
        elif table != "bus" and isinstance(tables.setdefault(table, {}), dict):
            tables[table][key] = value
    text = "".join(f"{toml.bare(name)} = {toml.written(value)}\n" for name, value in tables.items())
    settings = config.parse(tomllib.loads(text), "config.toml", text)
    examined = check.examine(settings)
    for one in located(examined, settings):
        assert one.startswith("config.toml:")
        assert one.isprintable()
    if not examined.faults:
        tomllib.loads(effective.render(settings, examined.plan))


def links(tmp_path: Path, ttys: dict[str, str]) -> None:
    for name, port in (("ttyUSB0", "tty"), ("ttyUSB1", "other"), ("by-id", "tty")):
        (tmp_path / name).symlink_to(ttys[port])


def test_two_names_of_one_device_are_one_device(told, ttys, tmp_path):
    links(tmp_path, ttys)
    text = (
        ROOF.replace("{tty}", "{directory}/ttyUSB0")
        + ONE
        + BARN.replace("{other}", "{directory}/by-id")
        + ONE
    )
    assert told(text) == [
        f'9: port: found "D/by-id", the device that bus roof has as D/ttyUSB0, allowed {OWN}'
    ]


def test_two_globs_that_fit_one_device_are_one_device(told, ttys, tmp_path):
    links(tmp_path, ttys)
    text = (
        ROOF.replace("{tty}", "{directory}/by-i?") + ONE + BARN.replace("{other}", "{directory}/by-*") + ONE
    )
    assert told(text) == [f'9: port: found "D/by-*", the device that bus roof has as D/by-i?, allowed {OWN}']


def test_a_glob_that_fits_several_is_told_with_the_list_until_one_of_them_has_answered(told, ttys, tmp_path):
    links(tmp_path, ttys)
    text = ROOF.replace("{tty}", "{directory}/ttyUSB*") + ONE
    allowed = "a device, or a glob that fits one (name one of them, best by its /dev/serial/by-path name)"
    found = '"D/ttyUSB*", which fits 2 devices: D/ttyUSB0, D/ttyUSB1'
    assert told(text) == [f"4: port: found {found}, allowed {allowed}"]
    state = str(tmp_path / "state")
    paths.ensure(state)
    paths.write_kept(state, "roof", "port", ttys["other"].encode(), durable=False)
    assert told(text) == []


def test_a_glob_never_means_the_port_of_another_bus(told, ttys, tmp_path):
    links(tmp_path, ttys)
    text = ROOF + ONE + BARN.replace("{other}", "{directory}/ttyUSB*") + ONE
    assert told(text) == []


def test_a_port_that_may_not_be_opened_is_told_with_the_words_of_pv_read(told, monkeypatch):
    monkeypatch.setattr(
        os, "access", lambda *_, **__: False
    )  # a test may run as root, who may open everything
    (said,) = told(GOOD)
    assert said.startswith(
        f"4: port: port_denied: TTY may not be opened by uid {os.geteuid()}; add the user to the device's group: sudo usermod -aG "
    )
