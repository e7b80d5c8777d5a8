"""JSON and the table: what a script and a person see."""

import json

from pv_exec.formats import json_, table
from pv_exec.model import Line, Stamp

TAGS = {"bus": "roof", "driver": "kaco", "inverter": "1", "host": "pi"}
VALUES = Line(
    "pv_inverter",
    TAGS,
    {"ac_power_w": 635.0, "energy_today_wh": 33801.0, "energy_total_wh": 112706000.0, "temperature_c": 34.0, "status": "feeding in", "model": "6400xi", "dc1_voltage_v": 406.8, "dc1_current_a": 1.65, "ac_l1_voltage_v": 228.7, "seq": 7},
    Stamp(1700000000, True),
)  # fmt: skip
HEALTH = Line(
    "pv_read",
    TAGS,
    {"ok": True, "state": "ok", "state_code": 0, "dropped": "a: why"},
    Stamp(1700000000, True),
)
DARK = Line(
    "pv_read",
    {**TAGS, "inverter": "2"},
    {"ok": False, "state": "silent", "error": "no answer"},
    Stamp(1700000000, True),
)
EVENT = Line("pv_event", TAGS, {"kind": "new_base", "text": "goes on from 5"}, Stamp(1700000000, True))


def test_json_is_one_object_a_line_with_everything_in_it():
    first, second = (json.loads(text) for text in json_.render([VALUES, HEALTH]).splitlines())
    assert first == {
        "measurement": "pv_inverter",
        "tags": TAGS,
        "fields": dict(VALUES.fields),
        "time": 1700000000,
        "clock_trusted": True,
    }
    assert second["fields"]["ok"] is True


def test_json_leaves_out_what_it_cannot_say():
    line = VALUES._replace(
        fields={"ac_power_w": float("nan"), "dc_power_w": float("-inf"), "temperature_c": 1.5}
    )
    assert json.loads(json_.render([line]))["fields"] == {"temperature_c": 1.5}


def test_a_table_has_a_row_for_each_inverter_and_says_what_was_wrong():
    text = table.render([VALUES, HEALTH, DARK, EVENT])
    heading, first, second, *rest = text.splitlines()
    assert heading.split()[:3] == ["bus", "inverter", "state"]
    assert first.split() == ["roof", "1", "ok", "635", "33.80", "112706", "34", "feeding", "in", "6400xi"]
    assert second.split() == ["roof", "2", "silent", *"–" * 6]
    assert "roof/1: DC1 406.8 V 1.65 A · L1 228.7 V" in rest
    assert "roof/1: dropped: a: why" in rest
    assert "roof/2: error: no answer" in rest
    assert "roof/1: new_base: goes on from 5" in rest


def test_a_table_of_an_untrusted_clock_says_so():
    lines = [
        line._replace(measurement=f"{line.measurement}_unsynced", stamp=Stamp(5, False))
        for line in (VALUES, HEALTH)
    ]
    text = table.render(lines)
    assert "635" in text
    assert text.rstrip().endswith("by a clock that is not trusted")
