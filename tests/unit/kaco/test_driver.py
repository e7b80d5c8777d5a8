"""The Kaco driver: the protocol's words in the vocabulary's, whose turn it is, and a day of it in virtual time."""

from typing import Any

import pytest

from pv_exec.box import sun
from pv_exec.conversation import Heard, Keep, Report, Send
from pv_exec.drivers.kaco import driver
from pv_exec.model import Bus
from pv_exec.run.pump import Terms, pump
from pv_exec.sim import plant
from pv_exec.sim.rehearsal import Rehearsal, bus_plan
from pv_exec.trace import Passed, Replay
from tests.captures.kaco.frames import CRCED, SUMMED

NOON = 1782036000.0
"""2026-06-21 10:00 UTC"""


def stations_of(line):
    """The simulator's own stations, by address."""
    return line.stations.stations


def line_of(*said):
    """A line on which each question has its answer, a quarter of a second after it: (question, answer)…"""
    passed = []
    for n, (question, answer) in enumerate(said):
        passed += [Passed(n * 1.0, True, question), Passed(n * 1.0 + 0.25, False, answer)]
    return Replay(passed)


def read(link, inverters, **keys):
    plan = bus_plan("kaco", inverters, **{"totals": "never", **keys})
    outcomes: list[Any] = []
    bus = Bus("roof", plan.inverters, plan.options, boottime=10.0, budget=30.0, boot_id="b1")
    pump(driver.read(bus), link, Terms(link.now, 30.0, 1.0, 0.02), outcomes.append, lambda _: None)
    return outcomes


def values(frames, address, **keys):
    (outcome,) = read(line_of(*frames), [address], **keys)
    assert outcome.state == "ok", outcome
    return outcome.values


def captured(origin, frames=(*SUMMED, *CRCED)):
    return next(one.frame for one in frames if one.origin == origin)


def test_a_string_inverter_in_the_words_of_the_vocabulary():
    assert values([(b"#020\r", captured("CAP 6400xi"))], 2) == {
        "dc1_voltage_v": 406.8, "dc1_current_a": 1.65, "dc_power_w": 671.0, "ac_l1_voltage_v": 228.7,
        "ac_l1_current_a": 2.80, "ac_power_w": 635.0, "temperature_c": 34.0, "energy_today_wh": 33801.0,
        "status": "feeding in, MPP search", "status_code": 4, "model": "6400xi",
    }  # fmt: skip


def test_a_generic_inverter_in_the_words_of_the_vocabulary():
    frame = (
        b"\n*03n 20 086L32 4  521.5  0.72   376  518.8  0.72   376  226.5  1.35  227.5  1.30  229.3  1.26   753   759"
        b" 1.000  43.5  45704 FA6B\r"
    )
    assert values([(b"#030\r", frame)], 3) == {
        "dc1_voltage_v": 521.5, "dc1_current_a": 0.72, "dc1_power_w": 376.0, "dc2_voltage_v": 518.8,
        "dc2_current_a": 0.72, "dc2_power_w": 376.0, "ac_l1_voltage_v": 226.5, "ac_l1_current_a": 1.35,
        "ac_l2_voltage_v": 227.5, "ac_l2_current_a": 1.30, "ac_l3_voltage_v": 229.3, "ac_l3_current_a": 1.26,
        "dc_power_w": 753.0, "ac_power_w": 759.0, "ac_power_factor": 1.0, "temperature_c": 43.5,
        "energy_today_wh": 45704.0, "status": "feeding in, MPP search", "status_code": 4, "model": "086L32",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "factor", "code"),
    [
        (b"\n*03n 20 3X24 4  214.7  1.97   421    0.0  0.04     0  231.1  0.80  234.1  0.79  234.4  0.81   421   413 0.735i  36.7   1640 FEB7\r", 0.735, 4),
        (b"\n*01n 16 50kH3P 4  696.7  1.03  229.5  1.61  231.1  1.68  229.1  1.60   747   709 0.957c  35.6 307729 DB1C\r", -0.957, 4),
        (b"\n*01n 23 600TL 121  708.7  0.01    16  709.5  0.10    73  707.5  0.09    70  222.8  0.00  222.9  0.00  218.3  0.00   160     0 1.000  34.8 140398 D437\r", 1.0, 121),
    ],
)  # fmt: skip
def test_a_leading_current_is_a_negative_power_factor_and_an_unknown_code_a_number_without_a_text(
    frame, factor, code
):
    address = int(frame[2:4])
    found = values([(b"#%02d0\r" % address, frame)], address)
    assert found["ac_power_factor"] == factor
    assert found["status_code"] == code
    assert ("status" in found) == (code != 121)


