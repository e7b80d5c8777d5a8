"""Time that nobody can set (CLOCK_BOOTTIME with the boot id), and whether the wall clock is to be believed."""

import time


def boottime() -> float:
    """Seconds since this machine was started, suspend included; no setting of the clock touches it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The kernel's name of this boot, "" without /proc."""
    raise NotImplementedError


def process_age() -> float:
    """Seconds since this process was started (forked, before exec), 0.0 without /proc."""
    raise NotImplementedError


def evidence(setting: str) -> bool:
    """Cheap signs that the wall clock is right; `setting` is `[clock] trust`: auto, always, never."""
    raise NotImplementedError


def kernel_synchronised() -> bool | None:
    """What the kernel says (adjtimex), None where it cannot be asked."""
    raise NotImplementedError


def latch(directory: str) -> bool:
    """Whether trust was gained earlier in this boot."""
    raise NotImplementedError


def set_latch(directory: str) -> bool:
    """Keeps trust for this boot; False where it could not be written (never raises)."""
    raise NotImplementedError


def trusted(setting: str, directory: str) -> bool:
    """The whole answer: setting, cheap signs, latch, kernel; latches what it found."""
    raise NotImplementedError
