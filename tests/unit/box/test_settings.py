import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import pytest
from hypothesis import given, strategies as st

from pv_exec.box.settings import (
    SECRET,
    Duration,
    Fault,
    Range,
    Size,
    Text,
    effective,
    locate,
    sample,
    seconds,
    size,
    take,
)


class Unit(NamedTuple):
    address: Annotated[int, Text("Address on the bus.", example=1), Range(1, 32)]
    name: str | None = None


class Clock(NamedTuple):
    trust: Annotated[Literal["auto", "always", "never"], Text("When to believe the wall clock.")] = "auto"
    hold: Duration = 900.0


class Remote(NamedTuple):
    url: Annotated[str, Text("Where it listens.", example="http://127.0.0.1:8086")]


class Site(NamedTuple):
    name: Annotated[str, Text("Tag site=.\nOn every line.")] = "pv"
    latitude: Annotated[float | None, Text("Degrees north.", example=47.27), Range(-90, 90)] = None
    deadline: Annotated[Literal["auto"] | Duration, Text("How long a run may take."), Range(0.5, None)] = (
        "auto"
    )
    keep: Duration = 2592000.0
    max_size: Annotated[Size, Range(1_000_000, None)] = 500_000_000
    bridged: bool = False
    tags: Annotated[Mapping[str, str], Text("On every line.", example={"region": "europe"})] = {}
    targets: tuple[str, ...] = ("192.0.2.1:443",)
    gaps: tuple[Duration, ...] = (0.25, 1.0)
    password: Annotated[str | None, SECRET] = None
    for_: Duration = 1800.0
    clock: Clock = Clock()
    remote: Annotated[Remote | None, Text("The server.")] = None
    inverter: Annotated[tuple[Unit, ...], Text("One each.")] = ()


def site(text: str):
    return take(Site, tomllib.loads(text), ("site",))


def said(text: str) -> list[str]:
    return [str(fault) for fault in site(text).faults]


def test_an_empty_table_gives_the_defaults():
    assert site("") == (Site(), ())


def test_every_type_is_taken():
    taken = site(
        """
        name = "Dachfläche Süd"
        latitude = 47
        deadline = "1h30m"
        max_size = "1.5GB"
        bridged = true
        tags = { region = "europe" }
        targets = []
        gaps = ["250ms", "2 s"]
        for = "0s"
        clock.trust = "never"
        remote = { url = "x" }
        inverter = [{ address = 1 }, { address = 32, name = "east" }]
        """
    )
    assert taken.faults == ()
    assert taken.value == Site(
        name="Dachfläche Süd",
        latitude=47.0,
        deadline=5400.0,
        max_size=1_500_000_000,
        bridged=True,
        tags={"region": "europe"},
        targets=(),
        gaps=(0.25, 2.0),
        for_=0.0,
        clock=Clock(trust="never"),
        remote=Remote("x"),
        inverter=(Unit(1), Unit(32, "east")),
    )
    assert type(taken.value.latitude) is float


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "keep = 5",
            'keep: found 5 (an integer), allowed a duration in quotes such as "4s" (for seconds write "5s")',
        ),
        (
            'keep = "4"',
            'keep: found "4" (a string), allowed a duration in quotes such as "4s" (it needs a unit, as in "4s")',
        ),
        (
            "max_size = 5",
            'max_size: found 5 (an integer), allowed a size in quotes such as "500MB", at least 1MB (for bytes write "5B")',
        ),
        (
            "deadline = 4",
            'deadline: found 4 (an integer), allowed "auto" or a duration in quotes such as "4s", at least 500ms (for seconds write "4s")',
        ),
        (
            'deadline = "100ms"',
            'deadline: found "100ms" (a string), allowed "auto" or a duration in quotes such as "4s", at least 500ms',
        ),
        ("bridged = 1", "bridged: found 1 (an integer), allowed true or false"),
        (
            'bridged = "true"',
            'bridged: found "true" (a string), allowed true or false (write it without quotes)',
        ),
        ("latitude = true", "latitude: found true, allowed a number from -90 to 90"),
        ("latitude = nan", "latitude: found nan (a float), allowed a number from -90 to 90"),
        (
            'latitude = "47.2"',
            'latitude: found "47.2" (a string), allowed a number from -90 to 90 (write it without quotes)',
        ),
        ("name = 5", 'name: found 5 (an integer), allowed a string in quotes (write "5")'),
        ("name = 2026-11-24", "name: found 2026-11-24 (a date or time), allowed a string in quotes"),
        (
            'clock.trust = "allways"',
            'trust: found "allways" (a string), allowed "auto", "always" or "never" (did you mean always?)',
        ),
        ("clock = 1", "clock: found 1 (an integer), allowed a table"),
        (
            "targets = ['a', 2]",
            'targets, item 2: found 2 (an integer), allowed a string in quotes (write "2")',
        ),
        ('targets = "a"', 'targets: found "a" (a string), allowed an array, each item a string in quotes'),
        ("tags = { region = 1 }", 'region: found 1 (an integer), allowed a string in quotes (write "1")'),
        ("inverter = [{ address = 33 }]", "address: found 33 (an integer), allowed an integer from 1 to 32"),
        ("inverter = [{ address = true }]", "address: found true, allowed an integer from 1 to 32"),
        ("inverter = [{}]", "address: missing, allowed an integer from 1 to 32"),
        ("remote = {}", 'url: missing, allowed a string in quotes such as "http://127.0.0.1:8086"'),
        ("brigded = true", "brigded: unknown key (did you mean bridged?)"),
        ("password = 4711", "password: found an integer, allowed a string in quotes (put it in quotes)"),
    ],
)
def test_a_fault_says_what_was_found_and_what_is_allowed(text, fault):
    assert said(text) == [fault]