def test_an_xp_has_one_figure_for_three_phases():
    frame = b"\n*010  35 492.9 80.60 039700 381.3 61.80 039200 34 262100 r 100k   5751\r"
    found = values([(b"#010\r", frame)], 1)
    assert found["ac_voltage_v"] == 381.3
    assert found["ac_current_a"] == 61.8
    assert found["ac_power_w"] == 39200.0
    assert "ac_l1_voltage_v" not in found


def trio(third=b"*123   4 440.6  1.54    678 240.5  2.58    617 42  13024 "):
    summed = bytes((sum(third) & 0xFF,))
    return [
        (b"#120\r", b"\n*124\r"),
        (b"#121\r", b"\n*121   4 440.6  1.54    678 240.5  2.58    617 42  13024 \xbf 10k1\r"),
        (b"#122\r", b"\n*122   4 440.9  1.50    661 239.7  2.26    560 42  12174 \xbe 10k2\r"),
        (b"#123\r", b"\n" + third + summed + b" 10k3\r"),
    ]


def test_a_000xi_is_the_sum_of_its_three_parts():
    """The first two frames are those of the application note; the third is made like them."""
    (outcome,) = read(line_of(*trio()), [12])
    found = outcome.values
    assert found["ac_power_w"] == 617 + 560 + 617
    assert found["dc_power_w"] == 678 + 661 + 678
    assert found["energy_today_wh"] == 13024 + 12174 + 13024
    assert found["temperature_c"] == 42.0
    assert found["model"] == "3x10k"
    assert (found["ac_l2_voltage_v"], found["dc2_current_a"], found["ac_l2_power_w"]) == (239.7, 1.5, 560.0)
    assert outcome.rated_power == pytest.approx(
        32900, abs=3
    )  # the whole device, not a part: it bounds energy today


def test_a_000xi_says_what_its_odd_part_says():
    third = b"*123  10 440.6  0.00      0 240.5  0.00      0 42  13024 "
    (outcome,) = read(line_of(*trio(third)), [12])
    assert outcome.values["status_code"] == 10


def test_a_000xi_is_never_asked_for_totals():
    rehearsal = Rehearsal(bus_plan("kaco", [12], totals="always"), plant.build("kaco", "12:3x10k", at=NOON))
    for _ in range(3):
        run = rehearsal.run()
        assert [data for _, data in run.sent] == [b"#120\r", b"#121\r", b"#122\r", b"#123\r"]
        assert "energy_total_wh" not in run.outcomes["12"].values


# -------------------------------------------------------------------------------------------------------- totals in turn


def asked_for_totals(run):
    return [int(data[1:3]) for _, data in run.sent if data[3:4] == b"3"]


def test_totals_are_asked_in_turn_whatever_becomes_of_it():
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2, 3]),
        plant.build("kaco", "1:8000xi,2:9600I,3:086L32", at=NOON, spoilt={"dark": "2"}),
    )
    whose = []
    for _ in range(7):
        whose.append(asked_for_totals(rehearsal.run()))
        rehearsal.sleep(60)
    assert whose == [[1], [], [3], [1], [], [3], [1]]


