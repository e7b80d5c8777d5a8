"""What a worker makes of each outcome on its way to the parent, and what it asks to be kept."""

import os

import pytest

from pv_exec.box import clock
from pv_exec.conversation import Keep
from pv_exec.model import Outcome
from pv_exec.run import memory, pipes, worker
from pv_exec.run.judge import Track

NOW = 5000.0


class Said:
    """The parent's end of a worker's pipe."""

    def __init__(self, fd: int) -> None:
        self.inbox = pipes.Inbox(fd)

    def __call__(self, kind: str) -> list[tuple[object, ...]]:
        return [record[1:] for record in self.inbox.receive() if record[0] == kind]


@pytest.fixture
def parent(monkeypatch):
    monkeypatch.setattr(clock, "boottime", lambda: NOW)
    monkeypatch.setattr(clock, "boot_id", lambda: "boot")
    reading, writing = os.pipe()
    yield Said(reading), writing
    os.close(writing)


def outcome(**values: float) -> Outcome:
    return Outcome("south", "ok", values, rated_power=8000.0)


def test_no_value_passes_that_was_not_judged(parent):
    said, fd = parent
    worker._Reporter(fd, {}, "")(outcome(ac_power_w=5e6, temperature_c=33))
    [(name, state, values, *_, dropped, _, at)] = said("outcome")
    assert (name, state, at) == ("south", "ok", NOW)
    assert values == {"temperature_c": 33.0}
    assert dropped == ("ac_power_w: 5e+06 is not between -20000 and 1e+06",)


def test_counters_are_held_against_what_was_kept(parent):
    said, fd = parent
    kept = {"tracks": memory.dump_tracks({"south": {"energy_total_wh": Track(9e6, NOW, "boot")}}, None)}
    worker._Reporter(fd, kept, "")(outcome(energy_total_wh=8e6))
    [record] = said("outcome")
    assert record[2] == {}
    assert "energy_total_wh: 8000000 after 9000000" in record[6][0]


@pytest.mark.parametrize(
    ("saved", "durable"),
    [(None, True), ((NOW - 3600, "boot"), True), ((NOW - 3599, "boot"), False), ((NOW - 10, "other"), True)],
)
def test_counters_go_to_the_disk_once_an_hour_and_after_a_boot(parent, saved, durable):
    said, fd = parent
    worker._Reporter(fd, {"tracks": memory.dump_tracks({}, saved)}, "")(outcome(energy_total_wh=8e6))
    [(name, data, kept_durably)] = said("keep")
    assert (name, kept_durably) == ("tracks", durable)
    tracks, at = memory.tracks({"tracks": data})
    assert tracks["south"]["energy_total_wh"].value == 8e6
    assert at == ((NOW, "boot") if durable else saved)


def test_the_port_a_glob_found_is_kept_once_it_has_answered(parent):
    said, fd = parent
    report = worker._Reporter(fd, {}, "/dev/ttyUSB7")
    report(Outcome("south", "silent"))
    assert said("keep") == []
    report(outcome())
    assert ("port", b"/dev/ttyUSB7", True) in said("keep")


def test_what_the_driver_keeps_is_passed_on(parent):
    said, fd = parent
    worker._Reporter(fd, {}, "").keep(Keep("units", b"x", durable=False))
    assert said("keep") == [("units", b"x", False)]


def test_a_worker_that_nobody_hears_gives_the_bus_back():
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(SystemExit):
        worker._Reporter(writing, {}, "")(Outcome("south", "silent"))
    os.close(writing)
