"""Line protocol: an independent parser takes every line, and so do the stricter rules of Telegraf's own."""

import math
import re

import pytest
from hypothesis import given, strategies as st

from pv_exec.formats.line import clean, encode, encode_all
from pv_exec.model import Line, Stamp

line_protocol_parser = pytest.importorskip("line_protocol_parser", reason="no wheel for this machine")

STAMP = Stamp(1700000000, True)

# Telegraf's grammar (facts: its parser restated as a regular expression): escapes only where they mean something, no
# integer with a leading zero, no lone backslash, LF alone.
KEY = r"(?:[^\\ ,=\x00-\x1f\x7f]|\\[ ,=])+"
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
VALUE = rf'(?:-?(?:0|[1-9][0-9]*)i|{NUMBER}|true|false|"(?:[^"\\\n]|\\["\\])*")'
TELEGRAF = re.compile(rf"{KEY}(?:,{KEY}={KEY})* {KEY}={VALUE}(?:,{KEY}={VALUE})* (?:0|-?[1-9][0-9]*)\n")


def line(fields, tags=None, stamp=STAMP):
    return Line("pv_inverter", tags or {}, fields, stamp)


def read(text):
    assert text.endswith("\n")
    assert TELEGRAF.fullmatch(text), text
    assert "\r" not in text
    return line_protocol_parser.parse_line(text)


def test_every_type_as_telegraf_wants_it():
    text = encode(
        line(
            {"f": 406.8, "whole": 635.0, "i": 4, "t": True, "no": False, "s": 'a "b" \\ c'},
            {"b": "2", "a": "1"},
        )
    )
    assert (
        text
        == 'pv_inverter,a=1,b=2 f=406.8,whole=635,i=4i,t=true,no=false,s="a \\"b\\" \\\\ c" 1700000000000000000\n'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 2**63, -(2**63)])
def test_what_no_number_can_be_is_left_out(value):
    assert encode(line({"f": value})) == ""
    assert encode(line({"f": value, "g": 1.0})) == "pv_inverter g=1 1700000000000000000\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (-0.0, "0"),
        (5e-324, "0"),
        (123456.789, "123456.789"),
        (93322000.0, "93322000"),
    ],
)
def test_a_float_is_its_shortest_decimal(value, text):
    assert encode(line({"f": value})) == f"pv_inverter f={text} 1700000000000000000\n"


@pytest.mark.parametrize("seconds", [0, 1, 59, -5, 1700000000])
def test_a_stamp_has_no_leading_zero(seconds):
    assert read(encode(line({"f": 1.0}, stamp=Stamp(seconds, False))))["time"] == seconds * 10**9


def test_a_tag_or_field_called_time_cannot_be_written():
    assert (
        encode(line({"time": 1.0, "f": 1.0}, {"time": "noon", "a": "b"}))
        == "pv_inverter,a=b f=1 1700000000000000000\n"
    )


def test_an_empty_tag_is_none():
    assert encode(line({"f": 1.0}, {"a": "", "b": " ", "": "c"})) == "pv_inverter f=1 1700000000000000000\n"


def test_names_that_become_one_are_written_once():
    text = encode(line({"f": 1.0}, {"a\n": "x", "a\t": "y", "a_": "z"}))
    assert text.count("a_=") == 1


def test_no_field_is_no_line():
    assert encode(line({})) == ""
    assert encode_all([line({}), line({"f": 1.0}), line({})]) == "pv_inverter f=1 1700000000000000000\n"


anything = st.text(max_size=12)
hostile = st.text(st.sampled_from(list('\\",= \n\r\t\0#aä€\U0001f31e\u2028\xa0\ud800')), max_size=10)
words = anything | hostile
values = st.floats() | st.integers() | st.integers(-(2**65), 2**65) | words | st.booleans()


@given(
    st.dictionaries(words, values, max_size=6),
    st.dictionaries(words, words, max_size=4),
    st.integers(-(10**9), 9 * 10**9),
)
def test_every_line_is_taken_and_means_what_was_said(fields, tags, seconds):
    text = encode(line(fields, tags, Stamp(seconds, True)))
    if not text:
        assert all(
            clean(key) in ("", "time")
            or (isinstance(value, float) and not math.isfinite(value))
            or (isinstance(value, int) and abs(value) >= 2**63)
            for key, value in fields.items()
        )
        return
    text.encode()  # UTF-8 can say it
    found = read(text)
    assert found["measurement"] == "pv_inverter"
    assert found["time"] == seconds * 10**9
    kept = {clean(key): value for key, value in fields.items()}
    for key, value in found["fields"].items():
        said = kept[key]
        assert type(value) is type(said)
        if isinstance(said, str):
            assert value == "".join(char if char.isprintable() else " " for char in said)
        elif isinstance(said, float):
            assert value == pytest.approx(said, rel=1e-15, abs=1e-307)
        else:
            assert value == said
    for key, value in found["tags"].items():
        assert key != "time"
        assert value == {clean(a): clean(b) for a, b in tags.items()}[key]


@given(st.lists(st.dictionaries(words, values, max_size=3).map(line), max_size=4))
def test_a_block_has_one_line_for_each_and_no_empty_one(lines):
    text = encode_all(lines)
    assert text == "" or all(TELEGRAF.fullmatch(one + "\n") for one in text.removesuffix("\n").split("\n"))
