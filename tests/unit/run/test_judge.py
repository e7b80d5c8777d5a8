"""What may be published, with the times injected: ranges, and counters that fall, jump or were exchanged."""

from hypothesis import given, strategies as st

from pv_exec.model import Outcome
from pv_exec.quantities import MEASURED
from pv_exec.run.judge import SETTLE, judge

HOUR = 3600.0


class Watched:
    """One inverter judged again and again, its tracks kept in between."""

    def __init__(self, name="energy_total_wh", rated=5000.0):
        self.name, self.rated = name, rated
        self.tracks = {}
        self.events = []

    def says(self, value, at, boot="b1"):
        """What is published of it: the value, or None."""
        ruling = judge(
            Outcome("1", "ok", {self.name: value}, rated_power=self.rated, at=at), self.tracks, boot
        )
        self.tracks = ruling.tracks
        self.events += ruling.events
        self.why = ruling.outcome.dropped
        assert (self.name in ruling.outcome.values) != bool(self.why)
        return ruling.outcome.values.get(self.name)


def judged(**values):
    return judge(Outcome("1", "ok", values, at=1.0), {}, "b1").outcome


def test_a_whole_number_becomes_a_float_and_a_code_stays_one():
    outcome = judged(ac_power_w=635, status_code=4, status="feeding in")
    assert outcome.values == {"ac_power_w": 635.0, "status_code": 4, "status": "feeding in"}
    assert [type(value) for value in outcome.values.values()] == [float, int, str]


def test_each_value_that_cannot_be_is_left_out_and_named_with_why():
    outcome = judged(
        ac_power_w=2e6, temperature_c=float("nan"), dc1_voltage_v=float("inf"), status_code=4.5, status=4,
        model="8000xi", ac_frequency_hz="50", rain_mm=1.0, ac_l4_voltage_v=230.0, dc_voltage_v=True,
    )  # fmt: skip
    assert outcome.values == {"model": "8000xi"}
    assert outcome.dropped == (
        "ac_power_w: 2e+06 is not between -20000 and 1e+06",
        "temperature_c: nan is not between -60 and 150",
        "dc1_voltage_v: inf is not between 0 and 1500",
        "status_code: 4.5 is no whole number",
        "status: is no text",
        "ac_frequency_hz: is no number",
        "rain_mm: the vocabulary has no such quantity",
        "ac_l4_voltage_v: the vocabulary has no such quantity",
        "dc_voltage_v: the vocabulary has no such quantity",
    )


def test_what_the_driver_left_out_stays_named():
    outcome = judge(
        Outcome("1", "ok", {"ac_power_w": -1e9}, dropped=("energy_total_wh: why",)), {}, "b"
    ).outcome
    assert outcome.dropped[0] == "energy_total_wh: why"
    assert len(outcome.dropped) == 2


def test_a_counter_that_rises_as_its_inverter_can_is_published():
    total = Watched()
    assert total.says(1e6, 100) == 1e6
    assert total.says(1e6, 160) == 1e6
    assert total.says(1e6 + 5000 / 60, 220) == 1e6 + 5000 / 60
    assert total.says(1e6 + 5000, 220 + HOUR) == 1e6 + 5000


def test_a_count_of_whole_kwh_may_jump_by_one():
    total = Watched()
    total.says(93_321_000.0, 100)
    assert total.says(93_322_000.0, 160) == 93_322_000.0  # CAP: 93321 → 93322 while 77 Wh were fed
    assert total.says(93_324_000.0, 220) is None


def test_a_jump_up_is_left_out_and_the_old_base_goes_on():
    total = Watched()
    total.says(1e6, 100)
    assert total.says(9e6, 160) is None
    assert total.why == ("energy_total_wh: 9000000 after 1000000 is no rise that can be",)
    assert total.says(1e6 + 50, 220) == 1e6 + 50
    assert total.says(9e6, 280) is None  # and is on trial anew
    assert "no rise" in total.why[0]
    assert total.events == []


def test_an_exchanged_inverter_is_left_out_for_an_hour_and_then_taken_with_an_event():
    total = Watched()
    total.says(93_321_000.0, 0.0)
    published = [total.says(120_000.0 + 50 * minute, minute * 60.0) for minute in range(1, 65)]
    taken = [value is not None for value in published]
    assert taken == [False] * 60 + [True] * 4
    assert len(total.events) == 1
    (event,) = total.events
    assert event.kind == "new_base"
    assert event.inverter == "1"
    assert event.text == "energy_total_wh goes on from 123050, it was 93321000 (exchanged or cleared)"


def test_a_new_base_must_have_risen_to_be_taken():
    total = Watched()
    total.says(5e6, 0.0)
    assert all(total.says(100.0, at * 60.0) is None for at in range(1, 200))
    assert "on trial for 198 min of 60" in total.why[0]
    assert total.says(1000.0, 200 * 60.0) == 1000.0  # the first count after it was cleared


