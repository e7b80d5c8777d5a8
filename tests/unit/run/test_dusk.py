"""Whom a run asks in the dark."""

import pytest
from hypothesis import given, strategies as st

from pv_exec.model import STATES, Inverter, Outcome
from pv_exec.run.dusk import UNPROBED, chosen, settled

NIGHT, TWILIGHT, DAY = -10.0, 3.0, 30.0
SIX = tuple(Inverter(name, None) for name in "abcdef")


def names(picked):
    return [(one.name, one.expected) for one in picked]


@pytest.mark.parametrize("elevation", [DAY, TWILIGHT, None])
def test_by_day_in_twilight_and_without_a_position_all_are_asked_as_usual(elevation):
    asked = dict.fromkeys("abcdef", 999.0)
    assert chosen(SIX, elevation, asked, {}, 1000.0) == SIX


def test_at_night_one_probe_of_the_longest_unprobed():
    asked = {"a": 990.0, "b": 930.0, "c": 800.0, "d": 870.0, "e": 801.0, "f": 999.0}
    assert names(chosen(SIX, NIGHT, asked, {}, 1000.0)) == [("c", False)]


def test_and_of_all_unprobed_for_five_minutes():
    asked = {"a": 990.0, "b": 700.0, "c": 600.0, "d": 701.0, "e": 960.0, "f": 999.0}
    assert names(chosen(SIX, NIGHT, asked, {}, 1000.0)) == [("b", False), ("c", False)]


def test_who_was_never_asked_is_probed():
    assert names(chosen(SIX, NIGHT, {}, {}, 1000.0)) == [(name, False) for name in "abcdef"]


def test_who_answered_within_five_minutes_is_asked_as_by_day():
    asked = dict.fromkeys("abcdef", 995.0)
    assert names(chosen(SIX, NIGHT, asked, {"e": 990.0}, 1000.0)) == [("a", False), ("e", True)]
    assert names(chosen(SIX, NIGHT, asked, {"e": 1000.0 - UNPROBED}, 1000.0)) == [("a", False)]


def test_no_inverter_at_all():
    assert chosen((), NIGHT, {}, {}, 1.0) == ()


@given(st.integers(1, 12), st.sampled_from([10.0, 60.0, 300.0, 900.0]), st.sets(st.integers(0, 11)))
def test_over_a_night_every_dark_inverter_is_probed_at_least_every_five_minutes_or_every_run(
    count, interval, live
):
    """A dead one never hides the others: nobody waits longer than UNPROBED and the run after it."""
    inverters = tuple(Inverter(str(n), None) for n in range(count))
    asked: dict[str, float] = {}
    ok: dict[str, float] = {}
    now = 1000.0
    last = dict.fromkeys((one.name for one in inverters), now)
    for _ in range(40):
        picked = chosen(inverters, NIGHT, asked, ok, now)
        assert picked
        for one in picked:
            asked[one.name] = now
            last[one.name] = now
            if int(one.name) in live:
                ok[one.name] = now
        assert all(now - at < UNPROBED + interval for at in last.values())
        now += interval


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("elevation", [None, NIGHT, TWILIGHT, DAY])
def test_only_silence_is_sleep_and_only_while_the_sun_is_not_surely_up(state, elevation):
    outcome = settled(Outcome("1", state, error="why"), elevation)
    asleep = state == "silent" and elevation != DAY
    assert outcome.state == ("asleep" if asleep else state)
    assert outcome.error == ("" if asleep else "why")
