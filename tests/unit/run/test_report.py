"""From outcomes to lines: stamps, marks of an untrusted clock, one health line for each inverter whatever happened."""

import math

import pytest
from hypothesis import given, strategies as st

from pv_exec.formats import json_, line, table
from pv_exec.model import STATES, Event, Inverter, Outcome, Stamp
from pv_exec.quantities import HEALTH, MEASUREMENTS, find
from pv_exec.run.parent import Reading
from pv_exec.run.plan import BusPlan, Plan, Site
from pv_exec.run.report import Now, lines, settle

SITE = Site({"site": "pv_strass", "host": "pi", "region": "europe"})
NOW = Now(wall=1700000010.9, boottime=510.4, boot_id="0123456789abcdef", elevation=30.0)


def plan(*names, bus="roof"):
    inverters = tuple(Inverter(name, None) for name in names)
    return Plan(SITE, (BusPlan(bus, "kaco", "/dev/x", inverters, None, 60.0, 4.0),))


def reading(*outcomes, trusted=True, events=(), last_ok=None, seq=4711):
    return Reading(
        {"roof": {one.inverter: one for one in outcomes}},
        events,
        seq,
        trusted,
        {"roof": last_ok or {}},
        (),
        (),
    )


def written(*outcomes, now=NOW, **more):
    return lines(plan(*(one.inverter for one in outcomes)), reading(*outcomes, **more), now, "none")


def test_an_inverter_that_is_ok_has_its_values_and_its_health():
    values, health = written(
        Outcome(
            "1", "ok", {"ac_power_w": 635.0, "dc1_voltage_v": 406.8}, attempts=1, duration=0.41234, at=500.0
        )
    )
    tags = {
        "bus": "roof",
        "driver": "kaco",
        "host": "pi",
        "inverter": "1",
        "region": "europe",
        "site": "pv_strass",
    }
    assert values.measurement == "pv_inverter"
    assert values.tags == tags
    assert values.fields == {"ac_power_w": 635.0, "dc1_voltage_v": 406.8, "seq": 4711}
    assert health.measurement == "pv_read"
    assert health.tags == tags
    assert health.fields == {
        "ok": True, "state": "ok", "state_code": 0, "duration_s": 0.412, "attempts": 1, "last_ok_age_s": 0.0,
        "spool": "none", "clock_trusted": True, "seq": 4711,
    }  # fmt: skip
    # 10.4 s before 1700000010.9
    assert values.stamp == health.stamp == Stamp(1700000000, True)


def test_the_line_of_the_design_page():
    values, _ = written(Outcome("1", "ok", {"ac_power_w": 635.0, "dc1_voltage_v": 406.8}, at=500.0))
    assert line.encode(values) == (
        "pv_inverter,bus=roof,driver=kaco,host=pi,inverter=1,region=europe,site=pv_strass "
        "ac_power_w=635,dc1_voltage_v=406.8,seq=4711i 1700000000000000000\n"
    )


def test_an_inverter_that_is_not_ok_has_its_health_alone():
    (health,) = written(
        Outcome("1", "corrupt", error="checksum A5, computed A6", attempts=2, at=500.0), last_ok={"1": 380.4}
    )
    assert health.fields["ok"] is False
    assert health.fields["error"] == "checksum A5, computed A6"
    assert health.fields["last_ok_age_s"] == 130.0
    assert health.fields["state_code"] == 3


def test_who_was_never_ok_in_this_boot_has_no_age():
    (health,) = written(Outcome("1", "silent", at=500.0))
    assert "last_ok_age_s" not in health.fields


def test_who_never_came_to_its_turn_is_stamped_now():
    (health,) = written(Outcome("1", "hung"))
    assert health.stamp.seconds == 1700000010


def test_values_left_out_are_named():
    _, health = written(Outcome("1", "ok", {"ac_power_w": 1.0}, dropped=("a: why", "b: why too"), at=500.0))
    assert health.fields["dropped"] == "a: why; b: why too"


