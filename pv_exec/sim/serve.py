"""Serves a simulated line on a real pty or TCP port, byte by byte as a wire would.

One process, one epoll, no thread. What the line says while nobody listens is lost, as it is on a wire.
"""

import contextlib
import errno
import fcntl
import os
import pty
import select
import signal
import socket
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from pv_exec.box.errors import PortDenied, PortMissing, Usage
from pv_exec.sim.line import AWAY, HangUp, Line

JITTER = 0.02
"""Seconds by which this process may see a request too early or late: two processes share a machine, not a wire.

8 ms were seen with both cores at work, where the reader itself had kept the second.
"""


class End(Protocol):
    """Where the master is plugged in."""

    address: str
    """What a configuration writes as `port`."""

    def open(self, epoll: select.epoll) -> None:
        """Be there, from now on."""

    def hear(self, fd: int) -> bytes:
        """What the master sent, after an event on a file descriptor that may be somebody else's."""

    def say(self, data: bytes) -> None:
        """Hand bytes to the master if one listens."""

    def baudrate(self) -> int | None:
        """The speed that the master has set; None: nobody did, or there is none to be set."""

    def close(self) -> None:
        """Be gone; `open` brings it back."""


UNTOUCHED = termios.B50
"""Speed of a fresh pseudo terminal, which no inverter has: so it is seen whether a master has set one."""

_SPEEDS = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdecimal() and getattr(termios, name) != UNTOUCHED
}


def _mark(slave: int) -> None:
    modes = termios.tcgetattr(slave)
    modes[4] = modes[5] = UNTOUCHED
    termios.tcsetattr(slave, termios.TCSANOW, modes)


