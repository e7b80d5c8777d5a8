"""What the kernel says about a process, without ever waiting for it.

Only stat and wchan are read: cmdline, environ and maps take the memory lock of the process, behind which a reader hangs
when the process hangs in a page fault.
"""

from typing import NamedTuple


class Process(NamedTuple):
    """One process as /proc shows it."""

    pid: int
    name: str
    """The kernel's name of it (comm), 15 characters at most: pv-read for a script of that name."""
    letter: str
    """Its state: R S D Z T t I X; D is an uninterruptible sleep, which no signal ends."""
    start_ticks: int
    """When it was forked, in clock ticks since boot: with the pid it names a process for the whole boot."""
    wchan: str
    """The kernel function it sleeps in, "" when it runs or another user may not know."""


def state(pid: int, start_ticks: int | None = None) -> Process | None:
    """The process; None when it is gone, or, with `start_ticks`, when the pid is another process by now."""
    try:
        with open(f"/proc/{pid:d}/stat", "rb") as file:
            head, _, tail = file.read().rpartition(b")")
    except OSError:
        return None
    fields = tail.split()
    started = int(fields[19])
    if start_ticks is not None and started != start_ticks:
        return None
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    return Process(pid, name, fields[0].decode("ascii"), started, _wchan(pid))


def _wchan(pid: int) -> str:
    try:
        with open(f"/proc/{pid:d}/wchan", "rb") as file:
            name = file.read().decode("ascii", "replace")
    except OSError:
        return ""
    return "" if name == "0" else name


def describe(process: Process) -> str:
    """For example "pid 4711 (pv-read), state D, in usb_serial_generic_write"."""
    where = f", in {process.wchan}" if process.wchan else ""
    return f"pid {process.pid} ({process.name}), state {process.letter}{where}"
