"""One reader per device: flock on a file that says who holds it, since when, and when the device was last asked."""

from typing import NamedTuple

from pv_exec.box import proc


class Lock:
    """A taken lock, or one that could not be had for reasons of the disk: then `held` is False and `why` says so."""

    held: bool
    why: str
    last_request: float | None
    """CLOCK_BOOTTIME of the last request on this device in this boot."""

    def note_request(self, boottime: float) -> None:
        """Writes down when the device was asked; never fails."""
        raise NotImplementedError

    def release(self) -> None:
        """Gives the lock back."""
        raise NotImplementedError


class Holder(NamedTuple):
    """Who holds a lock; `since` in CLOCK_BOOTTIME seconds where it said so."""

    process: proc.Process | None
    since: float | None


def take(directory: str, key: str) -> Lock:
    """Takes the lock of `key` at once or raises Locked with who holds it; disk trouble gives a Lock that is not held."""
    raise NotImplementedError


def holder(directory: str, key: str) -> Holder | None:
    """Who holds the lock of `key` now, without touching it; None: nobody (as far as can be seen)."""
    raise NotImplementedError
