"""What a run remembers of the last: damage in it is never more than forgetting."""

import json
import os

import pytest
from hypothesis import given, strategies as st

from pv_exec.box import lock, paths, proc
from pv_exec.model import Inverter, Outcome
from pv_exec.run import dusk, memory
from pv_exec.run.judge import Track, judge

TRACK = Track(5e6, 100.0, "b1", 120.0, 100.0, 50.0, 90.0, "b1")


def test_tracks_come_back_as_they_were():
    tracks = {"south": {"energy_total_wh": TRACK, "energy_today_wh": Track(1.0, 2.0, "b1")}}
    kept = {"tracks": memory.dump_tracks(tracks, (3.0, "b1"))}
    assert memory.tracks(kept) == (tracks, (3.0, "b1"))
    assert memory.tracks({}) == ({}, None)


def test_times_come_back_and_those_of_another_boot_say_nothing():
    first = {
        "times": memory.dump_times(
            {},
            "b1",
            {"a": Outcome("a", "ok", attempts=1, at=5.0), "b": Outcome("b", "silent", attempts=1, at=6.0)},
        )
    }
    assert memory.times(first, "b1") == ({"a": 5.0, "b": 6.0}, {"a": 5.0})
    assert memory.times(first, "b2") == ({}, {})
    second = {"times": memory.dump_times(first, "b1", {"a": Outcome("a", "silent", attempts=0, at=9.0)})}
    assert memory.times(second, "b1") == ({"a": 5.0, "b": 6.0}, {"a": 5.0})  # it was not asked


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("b1"),
    lambda inner: (
        st.lists(inner, max_size=9)
        | st.dictionaries(
            st.sampled_from(["boot", "asked", "ok", "of", "saved", "a", "energy_total_wh"]), inner
        )
    ),
    max_leaves=25,
)
damaged = plain.map(lambda what: json.dumps(what).encode()) | st.binary(max_size=60)


@given(damaged, damaged)
def test_damage_of_any_shape_is_forgetting_and_the_next_run_goes_on(times, tracks):
    _goes_on({"times": times, "tracks": tracks})


def _goes_on(kept):
    asked, ok = memory.times(kept, "b1")
    dusk.chosen((Inverter("a", None), Inverter("b", None)), -20.0, asked, ok, 1000.0)
    memory.dump_times(kept, "b1", {"a": Outcome("a", "ok", attempts=1, at=5.0)})
    found, _ = memory.tracks(kept)
    outcome = Outcome(
        "a", "ok", {"energy_total_wh": 5.0, "energy_today_wh": 2.0, "operating_time_h": 1.0}, at=200.0
    )
    judge(outcome, found.get("a", {}), "b1")


@given(st.data())
def test_one_thing_in_it_replaced_by_anything(data):
    """Right in everything but one place: the deepest checks are reached."""
    entry = json.loads(memory.dump_tracks({"a": {"energy_total_wh": TRACK}}, (3.0, "b1")))
    row = entry["of"]["a"]["energy_total_wh"]
    row[data.draw(st.integers(0, 7))] = data.draw(plain)
    kept = {
        "tracks": json.dumps(entry).encode(),
        "times": json.dumps(
            {"boot": "b1", "asked": data.draw(plain), "ok": {"a": data.draw(plain)}}
        ).encode(),
    }
    _goes_on(kept)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"of":' * 50_000,
        b"\xff\xfe",
        b"NaN",
        b'{"of":{"a":{"energy_total_wh":[NaN,1,"b1",null,0,0,0,""]}}}',
    ],
)
def test_hostile_files(data):
    _goes_on({"times": data, "tracks": data})


def test_one_damaged_track_does_not_cost_the_others():
    entry = json.loads(memory.dump_tracks({"a": {"energy_total_wh": TRACK, "energy_today_wh": TRACK}}, None))
    entry["of"]["a"]["energy_total_wh"] = "?"
    entry["of"]["b"] = 7
    found, saved = memory.tracks({"tracks": json.dumps(entry).encode()})
    assert found == {"a": {"energy_today_wh": TRACK}, "b": {}}
    assert saved is None


@pytest.mark.parametrize(("letter", "units"), [("D", None), ("S", b"x")])
def test_a_disk_on_which_a_keeper_hangs_is_not_read_either(tmp_path, monkeypatch, letter, units):
    run, state = str(tmp_path / "run"), str(tmp_path / "state")
    for place in (run, state):
        os.mkdir(place)
    paths.write_kept(state, "roof", "units", b"x", durable=False)
    paths.write_kept(run, "roof", "times", b"y", durable=False)
    held = lock.Holder(proc.Process(4711, "pv-read", letter, 1, "folio_wait_bit"), 0.0)
    monkeypatch.setattr(lock, "holder", lambda *_: held)
    kept = memory.load(run, state, "roof")
    assert (kept.get("units"), kept["times"]) == (units, b"y")


def test_what_this_boot_kept_is_younger_than_what_the_disk_has(tmp_path):
    run, state = str(tmp_path / "run"), str(tmp_path / "state")
    for place, data in ((run, b"new"), (state, b"old")):
        os.mkdir(place)
        paths.write_kept(place, "roof", "tracks", data, durable=False)
    assert memory.load(run, state, "roof") == {"tracks": b"new"}