@pytest.mark.parametrize(("totals", "asked"), [("always", [1, 2]), ("never", [])])
def test_totals_always_and_never(totals, asked):
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2], totals=totals), plant.build("kaco", "1:8000xi,2:086L32", at=NOON)
    )
    assert asked_for_totals(rehearsal.run()) == asked


def test_totals_are_left_out_when_the_time_is_needed_for_those_who_come_after():
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2, 3], totals="always"),
        plant.build("kaco", "1:8000xi,2:9600I,3:086L32", at=NOON),
    )
    run = rehearsal.run(3.0)
    assert set(run.states().values()) == {"ok"}
    assert asked_for_totals(run) == []
    assert run.outcomes["1"].dropped == ("energy_total_wh: no time left in this run",)


def test_a_large_unit_may_have_fed_more_between_the_two_questions():
    """140 kW make 150 Wh in 4 s: that is no late answer of another unit."""
    plan = bus_plan("kaco", [1], totals="always", gap="4s", deadline="20s")
    line = plant.build("kaco", "1:200kTL:rated=200000", epoch=NOON)
    rehearsal = Rehearsal(plan, line, wall=NOON)
    found = []
    for _ in range(5):
        run = rehearsal.run()
        rehearsal.sleep(60 - run.used)
        found.append(run.outcomes["1"].dropped)
    assert found[1:] == [()] * 4


# ---------------------------------------------------------------------------------------------------------- what goes wrong


def test_a_probe_at_night_is_short():
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2]),
        plant.build("kaco", "1:8000xi,2:8000xi", spoilt={"night": ""}, at=NOON),
        elevation=lambda _: -20.0,
    )
    run = rehearsal.run()
    assert set(run.states().values()) == {"silent"}
    assert run.used == pytest.approx(0.02 + 1.0 + 0.5, abs=0.01)  # quiet, gap, half a second for the last


@pytest.mark.parametrize("totals", ["never", "always"])
@pytest.mark.parametrize("later", [0.2, 0.3])
def test_a_second_unit_on_an_address_is_found_though_its_answer_comes_after_the_first(totals, later):
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2], totals=totals),
        plant.build("kaco", "1:6400xi,2:8000xi", at=NOON, spoilt={"twin": "1"}),
    )
    first, second = stations_of(rehearsal.line)[1]
    first.kind = first.kind._replace(delay=0.05)
    second.kind = second.kind._replace(delay=0.05 + 0.14 + later - 0.05)
    run = rehearsal.run()
    assert run.outcomes["1"].state == "address_conflict"
    assert run.outcomes["1"].values == {}
    assert "address 1" in run.outcomes["1"].error
    assert run.outcomes["2"].state == "ok"


class Babbling:
    """A line on which somebody begins to talk without end after the first answer."""

    def __init__(self, link):
        self.link, self.started = link, False

    def write(self, data):
        self.link.write(data)

    def read(self, seconds):
        if self.started:
            self.link.link.sleep(min(seconds, 0.01))
            return b"\x55" if seconds > 0 else b""
        data = self.link.read(seconds)
        self.started = data.endswith(b"\r")
        return data

    def close(self):
        pass


@pytest.mark.parametrize("totals", ["never", "always", "in turn"])
def test_a_line_that_never_falls_silent_again_costs_no_answer_and_no_outcome(totals):
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2, 3], totals=totals),
        plant.build("kaco", "1:8000xi,2:8000xi,3:8000xi", at=NOON),
        wrap=lambda link, _: Babbling(link),
    )
    run = rehearsal.run()
    assert run.outcomes["1"].state == "ok"
    assert set(run.outcomes) == {"1", "2", "3"}
    assert run.used <= rehearsal.plan.deadline + 1e-6


