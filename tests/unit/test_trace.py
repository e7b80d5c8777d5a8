"""A recorded run replays to the same outcomes; a fixture in the same shape holds frames of the sheet."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pv_exec.box.errors import PvError
from pv_exec.drivers.kaco import driver
from pv_exec.model import Bus
from pv_exec.run.pump import Terms, pump
from pv_exec.sim import faults, plant
from pv_exec.sim.rehearsal import Rehearsal, bus_plan
from pv_exec.trace import Passed, Recorder, Replay, Run, load

NOON = 1782036000.0
SPEC = "1:8000xi,2:3x10k,3:390TL"


def recorded(path, spoilt=None, runs=1):
    """Outcomes of some runs recorded in a file, one after the other."""
    plan = bus_plan("kaco", [1, 2, 3], totals="always")
    line = plant.build("kaco", SPEC, at=NOON, spoilt=spoilt)
    rehearsal = Rehearsal(
        plan, line, wrap=lambda link, now: Recorder(link, str(path), now, bus="roof", driver="kaco")
    )
    return [rehearsal.run().reports for _ in range(runs)], plan


def replayed(run, plan, budget=None):
    link = Replay(run.passed)
    reports: list[Any] = []
    bus = Bus(
        "roof",
        plan.inverters,
        plan.options,
        boottime=1000.0,
        boot_id="boot-1",
        budget=budget or plan.deadline,
    )
    terms = Terms(link.now, budget or plan.deadline, driver.wire(bus).gap, driver.wire(bus).quiet)
    pump(driver.read(bus), link, terms, reports.append, lambda keep: None)
    return reports, link


def same(one, other):
    """Equal but for the times of reading, which a replay has of its own; durations to a tenth of a millisecond."""
    strip = [outcome._replace(at=0.0, duration=0.0, dropped=()) for outcome in one]
    assert strip == [outcome._replace(at=0.0, duration=0.0, dropped=()) for outcome in other]
    assert [o.duration for o in one] == pytest.approx([o.duration for o in other], abs=1e-3)


@pytest.mark.parametrize(
    "fault", [None, *faults.FAULTS, "wrong-sum", "foreign", "twin", "no-cr", "dark", "digit-flip"]
)
def test_a_recorded_run_replays_to_the_same_outcomes(tmp_path, fault):
    path = tmp_path / "trace"
    if fault == "hang-up":
        pytest.skip("a port that went away is not in a trace")
    if fault == "babble":
        pytest.skip("the pieces depend on how long each read waits")
    said, plan = recorded(path, {fault: ""} if fault else None)
    (run,) = load(path.read_text().splitlines())
    reports, link = replayed(run, plan)
    same(reports, said[0])
    assert link.unexpected == []


def test_several_runs_in_one_file(tmp_path):
    said, plan = recorded(tmp_path / "trace", runs=3)
    runs = list(load((tmp_path / "trace").read_text().splitlines()))
    assert len(runs) == 3
    assert all(run.about["bus"] == "roof" and run.about["trace"] == 1 for run in runs)
    reports, _ = replayed(runs[0], plan)
    same(reports, said[0])


FIXTURE = r"""
{"trace": 1, "bus": "roof", "driver": "kaco"}
{"t": 0.02, "tx": "23 30 32 30 0d"}
{"t": 0.302, "rx": "0a 2a 30 32 30 20 20 20 34 20 34 30 36 2e 38 20 20 31 2e 36 35 20"}
{"t": 0.318, "rx": "20 20 36 37 31 20 32 32 38 2e 37 20 20 32 2e 38 30 20 20 20 36 33 35 20"}
{"t": 0.371, "rx": "20 33 34 20 20 33 33 38 30 31 20 a5 20 36 34 30 30 78 69 0d"}
{"t": 1.02, "tx": "23 30 32 33 0d"}
{"t": 1.302, "rx": "0a 20 20 34 38 39 39 20 20 33 33 38 30 31 20 31 31 32 37 30 36 20 31 31 32 37 30 36 20 20 20 20 20 31 32 3a 31 32 20 20 37 31 38 35 38 3a 30 30 20 20 37 31 38 35 38 3a 30 30 0d"}
"""
"""CAP 6400xi at address 2: its frames, and totals that stand beside them in the sheet (E = D2 = 33801 Wh)."""


def test_a_trace_of_real_frames_is_a_fixture_as_it_stands():
    (run,) = load(FIXTURE.splitlines())
    plan = bus_plan("kaco", [2], totals="always")
    (outcome,), link = replayed(run, plan)
    assert outcome.state == "ok"
    assert outcome.values == {
        "dc1_voltage_v": 406.8, "dc1_current_a": 1.65, "dc_power_w": 671.0, "ac_l1_voltage_v": 228.7,
        "ac_l1_current_a": 2.8, "ac_power_w": 635.0, "temperature_c": 34.0, "energy_today_wh": 33801.0,
        "status_code": 4, "status": "feeding in, MPP search", "model": "6400xi",
    }  # fmt: skip
    assert outcome.dropped == ("energy_total_wh: no second reply agrees with it yet",)
    assert link.unexpected == []


def test_a_reader_that_asks_something_else_hears_nothing():
    (run,) = load(FIXTURE.splitlines())
    reports, link = replayed(run, bus_plan("kaco", [5, 2], totals="never"))
    assert [outcome.state for outcome in reports] == ["silent", "ok"]
    assert link.unexpected == [b"#050\r"]


class Mute:
    def __init__(self):
        self.closed = False

    def write(self, data):
        pass

    def read(self, seconds):
        return b"\xff\x00"

    def close(self):
        self.closed = True


def test_what_is_written_down(tmp_path):
    clock = iter([100.0, 100.25, 100.5000004])
    mute = Mute()
    link = Recorder(mute, str(tmp_path / "t"), lambda: next(clock), bus="röof", wall=5)
    link.write(b"#010\r")
    assert link.read(1.0) == b"\xff\x00"
    link.close()
    assert mute.closed
    entries = [json.loads(text) for text in (tmp_path / "t").read_text().splitlines()]
    assert entries == [
        {"trace": 1, "bus": "röof", "wall": 5},
        {"t": 0.25, "tx": "23 30 31 30 0d", "bus": "röof"},
        {"t": 0.5, "rx": "ff 00", "bus": "röof"},
    ]


def test_buses_that_write_at_the_same_time_are_told_apart():
    lines = [
        '{"trace": 1, "bus": "a"}',
        '{"t": 0.1, "tx": "01", "bus": "a"}',
        '{"trace": 1, "bus": "b"}',
        '{"t": 0.2, "rx": "02", "bus": "a"}',
        '{"t": 0.1, "tx": "03", "bus": "b"}',
        '{"trace": 1, "bus": "a"}',
        '{"t": 0.1, "tx": "04", "bus": "a"}',
        '{"t": 0.3, "rx": "05", "bus": "b"}',
    ]
    assert [(run.about["bus"], [passed.data for passed in run.passed]) for run in load(lines)] == [
        ("a", [b"\x01", b"\x02"]),
        ("b", [b"\x03", b"\x05"]),
        ("a", [b"\x04"]),
    ]


def test_a_trace_that_cannot_be_written_says_where(tmp_path):
    with pytest.raises(PvError, match="no/such"):
        Recorder(Mute(), str(tmp_path / "no/such/file"), lambda: 0.0)


def test_a_full_disk_costs_the_trace_and_not_the_reading():
    link = Recorder(Mute(), "/dev/full", lambda: 0.0)
    link.write(b"#010\r")
    assert link.read(1.0) == b"\xff\x00"
    link.close()


@settings(max_examples=30)
@given(st.integers(0, len(FIXTURE)))
def test_a_file_cut_anywhere_gives_what_is_whole_in_it(cut):
    runs = list(load(FIXTURE[:cut].splitlines()))
    (whole,) = load(FIXTURE.splitlines())
    assert len(runs) <= 1
    for run in runs:
        assert run.passed == whole.passed[: len(run.passed)]


def test_lines_that_are_none_of_ours_are_passed_over():
    odd = [
        "",
        "null",
        "7",
        "[]",
        "nonsense",
        '{"t": "x", "rx": "zz"}',
        '{"rx": "00"}',
        '{"t": 1, "rx": "0g"}',
        '{"t": 2.0, "rx": "0a"}',
    ]
    assert list(load(odd)) == [Run({}, (Passed(2.0, False, b"\n"),))]
