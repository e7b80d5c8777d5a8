"""What the kernel says about a process, without ever waiting for it."""

from typing import NamedTuple


class Process(NamedTuple):
    """One process as /proc shows it."""

    pid: int
    name: str
    letter: str
    start_ticks: int
    wchan: str


def state(pid: int, start_ticks: int | None = None) -> Process | None:
    """The process, None when it is gone (or, with `start_ticks`, when the pid is another's by now)."""
    raise NotImplementedError


def describe(process: Process) -> str:
    """For example "pid 4711 (pv-read), state D, in usb_serial_generic_write"."""
    raise NotImplementedError