class Pty:
    """A pseudo terminal behind a symlink."""

    def __init__(self, path: str) -> None:
        self.address = self.path = os.path.abspath(path)
        if os.path.lexists(path) and not os.path.islink(path):
            raise Usage(f"{path} is there already and no symlink", "name a path that is free")
        self.master = -1
        self.slave = ""
        self.epoll: select.epoll | None = None
        self._cleaned = False

    def open(self, epoll: select.epoll) -> None:
        self.epoll = epoll
        self.master, slave = pty.openpty()
        self.slave = os.ttyname(slave)
        tty.setraw(slave)
        _mark(slave)
        # Ours is closed again: only so does the master see when the last reader leaves.
        os.close(slave)
        os.set_blocking(self.master, False)
        # Edge triggered: a master without a reader is "hung up" all the time, and would never let us sleep.
        epoll.register(self.master, select.EPOLLIN | select.EPOLLET)
        self._cleaned = True
        fresh = f"{self.path}.{os.getpid()}"
        try:
            os.symlink(self.slave, fresh)
            os.rename(fresh, self.path)
        except PermissionError as error:
            raise PortDenied(f"{self.path} cannot be made ({error.strerror})") from error
        except OSError as error:
            raise PortMissing(f"{self.path} cannot be made ({error.strerror})") from error

    def hear(self, fd: int) -> bytes:
        if fd != self.master:
            return b""
        heard = b""
        while True:
            try:
                data = os.read(self.master, 4096)
            except BlockingIOError:
                return heard
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self._left(quiet=not heard)
                return heard
            heard += data
            self._cleaned = False

    def _left(self, *, quiet: bool) -> None:
        """The last reader closed the port. Leave nothing of him behind: a port forgets what nobody is there to read."""
        if self._cleaned and quiet:
            self._cleaned = False  # this was our own closing, below
            return
        try:
            slave = os.open(self.slave, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            # A TIOCEXCL outlives its setter while a master is there, and keeps even us out: another pty, same name.
            os.close(self.master)
            if self.epoll:
                self.open(self.epoll)
            return
        fcntl.ioctl(slave, termios.TIOCNXCL)  # root may open it all the same
        termios.tcflush(slave, termios.TCIFLUSH)
        self._cleaned = True
        os.close(slave)

    def baudrate(self) -> int | None:
        with contextlib.suppress(OSError, termios.error):
            speed = termios.tcgetattr(self.master)[5]  # of the pair, which is what the slave's user has set
            return _SPEEDS.get(speed)
        return None

    def say(self, data: bytes) -> None:
        poll = select.poll()
        poll.register(self.master, select.POLLOUT)
        events = poll.poll(0)
        if events and not events[0][1] & select.POLLHUP:
            with contextlib.suppress(OSError):  # full: the reader does not read, and a UART overruns
                os.write(self.master, data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            if os.readlink(self.path) == self.slave:
                os.unlink(self.path)
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


class Tcp:
    """A listener as ser2net has it: one client at a time, a second one is hung up on at once."""

    def __init__(self, place: str) -> None:
        host, colon, port = place.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise Usage(
                f"{place} is no HOST:PORT", "write for example 127.0.0.1:4711; port 0 takes a free one"
            )
        self.host, self.port = host.strip("[]") or "127.0.0.1", int(port)
        self.address = f"tcp://{place}"
        self.listener: socket.socket | None = None
        self.client: socket.socket | None = None
        self.epoll: select.epoll | None = None

    def open(self, epoll: select.epoll) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.epoll = epoll
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.listener.bind((self.host, self.port))
        except OSError as error:
            self.listener.close()
            self.listener = None
            raise PortDenied(f"{self.host}:{self.port} cannot be listened on ({error.strerror})") from error
        self.listener.listen()
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.address = (
            f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"
        )
        epoll.register(self.listener, select.EPOLLIN)

    def hear(self, fd: int) -> bytes:
        data = b""
        if self.client and fd == self.client.fileno():
            data = self._read()
        elif self.listener and fd == self.listener.fileno():
            data = self._read()  # who left a moment ago must not keep the next one out
            with contextlib.suppress(OSError):
                self._welcome(self.listener.accept()[0])
        return data

    def _welcome(self, client: socket.socket) -> None:
        if self.client or not self.epoll:
            client.close()
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.epoll.register(client, select.EPOLLIN)
        self.client = client

    def _read(self) -> bytes:
        if not self.client:
            return b""
        try:
            data = self.client.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.client.close()
            self.client = None
        return data

    def baudrate(self) -> int | None:
        return None  # a bridge has its own

    def say(self, data: bytes) -> None:
        if self.client:
            with contextlib.suppress(OSError):
                self.client.send(data)

    def close(self) -> None:
        for one in (self.listener, self.client):  # who is hung up on finds nobody who would take him again
            if one:
                one.close()
        self.client = self.listener = None


class _Port:
    """A line at its end, which may be away for a while after a hang-up."""

    def __init__(self, line: Line, end: End) -> None:
        self.line = line
        self.end = end
        self.back: float | None = None

    def due(self) -> float | None:
        """When there is something to do."""
        return self.line.next_at() if self.back is None else self.back

    def hear(self, fd: int, now: Callable[[], float]) -> None:
        if data := self.end.hear(fd):
            self.line.send(data, now(), self.end.baudrate())

    def go_on(self, epoll: select.epoll, now: Callable[[], float]) -> None:
        """Do what is due."""
        if self.back is not None and now() >= self.back:
            self.back = None
            self.end.open(epoll)
        try:
            if self.back is None and (said := self.line.take(now())):
                self.end.say(said)
        except HangUp:
            self.end.close()
            self.back = now() + AWAY


def serve(
    line: Line,
    end: End,
    *,
    ready: Callable[[str], int | None],
    stop: int,
    now: Callable[[], float] = time.monotonic,
    beside: Sequence[tuple[Line, End]] = (),
) -> None:
    """Play the line at an end until `stop`, a file descriptor, is readable. Raises LinkError when the end cannot be made.

    `ready` is called with the address as soon as it can be opened; it may return another file descriptor, which
    ends the play too, and is closed then. `beside`: further lines, each at an end of its own.
    """
    ports = [_Port(line, end), *(_Port(*pair) for pair in beside)]
    with select.epoll() as epoll:
        epoll.register(stop, select.EPOLLIN)
        until: int | None = None
        try:
            for port in ports:
                port.end.open(epoll)
            until = ready(end.address)
            if until is not None:
                epoll.register(until, select.EPOLLIN)
            while True:
                due = min((at for port in ports if (at := port.due()) is not None), default=None)
                for fd, _ in epoll.poll(None if due is None else max(due - now(), 0.0)):
                    if fd in {stop, until}:
                        return
                    for port in ports:
                        port.hear(fd, now)
                for port in ports:
                    port.go_on(epoll, now)
        finally:
            for port in ports:
                port.end.close()
            if until is not None:
                os.close(until)


@contextlib.contextmanager
def signals() -> Iterator[int]:
    """A file descriptor from which the number of a SIGTERM or SIGINT can be read, one byte each.

    Not an exception: that could come between the start of a child and our knowing of it.
    """
    heard, said = os.pipe()
    os.set_blocking(said, False)
    old = signal.set_wakeup_fd(said)
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old)
        os.close(said)
        os.close(heard)


def tell_notes(line: Line) -> None:
    """Say on stderr what the master did that it may not do."""
    for note in line.notes:
        print(f"pv-sim: {note}", file=sys.stderr)