def test_lines_of_an_untrusted_clock_have_other_names_and_the_boot_as_a_tag():
    found = written(
        Outcome("1", "ok", {"ac_power_w": 1.0}, at=500.0),
        trusted=False,
        events=(("roof", Event("1", "new_base", "text")),),
    )
    assert [one.measurement for one in found] == [
        "pv_inverter_unsynced",
        "pv_read_unsynced",
        "pv_event_unsynced",
    ]
    assert {one.tags["boot"] for one in found} == {"01234567"}
    assert not any(one.stamp.trusted for one in found)
    assert found[1].fields["clock_trusted"] is False


def test_an_event_is_a_line_of_its_own():
    *_, event = written(
        Outcome("1", "ok", {}, at=500.0), events=(("roof", Event("1", "new_base", "goes on from 5")),)
    )
    assert event.measurement == "pv_event"
    assert event.fields == {"kind": "new_base", "text": "goes on from 5", "seq": 4711}
    assert event.tags["inverter"] == "1"


@pytest.mark.parametrize(
    ("elevation", "state"),
    [(30.0, "silent"), (8.5, "silent"), (3.0, "asleep"), (-10.0, "asleep"), (None, "asleep")],
)
def test_the_sun_tells_asleep_from_silent(elevation, state):
    found = settle(
        reading(Outcome("1", "silent", error="no answer within 1 s")), NOW._replace(elevation=elevation)
    )
    outcome = found.outcomes["roof"]["1"]
    assert outcome.state == state
    assert bool(outcome.error) == (state == "silent")


texts = st.text(max_size=20)
measured = st.fixed_dictionaries(
    {},
    optional={
        "ac_power_w": st.floats(), "energy_total_wh": st.floats(), "ac_l1_voltage_v": st.floats(), "dc3_power_w": st.floats(),
        "status_code": st.integers(), "status": texts, "model": texts,
    },
)  # fmt: skip
outcomes = st.builds(
    Outcome,
    inverter=texts,
    state=st.sampled_from(sorted(STATES)),
    values=measured,
    error=texts,
    attempts=st.integers(0, 9),
    duration=st.floats(0, 1e6),
    dropped=st.lists(texts, max_size=2).map(tuple),
    at=st.sampled_from([0.0, 500.0]),
)


@given(
    st.lists(outcomes, max_size=5, unique_by=lambda one: one.inverter), st.booleans(), st.integers(0, 2**40)
)
def test_one_health_line_for_each_inverter_whatever_happened_and_every_format_can_say_it(found, trusted, seq):
    """Values here are wilder than the judge lets through, in their right types: a format must not be what fails."""
    written_lines = lines(
        plan(*(one.inverter for one in found)), reading(*found, trusted=trusted, seq=seq), NOW, "disk"
    )
    health = [one for one in written_lines if one.measurement.startswith("pv_read")]
    assert [one.tags["inverter"] for one in health] == [one.inverter for one in found]
    for one in health:
        for field, value in one.fields.items():
            quantity = find("pv_read", field)
            assert quantity is not None
            assert type(value) is quantity.kind or (quantity.kind is float and isinstance(value, int))
        assert set(one.fields) >= set(HEALTH) - {"last_ok_age_s", "dropped", "error"}
    assert all(one.measurement.removesuffix("_unsynced") in MEASUREMENTS for one in written_lines)
    line.encode_all(written_lines)
    table.render(written_lines)
    assert len(json_.render(written_lines).split("\n")) == len(written_lines) + 1


def test_a_plant_without_an_inverter_has_no_line():
    assert lines(Plan(SITE, ()), Reading({}, (), 0, True, {}, (), ()), NOW, "none") == []
    assert table.render([])
    assert json_.render([]) == line.encode_all([]) == ""
    assert not math.isnan(NOW.wall)
