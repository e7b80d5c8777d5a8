"""A link in virtual time: reading moves the clock to the next byte or to the timeout, and nobody ever sleeps."""

from pv_exec.box.errors import PortMissing
from pv_exec.sim.line import AWAY, HangUp, Line


class VirtualLink:
    """The `Link` of a driver, wired to a Line. `now()` is its clock, in seconds; only `read` and `sleep` move it.

    `baudrate`: what the port is set to; None: to what the line has.
    """

    def __init__(self, line: Line, *, start: float = 0.0, baudrate: int | None = None) -> None:
        self.line = line
        self.baudrate = baudrate
        self.clock = start
        self.away_until: float | None = None

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        """Let time pass; what the line says meanwhile waits to be read."""
        self.clock += max(seconds, 0.0)

    def write(self, data: bytes) -> None:
        """Begin to send now. The clock stays: a port takes bytes at once and sends them while the caller goes on."""
        if self.away_until is not None:
            raise PortMissing("the port went away")
        self.line.send(data, self.clock, self.baudrate)

    def read(self, seconds: float) -> bytes:
        """Return what is there, at once or as soon as something comes; b"" after so many seconds."""
        if self.away_until is not None:
            raise PortMissing("the port went away")
        due = self.line.next_at()
        limit = self.clock + seconds
        if due is None or due > limit:
            if seconds > 0:
                self.clock = limit
            return b""
        self.clock = max(self.clock, due)
        try:
            return self.line.take(self.clock)
        except HangUp:
            self.away_until = self.clock + AWAY
            raise PortMissing("the port went away") from None

    def reopen(self) -> None:
        """Open the port again after a hang-up. PortMissing while it is still gone."""
        if self.away_until is not None and self.clock < self.away_until:
            raise PortMissing("the port is gone")
        self.away_until = None

    def close(self) -> None:
        pass
