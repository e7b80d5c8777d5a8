import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from pv_exec.box import clock, lock, proc
from pv_exec.box.errors import Locked

KEY = "188:0"


class Child:
    """A forked process that runs `first`, says what it returned, then waits to be killed."""

    def __init__(self, first: Callable[[], str]) -> None:
        self.reading, writing = os.pipe()
        waiting, self.telling = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.reading)
            os.close(self.telling)
            try:
                text = first()
            except Locked as error:
                text = f"Locked: {error}"
            except BaseException as error:  # noqa: BLE001 the parent shows it
                text = repr(error)
            os.write(writing, text.encode())
            os.close(writing)
            os.read(waiting, 1)
            os._exit(0)  # reached where the tests themselves are killed
        os.close(writing)
        os.close(waiting)

    def said(self) -> str:
        return os.read(self.reading, 9999).decode()

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.close(self.telling)
            os.close(self.reading)
            os.waitpid(self.pid, 0)
            self.pid = 0


@pytest.fixture
def child() -> Iterator[Callable[[Callable[[], str]], Child]]:
    children: list[Child] = []

    def make(first: Callable[[], str]) -> Child:
        children.append(Child(first))
        return children[-1]

    yield make
    for each in children:
        each.kill()


def taking(place: str, key: str = KEY) -> Callable[[], str]:
    kept = []

    def first() -> str:
        kept.append(lock.take(place, key))
        return "held" if kept[0].held else kept[0].why

    return first


def path(place: str) -> str:
    return f"{place}/188%3A0.lock"


def text(place: str) -> dict:
    with open(path(place), "rb") as file:
        data = file.read()
    assert len(data) == lock.WIDTH
    said: dict = json.loads(data)
    return said


def test_a_second_reader_is_told_who_holds_the_device_and_since_when(place, child, monkeypatch):
    other = child(taking(place))
    assert other.said() == "held"
    now = clock.boottime()
    monkeypatch.setattr(clock, "boottime", lambda: now + 41)
    with pytest.raises(
        Locked, match=rf"^held for 41 s by pid {other.pid} \(.+\), state [SRD](, in \w+)?$"
    ) as caught:
        lock.take(place, KEY)
    assert caught.value.state == "locked"
    seen = lock.holder(place, KEY)
    assert seen is not None
    assert seen.process is not None
    assert seen.process.pid == other.pid


def test_a_released_lock_is_free(place):
    first = lock.take(place, KEY)
    assert first.held
    with pytest.raises(Locked, match=f"by pid {os.getpid()} "):
        lock.take(place, KEY)
    for _ in range(2):
        first.release()
        assert lock.holder(place, KEY) is None
    second = lock.take(place, KEY)
    assert second.held
    second.release()


def test_other_devices_are_free(place):
    taken = [lock.take(place, key) for key in (KEY, "tcp://a/b:1", "00:80:25:15:B6:06", "", "ü")]
    assert all(each.held for each in taken)
    assert len(os.listdir(place)) == len(taken)
    for each in taken:
        each.release()


def test_a_killed_holder_leaves_no_lock_and_is_not_believed(place, child):
    other = child(taking(place))
    assert other.said() == "held"
    other.kill()
    assert lock.holder(place, KEY) is None
    mine = lock.take(place, KEY)
    assert mine.held
    assert text(place)["pid"] == os.getpid()
    mine.release()


def test_of_many_that_race_for_a_new_file_one_wins(place, child):
    starting, go = os.pipe()

    def race() -> str:
        os.read(starting, 1)
        return taking(place)()

    children = [child(race) for _ in range(16)]
    os.write(go, b"x" * len(children))
    said = [each.said() for each in children]
    assert sorted(word.split(":")[0] for word in said) == ["Locked"] * 15 + ["held"]
    os.close(go)
    os.close(starting)


def test_a_file_removed_between_open_and_flock_is_no_lock(place, monkeypatch):
    real = fcntl.flock
    removals = iter([1, 2, 3])

    def flock(fd: int, how: int) -> None:
        if next(removals, None):
            os.unlink(path(place))
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    mine = lock.take(place, KEY)
    assert mine.held
    with pytest.raises(Locked):
        lock.take(place, KEY)
    mine.release()


def test_a_forked_child_does_not_keep_the_lock(place, child):
    mine = lock.take(place, KEY)
    heir = child(lambda: f"held {mine.held}")
    assert heir.said() == "held False"
    with pytest.raises(Locked):  # the child closed its descriptor, and the lock of its parent still stands
        lock.take(place, KEY)
    mine.forget()  # as if this process had died without a word, while its child lives on
    again = lock.take(place, KEY)
    assert again.held
    again.release()


def test_a_child_that_releases_does_not_take_the_lock_from_its_parent(place, child):
    mine = lock.take(place, KEY)

    def release() -> str:
        mine.release()
        mine.note_request(1.0)
        return "done"

    assert child(release).said() == "done"
    with pytest.raises(Locked):
        lock.take(place, KEY)
    assert text(place)["last_request"] is None
    mine.release()