def test_all_faults_are_collected_with_their_paths():
    taken = site('keep = 1\nfoo = 2\ninverter = [{ address = 1 }, { address = 0, nam = "x" }]')
    assert taken.value is None
    assert {(fault.path, fault.kind) for fault in taken.faults} == {
        (("site", "keep"), "value"),
        (("site", "foo"), "unknown"),
        (("site", "inverter", 1, "address"), "value"),
        (("site", "inverter", 1, "nam"), "unknown"),
    }


def test_an_unknown_key_alone_does_not_stop_a_program():
    taken = site("foo = 2\nclock.foo = 1\nremote = { url = 'x', foo = 1 }")
    assert taken.value == Site(remote=Remote("x"))
    assert [fault.kind for fault in taken.faults] == ["unknown"] * 3


def test_keys_that_someone_else_takes_are_offered_but_not_taken():
    taken = take(Clock, {"baudrat": 1}, also=("baudrate",))
    assert taken.faults[0].hint == "did you mean baudrate?"
    assert take(Clock, {"baudrate": 1}, also=("baudrate",)).faults[0].kind == "unknown"


@given(st.dictionaries(st.sampled_from([*Site._fields, "for", "x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)))  # fmt: skip
def test_whatever_stands_there_it_is_taken_or_a_fault_never_an_exception(table):
    taken = take(Site, table)
    assert (taken.value is None) == any(fault.kind != "unknown" for fault in taken.faults)
    assert all(str(fault) for fault in taken.faults)


TEXT = """\
# [site] not here
[site]
name = "a"     # [[bus]]
tags = { region = "x", "weird.key" = "]" }
targets = [
    "a#b",     # "
    'c]',
    \"\"\"d
    e\"\"\"\",
    "f",
]
clock.trust = "x"

[[bus]]
name = "roof"
inverters = [1, 2,
  3]

[[bus]]
name = "barn"
[[bus.inverter]]
address = 1
  [[ bus . "inverter" ]]
  name = 'x\\'
  address = 2
[bus.more]
a.b.c = 1
[bus.more."ü.\\u00e4"]
k = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("site",), 2),
        (("site", "name"), 3),
        (("site", "tags", "region"), 4),
        (("site", "tags", "weird.key"), 4),
        (("site", "targets"), 5),
        (("site", "targets", 0), 6),
        (("site", "targets", 1), 7),
        (("site", "targets", 2), 8),
        (("site", "targets", 3), 10),
        (("site", "clock", "trust"), 12),
        (("bus", 0), 14),
        (("bus", 0, "inverters", 1), 16),
        (("bus", 0, "inverters", 2), 17),
        (("bus", 1, "name"), 20),
        (("bus", 1, "inverter", 0, "address"), 22),
        (("bus", 1, "inverter", 1), 23),
        (("bus", 1, "inverter", 1, "address"), 25),
        (("bus", 1, "more", "a", "b", "c"), 27),
        (("bus", 1, "more", "ü.ä", "k"), 29),
        (("bus", 1, "inverter", 1, "serial"), 23),  # not there: the table it is missing in
        (("bus", 1, "port"), 19),
        (("spool", "path"), None),
        ((), None),
    ],
)
def test_a_key_is_found_at_its_line(path, line):
    tomllib.loads(TEXT)
    assert locate(TEXT, path) == line


def test_every_key_of_a_text_is_found_on_a_line_that_has_it():
    def walk(value, path):
        if path and isinstance(path[-1], str) and path[-1] != "ü.ä":
            line = locate(TEXT, path)
            assert line
            assert path[-1] in TEXT.splitlines()[line - 1]
        for key, each in (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
        ):
            walk(each, (*path, key))

    walk(tomllib.loads(TEXT), ())


def test_lines_that_end_in_carriage_returns_are_lines():
    text = TEXT.replace("\n", "\r\n")
    tomllib.loads(text)
    assert locate(text, ("bus", 1, "more", "ü.ä", "k")) == 29


@given(st.text(alphabet="[]{}\"'=.,#\\ \nab1"))
def test_finding_never_raises(text):
    locate(text, ("a", "b"))


@given(st.integers(0, len(TEXT)))
def test_a_cut_text_still_tells_what_stands_before_the_cut(cut):
    assert locate(TEXT[:cut], ("site", "name")) in ((3, 2, None) if cut < 60 else (3,))


def test_the_sample_as_it_stands_gives_the_defaults():
    lines = sample(Site, "site")
    table = tomllib.loads("\n".join(lines))["site"]
    assert take(Site, table) == (Site(), ())
    assert lines[:4] == ["[site]", "## Tag site=.", "## On every line.", '# name = "pv"']
    assert '# keep = "30d"' in lines
    assert '# max_size = "500MB"' in lines
    assert '# gaps = ["250ms", "1s"]' in lines
    assert '# for = "30m"' in lines
    assert "# latitude = 47.27" in lines
    assert "# tags = {}" in lines


def test_the_sample_with_its_comments_opened_is_taken_and_says_the_same():
    opened = [line.removeprefix("# ") for line in sample(Site) if not line.startswith("##")]
    taken = take(Site, tomllib.loads("\n".join(opened)))
    assert taken.faults == ()
    expected = Site(
        latitude=47.27, password="", remote=Remote("http://127.0.0.1:8086"), inverter=(Unit(1, ""),)
    )
    assert taken.value == expected


def test_a_required_key_stands_open_in_the_sample():
    assert sample(Unit, "bus") == ["[bus]", "## Address on the bus.", "address = 1", '# name = ""']


def test_the_values_in_force_read_back_and_hide_secrets():
    value = Site(
        name='a"\\\n',
        password="0000",
        latitude=47.27,
        tags={"a b": "c"},
        remote=Remote("u"),
        inverter=(Unit(1), Unit(2)),
    )
    text = "\n".join(effective(value, "site"))
    assert "0000" not in text
    assert take(Site, tomllib.loads(text)["site"]).value == value._replace(password="…")


@given(st.integers(0, 10**9))
def test_durations_and_sizes_read_back(milliseconds):
    class Both(NamedTuple):
        duration: Duration
        size: Size

    text = "\n".join(effective(Both(milliseconds / 1000, milliseconds)))
    assert take(Both, tomllib.loads(text)).value == pytest.approx((milliseconds / 1000, milliseconds))


def test_a_fault_of_the_file_itself_has_a_name():
    assert str(Fault((), "", "", kind="unknown")).startswith("the file: unknown key")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250ms", 0.25), ("4s", 4.0), ("1h30m", 5400.0), (" 1.5 h ", 5400.0), ("30d", 2592000.0), ("2w", 1209600.0),
     ("10m5s", 605.0), ("", None), ("4", None), ("-4s", None), ("4S", None), ("4 sec", None), ("٤s", None), ("s", None)],
)  # fmt: skip
def test_a_duration_needs_a_unit(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500MB", 500_000_000), ("512MiB", 536_870_912), ("1kB", 1000), ("0B", 0), ("1.5GB", 1_500_000_000), ("1mb", None),
     ("500M", None), ("500", None)],
)  # fmt: skip
def test_a_size_needs_a_unit(text, expected):
    assert size(text) == expected
