"""One reader per device: flock on a file that says who holds it, since when, and when the device was last asked.

The lock is the kernel's flock and goes with its holder, however that dies. What stands in the file is only told to people:
it is believed when it is of this boot and its process is still there, else the kernel is asked (/proc/locks).
Nothing here blocks, also where the file system is frozen under a holder in state D: an existing file is opened without
O_CREAT, which needs no write to begin, and locked before it is written to.
"""

import errno
import fcntl
import json
import os
from typing import Any, NamedTuple

from pv_exec.box import clock, paths, proc
from pv_exec.box.errors import Locked

WIDTH = 256
"""Bytes of the file, always: a later note needs no space on a full disk, and no reader meets a shorter one."""


class Lock:
    """A taken lock, or one that could not be had for reasons of the disk: then `held` is False and `why` says so.

    A forked child shares the lock of its parent: the device would stay locked until the last of them ends. So the
    descriptor is closed in every child of os.fork() by itself, and with O_CLOEXEC in every program that is started. Only a
    fork below Python (a C library's) keeps it.
    """

    def __init__(self, fd: int, why: str, key: str) -> None:
        self.key = key
        self.why = why
        self.last_request: float | None = None
        """CLOCK_BOOTTIME, s, of the last request on this device in this boot, by whichever process."""
        self._fd = fd
        self._said: dict[str, Any] = {}
        if fd >= 0:
            self._said = _read(fd)
            self.last_request = _time_of_this_boot(self._said, "last_request")
            _open_locks.add(self)

    @property
    def held(self) -> bool:
        """Whether this process keeps others out."""
        return self._fd >= 0

    def say(self) -> None:
        """Writes who we are into the file."""
        pid = os.getpid()
        me = proc.state(pid)
        self._said = {"boot_id": clock.boot_id(), "pid": pid, "start": me.start_ticks if me else 0,
                      "since": round(clock.boottime(), 3), "last_request": self.last_request}  # fmt: skip
        self._write()

    def note_request(self, boottime: float) -> None:
        """Writes down when the device was asked (CLOCK_BOOTTIME, s); a full or read-only disk is no reason to fail."""
        self.last_request = boottime
        self._said["last_request"] = round(boottime, 3)
        self._write()

    def _write(self) -> None:
        if self._fd >= 0:
            try:
                os.pwrite(self._fd, json.dumps(self._said).ljust(WIDTH - 1).encode() + b"\n", 0)
            except OSError:  # full, read-only, opened for reading only: the lock itself holds
                pass

    def release(self) -> None:
        """Gives the lock back, also where a child of a C library still shares it. Harmless when not held, or twice."""
        if self._fd >= 0:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            finally:
                self.forget()

    def forget(self) -> None:
        """Closes the descriptor without unlocking: what a child does that must leave the lock to its parent."""
        _open_locks.discard(self)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


_open_locks: set[Lock] = set()


def _forget() -> None:
    for lock in tuple(_open_locks):
        lock.forget()


os.register_at_fork(after_in_child=_forget)


class Holder(NamedTuple):
    """Who holds a lock; `since` is CLOCK_BOOTTIME in s, where it said so."""

    process: proc.Process | None
    since: float | None

    def __str__(self) -> str:
        """For example "held for 41 s by pid 4711 (pv-read), state D, in usb_serial_generic_write"."""
        long = "" if self.since is None else f" for {max(0.0, clock.boottime() - self.since):.0f} s"
        return f"held{long} by {proc.describe(self.process) if self.process else 'a process that does not show itself'}"


def take(directory: str, key: str) -> Lock:
    """Takes the lock of `key` (any text) in a runtime directory, at once; Locked says who has it.

    Where the directory or its disk does not allow a lock, the Lock that comes back holds nothing and says why: a read must
    not fail for that. Take it again to be sure after the reason went away. Two locks of one key exclude each other within a process too.
    """
    path = _path(directory, key)
    for _ in range(100):
        try:
            fd = _opened(path)
        except OSError as error:
            return Lock(-1, f"no lock: {path}: {error.strerror}", key)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            try:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    return Lock(-1, f"no lock: {path}: {error.strerror}", key)
                raise Locked(str(_holder(fd) or Holder(None, None))) from None
            finally:
                os.close(fd)
        if _is_still(path, fd):
            lock = Lock(fd, "", key)
            lock.say()
            return lock
        os.close(fd)  # a cleaner removed it between open and flock; another reader may hold the new one
    return Lock(-1, f"no lock: {path} is removed again and again", key)


def holder(directory: str, key: str) -> Holder | None:
    """Who holds the lock of `key` now; None: nobody, or nobody that can be seen. Takes no lock, so it disturbs no reader."""
    try:
        fd = os.open(_path(directory, key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _holder(fd)
    finally:
        os.close(fd)


def _path(directory: str, key: str) -> str:
    return f"{directory}/{paths.word(key)}.lock"


def _opened(path: str) -> int:
    """The lock file, made if missing; only for reading where writing is denied: flock needs no more."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    for _ in range(100):
        try:
            return os.open(path, os.O_RDWR | flags)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            return os.open(path, os.O_RDONLY | flags)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o600)
        except FileExistsError:  # another process was faster: take its file
            continue
        os.fchmod(fd, paths.mode_in(os.path.dirname(path)))
        return fd
    raise OSError(errno.EBUSY, "removed again and again", path)


def _is_still(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except OSError:
        return False


def _read(fd: int) -> dict[str, Any]:
    try:
        said = json.loads(os.pread(fd, WIDTH, 0))
    except (OSError, ValueError):  # empty, half written, zeros after a power cut
        return {}
    return said if isinstance(said, dict) else {}


def _time_of_this_boot(said: dict[str, Any], name: str) -> float | None:
    value = said.get(name)
    if said.get("boot_id") != clock.boot_id() or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= clock.boottime() + 0.01 else None  # it was rounded


def _holder(fd: int) -> Holder | None:
    """Who has the flock, by the kernel; `since` if the file says the same."""
    said = _read(fd)
    pids = _flock_pids(os.fstat(fd))
    pid, start, since = said.get("pid"), said.get("start"), _time_of_this_boot(said, "since")
    process = None
    if since is not None and isinstance(pid, int) and isinstance(start, int):
        process = proc.state(pid, start)
    if process and (pids is None or process.pid in pids):
        return Holder(process, since)
    return Holder(proc.state(pids[0]), None) if pids else None


def _flock_pids(file: os.stat_result) -> list[int] | None:
    """Pids that took a flock on a file, of /proc/locks ("1: FLOCK  ADVISORY  WRITE 4711 00:2d:1234 0 EOF"); None if unreadable.

    The device is the kernel's own, which on btrfs and overlayfs is not st_dev, so the inode alone decides there. A lock
    that only a child of a dead process keeps stands under the dead one's pid.
    """
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as locks:
            rows = [line.split() for line in locks if "FLOCK" in line]
    except OSError:
        return None
    rows = [row for row in rows if len(row) >= 8 and row[1] == "FLOCK" and row[5].endswith(f":{file.st_ino}")]
    device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    exact = [row for row in rows if row[5] == device]
    return [int(row[4]) for row in exact or rows if row[4].isdigit()]