def test_a_started_program_does_not_keep_the_lock(place):
    mine = lock.take(place, KEY)
    program = subprocess.Popen(
        [sys.executable, "-c", "print(); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    )
    assert program.stdout is not None
    program.stdout.readline()
    mine.forget()
    again = lock.take(place, KEY)
    assert again.held
    program.communicate(b"\n")
    again.release()


def test_the_time_of_the_last_request_outlives_its_process(place, child):
    asked = round(clock.boottime(), 3)

    def ask() -> str:
        kept = lock.take(place, KEY)
        kept.note_request(asked - 5)
        kept.note_request(asked)
        return "asked"

    other = child(ask)
    assert other.said() == "asked"
    other.kill()
    for _ in range(2):
        mine = lock.take(place, KEY)
        assert mine.last_request == asked
        mine.release()


@pytest.mark.parametrize(
    "change",
    [
        {"boot_id": "11111111-2222-3333-4444-555555555555"},
        {"last_request": 1e12},
        {"last_request": -1},
        {"last_request": "5"},
        {"last_request": None},
    ],
)
def test_a_time_of_another_boot_or_beyond_now_is_none(place, change):
    mine = lock.take(place, KEY)
    mine.note_request(clock.boottime())
    mine.release()
    said = {**text(place), **change}
    with open(path(place), "w", encoding="ascii") as file:
        file.write(json.dumps(said))
    mine = lock.take(place, KEY)
    assert mine.last_request is None
    mine.release()
    assert text(place)["boot_id"] == clock.boot_id()


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 256, b"[]", b"{", b"\xff" * 300, b'{"boot_id": 1, "pid": "x"}']
)
def test_a_damaged_file_is_a_file(place, data):
    with open(path(place), "wb") as file:
        file.write(data)
    mine = lock.take(place, KEY)
    assert mine.held
    assert mine.last_request is None
    with pytest.raises(Locked, match=f"by pid {os.getpid()} "):
        lock.take(place, KEY)
    mine.release()


def test_a_holder_that_could_not_write_is_named_by_the_kernel_not_by_old_text(place, child, monkeypatch):
    lock.take(place, KEY).release()  # the text now names this process, which lives

    def silent() -> str:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        kept.append(lock.take(place, KEY))
        kept[0].note_request(1.0)
        return f"held {kept[0].held}, asked {kept[0].last_request}"

    kept: list[lock.Lock] = []
    other = child(silent)
    assert other.said() == "held True, asked 1.0"
    with pytest.raises(Locked, match=rf"^held by pid {other.pid} "):
        lock.take(place, KEY)


def test_where_the_kernel_does_not_tell_the_text_is_believed_only_of_a_living_process(
    place, child, monkeypatch
):
    other = child(taking(place))
    assert other.said() == "held"
    monkeypatch.setattr(lock, "_flock_pids", lambda _: None)
    with pytest.raises(Locked, match=f"by pid {other.pid} "):
        lock.take(place, KEY)
    monkeypatch.setattr(proc, "state", lambda *_: None)
    with pytest.raises(Locked, match=r"^held by a process that does not show itself$"):
        lock.take(place, KEY)


def test_a_pid_that_is_another_process_by_now_is_not_blamed(place, child):
    other = child(taking(place))
    assert other.said() == "held"
    said = text(place)
    stranger = os.getppid()
    with open(path(place), "r+b") as file:
        file.write(json.dumps({**said, "pid": stranger, "start": 1}).ljust(lock.WIDTH - 1).encode())
    with pytest.raises(Locked, match=rf"^held by pid {other.pid} "):
        lock.take(place, KEY)


def test_a_file_that_may_only_be_read_can_be_locked(place, ordinary):
    with open(path(place), "wb"):
        pass
    os.chmod(path(place), 0o444)

    def both() -> str:
        mine = lock.take(place, KEY)
        mine.note_request(1.0)
        try:
            lock.take(place, KEY)
        except Locked as error:
            return f"{mine.held} {mine.last_request} {str(error).split('(', maxsplit=1)[0]}"
        return "not locked"

    said = ordinary(both)
    assert said.startswith("True 1.0 held by pid ")


def test_where_no_file_can_be_made_a_reader_goes_on_without(place, ordinary):
    os.chmod(place, 0o555)

    def without() -> str:
        mine = lock.take(place, KEY)
        mine.note_request(7.0)
        mine.release()
        return f"{mine.held} {mine.why} {mine.last_request}"

    assert ordinary(without) == f"False no lock: {path(place)}: Permission denied 7.0"
    os.chmod(place, 0o755)
    missing = lock.take(f"{place}/missing", KEY)
    assert (missing.held, missing.why) == (
        False,
        f"no lock: {place}/missing/188%3A0.lock: No such file or directory",
    )


def test_a_link_or_a_directory_in_the_files_place_is_no_lock(place):
    os.symlink("/etc/passwd", path(place))
    mine = lock.take(place, KEY)
    assert not mine.held
    os.unlink(path(place))
    os.mkdir(path(place))
    assert not lock.take(place, KEY).held


def test_a_file_system_without_locks_is_no_reason_to_fail(place, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    mine = lock.take(place, KEY)
    assert (mine.held, mine.why) == (False, f"no lock: {path(place)}: No locks available")


def test_no_descriptor_is_left_behind(place):
    before = os.listdir("/proc/self/fd")
    mine = lock.take(place, KEY)
    for _ in range(3):
        with pytest.raises(Locked):
            lock.take(place, KEY)
        lock.holder(place, KEY)
    mine.release()
    assert os.listdir("/proc/self/fd") == before