def test_a_new_base_that_wavers_begins_its_hour_anew():
    total = Watched()
    total.says(5e6, 0.0)
    for minute in range(1, 50):
        assert total.says(100.0 + minute, minute * 60.0) is None
    assert total.says(50.0, 50 * 60.0) is None
    for minute in range(51, 110):
        assert total.says(50.0 + minute, minute * 60.0) is None
    assert total.says(200.0, 50 * 60.0 + SETTLE) == 200.0


def test_back_to_the_old_base_ends_the_trial_without_a_word():
    total = Watched()
    total.says(5e6, 0.0)
    for minute in range(1, 59):
        total.says(100.0 + minute, minute * 60.0)
    assert total.says(5e6 + 3000, 59 * 60.0) == 5e6 + 3000
    assert total.says(170.0, 60 * 60.0) is None
    assert "no rise" in total.why[0]
    assert total.events == []


def test_a_night_passes_in_the_middle_of_a_trial():
    total = Watched()
    total.says(5e6, 0.0)
    assert total.says(100.0, 60.0) is None
    assert total.says(2000.0, 10 * HOUR) == 2000.0


def test_over_a_reboot_any_rise_can_be_and_a_fall_cannot():
    total = Watched()
    total.says(1e6, 5000.0)
    assert total.says(9e6, 10.0, "b2") == 9e6  # nobody knows how long the box was off
    assert total.says(8e6, 20.0, "b3") is None


def test_a_reboot_in_the_middle_of_a_trial_begins_its_hour_anew():
    total = Watched()
    total.says(5e6, 0.0)
    for minute in range(1, 59):
        total.says(100.0 + minute, minute * 60.0)
    for minute in range(60):
        assert total.says(200.0 + minute, 10.0 + minute * 60.0, "b2") is None
    assert total.says(300.0, 10.0 + SETTLE, "b2") == 300.0


def test_energy_today_begins_anew_in_the_morning():
    today = Watched("energy_today_wh")
    today.says(31_250.0, 0.0)
    assert today.says(0.0, 10 * HOUR) == 0.0
    assert today.says(80.0, 10 * HOUR + 60) == 80.0


def test_a_morning_missed_costs_one_reading_and_no_event():
    today = Watched("energy_today_wh")
    today.says(31_250.0, 0.0)
    assert today.says(4000.0, 15 * HOUR) is None
    assert today.says(4050.0, 15 * HOUR + 60) == 4050.0
    assert today.events == []


def test_a_garbled_energy_today_is_left_out():
    today = Watched("energy_today_wh")
    today.says(3000.0, 0.0)
    assert today.says(8050.0, 60.0) is None
    assert today.says(3060.0, 120.0) == 3060.0


def test_hours_rise_as_the_clock_does():
    hours = Watched("operating_time_h")
    hours.says(186.85, 0.0)
    assert hours.says(186.90, 60.0) == 186.90
    assert hours.says(189.0, 120.0) is None


def test_a_large_inverter_that_rises_by_more_than_a_count_a_minute():
    assert _rises(200e3, 3000.0) == 3000.0
    assert _rises(5e3, 3000.0) is None
    assert _rises(None, 16_000.0) == 16_000.0  # nobody knows what it can feed


def _rises(rated, by):
    today = Watched("energy_today_wh", rated)
    today.says(0.0, 0.0)
    return today.says(by, 60.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 1e8), st.floats(0, 5000), st.sampled_from(["b1", "b1", "b1", "b2"])),
        max_size=30,
    )
)
def test_whatever_a_counter_does_a_published_total_never_falls_without_an_event(says):
    total = Watched()
    at, last, events = 0.0, None, 0
    for value, later, boot in says:
        at += later
        published = total.says(value, at, boot)
        if published is not None and last is not None and published < last:
            assert len(total.events) > events
        events = len(total.events)
        last = published if published is not None else last


@given(
    st.dictionaries(
        st.sampled_from([*MEASURED, "dc1_voltage_v", "ac_l2_power_w"]) | st.text(),
        st.floats() | st.integers() | st.text() | st.booleans(),
    )
)
def test_whatever_a_driver_says_only_the_vocabulary_in_its_types_and_ranges_passes(values):
    from pv_exec.quantities import find

    outcome = judge(Outcome("1", "ok", values, at=5.0), {}, "b1").outcome
    assert len(outcome.values) + len(outcome.dropped) == len(values)
    for name, value in outcome.values.items():
        quantity = find("pv_inverter", name)
        assert quantity is not None
        assert type(value) is quantity.kind
        assert isinstance(value, str) or quantity.low <= value <= quantity.high
