"""Locks and records on real file systems that are full, read-only or frozen (facts WATCHDOG §5: state D on demand)."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from pv_exec.box import clock, lock, paths, proc, records
from pv_exec.box.errors import Locked

KEY = "188:0"


def mount(*arguments: str) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can mount")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


@pytest.fixture
def small(place: str) -> Iterator[str]:
    """A file system of four pages that lies in memory, as /run does."""
    mount("-t", "tmpfs", "-o", "size=16k", "none", place)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def card(place: str) -> Iterator[str]:
    """An ext4 that can be frozen: whoever begins to write to it then sleeps in state D."""
    image, path = f"{place}/image", f"{place}/card"
    os.mkdir(path)
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    if subprocess.run(["mkfs.ext4", "-q", "-F", image], check=False).returncode:
        pytest.skip("no mkfs.ext4 here")
    mount("-o", "loop", image, path)
    yield path
    subprocess.run(["fsfreeze", "-u", path], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(path: str) -> None:
    with open(f"{path}/fill", "wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                break
    assert os.statvfs(path).f_bavail == 0


def test_on_a_full_disk_an_old_file_still_takes_notes(small):
    lock.take(small, KEY).release()
    fill(small)
    asked = round(clock.boottime(), 3)
    mine = lock.take(small, KEY)
    assert mine.held
    mine.note_request(asked)
    mine.release()
    mine = lock.take(small, KEY)
    assert mine.last_request == asked
    mine.release()


def test_on_a_full_disk_a_new_file_is_locked_and_its_holder_known(small):
    fill(small)
    mine = lock.take(small, KEY)
    assert mine.held
    mine.note_request(1.0)
    with pytest.raises(Locked, match=f"^held by pid {os.getpid()} "):
        lock.take(small, KEY)
    mine.release()


def test_on_a_full_disk_a_run_leaves_no_record_and_no_half_file(small):
    fill(small)
    began = records.start(small, "roof")
    assert not records.finish(small, began, {})
    assert not clock.set_latch(small)
    assert records.read(small, "roof") is None
    assert not [name for name in os.listdir(f"{small}/runs") if name]


def test_on_a_read_only_disk_an_old_file_locks_and_a_new_one_is_missed(small):
    lock.take(small, KEY).release()
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    mine = lock.take(small, KEY)
    mine.note_request(1.0)
    assert mine.held
    assert mine.last_request == 1.0
    with pytest.raises(Locked, match=f" by pid {os.getpid()} "):
        lock.take(small, KEY)
    mine.release()
    other = lock.take(small, "new")
    assert (other.held, other.why) == (False, f"no lock: {small}/new.lock: Read-only file system")
    assert paths.ensure(small) == f"{small} is on a read-only file system"
    assert paths.ensure(f"{small}/below") == f"{small}/below: Read-only file system"
    assert records.start(small, "roof").bus == "roof"


def test_a_holder_in_state_d_is_named_at_once_also_after_it_was_killed(card):
    lock.take(card, KEY).release()  # the text of a process that lives, but does not hold it
    subprocess.run(["fsfreeze", "-f", card], check=True)
    holder = os.fork()
    if holder == 0:
        lock.take(card, KEY)  # gets the lock, and sleeps in the write of its name
        os._exit(0)
    try:
        # It may sleep elsewhere on its way (a page of its own to be read): wait until it holds the lock and stays asleep.
        steady, seen = 0, None
        while steady < 20:
            before, seen = seen, proc.state(holder)
            who = lock.holder(card, KEY)
            here = seen is not None and seen.letter == "D" and seen == before
            steady = steady + 1 if here and who and who.process and who.process.pid == holder else 0
            time.sleep(0.001)
        sleeping = rf"^held by pid {holder} \(.+\), state D, in \w+$"
        with pytest.raises(Locked, match=sleeping):
            lock.take(card, KEY)
        os.kill(holder, signal.SIGKILL)
        with pytest.raises(Locked, match=sleeping):
            lock.take(card, KEY)
        assert seen is not None
        assert str(lock.holder(card, KEY)).endswith(f"in {seen.wchan}")
        assert paths.ensure(card) == ""
        assert paths.read_kept(card, "roof") == {}
    finally:
        subprocess.run(["fsfreeze", "-u", card], check=True)
        os.waitpid(holder, 0)
    mine = lock.take(card, KEY)
    assert mine.held
    mine.release()
