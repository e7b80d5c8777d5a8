"""Who may write to the disk, and how runs are counted."""

import os

import pytest

from pv_exec.box import lock, paths
from pv_exec.run import keeper, memory


@pytest.fixture
def places(tmp_path):
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    return str(tmp_path / "run"), str(tmp_path / "state")


def test_what_is_durable_is_written_under_the_keepers_lock(places, monkeypatch):
    run, state = places
    held: list[str] = []
    monkeypatch.setattr(
        paths, "write_kept", lambda *_, **__: held.append(str(lock.holder(run, memory.DISK_LOCK)))
    )
    keeper._Disk(run, state).write("roof", "units", b"x")
    assert f"by pid {os.getpid()} " in held[0]
    assert lock.take(run, memory.DISK_LOCK).held  # and given back


def test_while_another_keeper_has_the_disk_it_is_left_alone(places):
    run, state = places
    other = lock.take(run, memory.DISK_LOCK)
    disk = keeper._Disk(run, state)
    disk.write("roof", "units", b"x")
    assert paths.read_kept(state, "roof") == {}
    other.release()
    disk.write("roof", "units", b"x")  # given up for this run: it waited once
    assert paths.read_kept(state, "roof") == {}
    keeper._Disk(run, state).write("roof", "units", b"x")
    assert paths.read_kept(state, "roof") == {"units": b"x"}


def test_runs_are_counted_and_none_gets_a_number_twice(places):
    run, _ = places
    assert [keeper._count(run) for _ in range(3)] == [1, 2, 3]
    other = lock.take(run, "seq")
    assert keeper._count(run) == 0
    other.release()
    assert keeper._count(run) == 4


@pytest.mark.parametrize("said", [b"", b"nonsense\n", b"\0\0\0"])
def test_a_damaged_number_begins_anew(places, said):
    run, _ = places
    with open(os.path.join(run, "seq"), "wb") as file:
        file.write(said)
    assert keeper._count(run) == 1