def test_every_step_is_one_of_four_and_the_last_is_to_keep():
    plan = bus_plan("kaco", [1])
    talk = driver.read(Bus("roof", plan.inverters, plan.options, budget=10.0))
    step = next(talk)
    assert step == Send(b"#010\r", 1)
    steps = []
    left = 10.0
    try:
        while True:
            left -= getattr(step, "seconds", 0.0)
            step = talk.send(Heard(b"", left))
            steps.append(step)
    except StopIteration:
        pass
    assert isinstance(steps[-1], Keep)
    assert isinstance(steps[-2], Report)


# ---------------------------------------------------------------------------------------------------------------- a day

SPEC = "1:8000xi,2:9600I,3:086L32"


def day(start=-9, hours=24, reboot=None, spec=SPEC):
    """Runs a minute apart from `start` hours before or after noon; each with the totals that the stations really had."""
    line = plant.build("kaco", spec, epoch=NOON + start * 3600)
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2, 3]),
        line,
        wall=NOON + start * 3600,
        elevation=lambda t: sun.elevation(t, plant.LATITUDE, plant.LONGITUDE),
    )
    stations = {str(address): one[0] for address, one in stations_of(line).items()}

    def totals():
        t = rehearsal.wall + rehearsal.link.now()
        return {name: station.moment(t).energy_total for name, station in stations.items()}

    for minute in range(hours * 60):
        if minute == reboot:
            rehearsal.reboot()
        before = totals()
        run = rehearsal.run()
        yield run, before, totals()
        rehearsal.sleep(60 - run.used)
    assert line.notes == []


COUNT = {"1": 1000.0, "2": 100.0, "3": 1.0}
"""Wh in one count of the total; what the second one's is nobody tells."""


@pytest.fixture(scope="module", params=[None, 600], ids=["", "reboot"])
def whole_day(request):
    return list(day(reboot=request.param))


def test_over_a_day_every_published_total_is_true(whole_day):
    published = dict.fromkeys("123", 0)
    for run, before, after in whole_day:
        for name, outcome in run.outcomes.items():
            value = outcome.values.get("energy_total_wh")
            if value is not None:
                published[name] += 1
                count = COUNT[name]
                assert before[name] // count * count <= value <= after[name] // count * count
    # A third of the runs of sixteen light hours asks each; the first of a boot is not believed, the second one's unit
    # is learned in the morning.
    assert published["1"] > 300
    assert published["3"] > 300
    assert published["2"] > 100


def test_over_a_day_everybody_is_ok_by_day_and_silent_by_night_and_no_event_is_made(whole_day):
    ok = sum(outcome.state == "ok" for run, _, _ in whole_day for outcome in run.outcomes.values())
    silent = sum(outcome.state == "silent" for run, _, _ in whole_day for outcome in run.outcomes.values())
    assert ok + silent == 3 * 1440
    assert ok > 3 * 16 * 60
    assert not any(run.events for run, _, _ in whole_day)
    dropped = {
        text.partition(":")[0]
        for run, _, _ in whole_day
        for outcome in run.outcomes.values()
        for text in outcome.dropped
    }
    assert dropped <= {"energy_total_wh"}


def test_at_dawn_all_are_back_in_the_run_after_they_woke(whole_day):
    """They wake at -3° of the sun; at night each is probed every five minutes at least."""
    first: dict[str, float] = {}
    for run, _, _ in whole_day:
        for name, outcome in run.outcomes.items():
            if outcome.state == "ok":
                first.setdefault(name, outcome.at)
    assert len(first) == 3
    assert max(first.values()) - min(first.values()) < 360


def test_totals_of_the_second_day_begin_with_the_second_reply_and_its_unit_is_known():
    runs = list(day(hours=48, spec=SPEC))
    second = [run.outcomes["2"] for run, _, _ in runs[24 * 60 :]]
    replies = [outcome for outcome in second if "operating_time_h" in outcome.values]
    assert len(replies) > 300
    assert all("energy_total_wh" in outcome.values for outcome in replies)
