import json
import os

import pytest

from pv_exec.box import clock, proc, records

OUTCOMES = {"east": {"state": "ok", "attempts": 1}, "west": {"state": "silent", "error": "no answer"}}


def test_a_run_that_began_is_seen_before_it_ends(place):
    before = clock.boottime()
    began = records.start(place, "Dach/süd")
    seen = records.read(place, "Dach/süd")
    assert seen == began
    assert seen.bus == "Dach/süd"
    assert before - 0.001 <= seen.started <= clock.boottime() + 0.001
    assert (seen.ended, seen.outcomes, seen.outcomes_at) == (None, {}, None)
    me = proc.state(seen.pid, seen.start_ticks)
    assert me is not None
    assert me.pid == os.getpid()


def test_the_end_is_added_by_another_process(place):
    began = records.start(place, "roof")
    child = os.fork()
    if child == 0:
        os._exit(0 if records.finish(place, began, OUTCOMES) else 1)
    assert os.waitpid(child, 0)[1] == 0
    seen = records.read(place, "roof")
    assert seen is not None
    assert seen.outcomes == OUTCOMES
    assert seen.ended is not None
    assert seen.ended == seen.outcomes_at
    assert seen.started <= seen.ended <= clock.boottime() + 0.001
    assert seen.pid == began.pid


def test_while_a_run_hangs_the_outcomes_of_the_one_before_are_there(place):
    records.finish(place, records.start(place, "roof"), OUTCOMES)
    before = records.read(place, "roof")
    again = records.start(place, "roof")
    seen = records.read(place, "roof")
    assert before is not None
    assert seen is not None
    assert (seen.started, seen.ended) == (again.started, None)
    assert (seen.outcomes, seen.outcomes_at) == (OUTCOMES, before.ended)


@pytest.mark.parametrize("other", [{"pid": 1}, {"start_ticks": 1}, {"started": 1.0}])
def test_a_late_end_does_not_touch_the_record_of_another_run(place, other):
    began = records.start(place, "roof")
    assert records.finish(place, began, OUTCOMES)
    before = records.read(place, "roof")
    assert not records.finish(place, began._replace(**other), {"east": {"state": "hung"}})
    assert records.read(place, "roof") == before


def test_an_end_written_between_two_starts_hides_neither(place):
    """The keeper of a first run checks, a second run starts, the keeper writes: the second is still seen as running."""
    first = records.start(place, "roof")
    second = first._replace(started=first.started + 1)
    records._write(place, "roof", "start", records._identity(second))
    late = {**records._identity(first), "ended": first.started + 2, "outcomes": OUTCOMES}
    records._write(place, "roof", "end", late)
    seen = records.read(place, "roof")
    assert seen is not None
    assert (seen.started, seen.ended, seen.outcomes) == (second.started, None, OUTCOMES)


def test_records_of_another_boot_are_none(place, monkeypatch):
    records.finish(place, records.start(place, "roof"), OUTCOMES)
    monkeypatch.setattr(clock, "boot_id", lambda: "11111111-2222-3333-4444-555555555555")
    assert records.read(place, "roof") is None
    assert records.read_all(place) == []
    began = records.start(place, "roof")
    assert records.read(place, "roof") == began  # and the outcomes of the other boot are not mixed in


def test_all_buses_are_listed_by_name(place):
    for bus in ("roof", "Ü", "barn"):
        records.start(place, bus)
    with open(f"{place}/runs/junk.start.json", "w", encoding="ascii") as file:
        file.write("[]")
    assert [each.bus for each in records.read_all(place)] == ["barn", "roof", "Ü"]
    assert records.read_all(f"{place}/missing") == []


@pytest.mark.parametrize("what", ["start", "end"])
@pytest.mark.parametrize("data", [b"", b"\0" * 99, b"[]", b"{", b"\xff"])
def test_a_damaged_record_is_none_or_a_run_without_an_end(place, what, data):
    began = records.start(place, "roof")
    records.finish(place, began, OUTCOMES)
    with open(f"{place}/runs/roof.{what}.json", "wb") as file:
        file.write(data)
    assert records.read(place, "roof") == (None if what == "start" else began)


@pytest.mark.parametrize(
    "change", [{"schema": 2}, {"pid": "x"}, {"started": None}, {"outcomes": []}, {"ended": None}]
)
def test_what_a_newer_version_wrote_is_not_misread(place, change):
    records.finish(place, records.start(place, "roof"), OUTCOMES)
    for what in ("start", "end"):
        with open(f"{place}/runs/roof.{what}.json", "r+b") as file:
            said = {**json.loads(file.read()), **change}
            file.seek(0)
            file.truncate()
            file.write(json.dumps(said).encode())
    seen = records.read(place, "roof")
    assert seen is None or seen.ended is None


def test_a_directory_that_cannot_be_written_is_no_error(place, ordinary):
    os.chmod(place, 0o555)

    def run() -> str:
        began = records.start(place, "roof")
        return f"{began.bus} {records.finish(place, began, {})} {records.read(place, 'roof')}"

    assert ordinary(run) == "roof False None"
    os.chmod(place, 0o755)
