"""A half-duplex line in a time that is given: one master, stations that answer, bytes that take their time.

Pure: nobody sleeps here. `sim/virtual.py` moves a clock of its own to the next byte, `sim/serve.py` waits for it.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pv_exec.sim import uart
from pv_exec.sim.faults import Faults, parse

CHUNK = 16
"""Most bytes handed over at once: an FTDI adapter hands over every 16 ms, which is 15 bytes at 9600 baud."""

AWAY = 3.0
"""Seconds a port is gone after a hang-up."""


class Stations(Protocol):
    """The stations of one line: a family's simulator."""

    BAUD: int

    @property
    def notes(self) -> Sequence[str]:
        """What the master did that it may not do, a sentence each."""

    def hear(self, data: bytes, now: float) -> Sequence[tuple[float, bytes, int]]:
        """Take what the master sends from `now` (s) on.

        Returns what the stations answer: seconds from the end of the request, the bytes, and by what `only` names the
        station (its address or serial number).

        Where somebody speaks without being asked, such as a second master, there is a method `unasked` besides: it takes
        a moment of the line's clock, and returns what is said next after it, as begin, bytes, speaker.
        """


class HangUp(Exception):
    """The port went away."""


class _Burst(NamedTuple):
    """Bytes that follow each other without a pause; without any: a hang-up."""

    start: float
    data: bytes
    driven: bool
    """A station drives the line (it can collide); False: made in the adapter (echo) or in a bridge (late)."""


class Line:
    """One line with its stations and faults. All times are seconds of one clock, which never goes back.

    `fast`: bytes take no time and stations answer at once; only `slow` and `late` still mean seconds.
    """

    def __init__(
        self,
        stations: Stations,
        *,
        seed: int = 0,
        faults: Mapping[str, str] | Faults | None = None,
        fast: bool = False,
    ) -> None:
        self.stations = stations
        self.faults = faults if isinstance(faults, Faults) else parse(faults or {})
        self.fast = fast
        self.byte = 0.0 if fast else uart.BITS / stations.BAUD
        """Seconds a byte takes."""
        self.interrupted: list[str] = []
        """Requests that were sent while a station was talking, a sentence each."""
        self.random = random.Random(seed)
        self._bursts: list[_Burst] = []
        self._at = 0
        self._size = 0
        self._due: float | None = None
        self._answers: dict[int, int] = {}
        self._babble: float | None = None
        self._drawn_to = -math.inf
        """Until when it is known what is said without being asked."""

    @property
    def notes(self) -> list[str]:
        """What the master did wrong, a sentence each."""
        return [*self.stations.notes, *self.interrupted]

    def send(self, data: bytes, now: float, baudrate: int | None = None) -> None:
        """Take bytes that the master begins to send now. `baudrate`: its speed where it is known; at another one nobody understands."""
        byte = self.byte
        end = now + len(data) * byte
        understood = baudrate in {None, self.stations.BAUD}
        answers = self.stations.hear(data, now) if understood else ()
        broken = bool(self._bursts) and self._talk_over(now, end)
        faults = self.faults
        if faults.echo:
            echo = data if faults.echo == "clean" else uart.inverted(data)
            self._add(_Burst(now, echo, driven=False))
        if faults.babble and self._babble is None:
            self._babble = now
        if broken or faults.night or faults.babble:
            answers = ()
        for delay, answer, station in answers:
            start = end if self.fast else end + delay
            count = self._answers[station] = self._answers.get(station, 0) + 1
            spared = faults.first is not None and count > faults.first
            if spared or (faults.only is not None and station != faults.only):
                self._add(_Burst(start, answer, driven=True))
            else:
                self._spoil(answer, start)
        self._draw(now)
        self._plan()

    def next_at(self) -> float | None:
        """When the next bytes are handed over; None: the line stays idle."""
        return self._due

    def take(self, now: float) -> bytes:
        """Hand over everything that is due. Raises HangUp once the port is gone."""
        due = self._due
        if due is None or due > now:
            return b""
        out: list[bytes] = []
        while due is not None and due <= now:
            data = self._bursts[0].data
            if not data:
                if out:
                    break
                self._bursts.clear()
                self._plan()
                raise HangUp
            out.append(data[self._at : self._at + self._size])
            self._at += self._size
            if self._at >= len(data):
                del self._bursts[0]
                self._at = 0
            self._draw(now)
            self._plan()
            due = self._due
        return b"".join(out) if len(out) > 1 else out[0]

    def _draw(self, now: float) -> None:
        """Put on the line what is said next without being asked, once the last of it has begun.

        So it begins with our first request: before it nobody tells the time. What nobody waited for is not said later.
        """
        if self._drawn_to > now or not hasattr(self.stations, "unasked"):
            return
        said = self.stations.unasked(now)
        for start, data, _ in said:
            self._add(_Burst(start, data, driven=True))
        self._drawn_to = max((start for start, _, _ in said), default=math.inf)

    def _plan(self) -> None:
        """Settle when the next piece is handed over: when its last byte is through."""
        if not self._bursts:
            if self._babble is None:
                self._due = None
                return
            noise = self.random.randbytes(CHUNK)
            self._bursts.append(_Burst(self._babble, noise, driven=False))
            self._babble += CHUNK * (self.byte or 0.001)
            if not self.byte:
                self._bursts[0] = self._bursts[0]._replace(start=self._babble)
        burst = self._bursts[0]
        left = len(burst.data) - self._at
        size = self.faults.chunks or 1 + (self.random.getrandbits(10) % CHUNK)
        self._size = min(left, size)
        self._due = burst.start + (self._at + self._size) * self.byte

    def _spoil(self, answer: bytes, start: float) -> None:
        """Put an answer on the line with the line's faults."""
        faults = self.faults
        start += faults.slow
        if faults.truncate is not None:
            answer = answer[: faults.truncate]
        if faults.drop:
            answer = bytes(byte for byte in answer if self.random.random() >= faults.drop)
        if faults.flip:
            answer = bytes(byte ^ self._flips() for byte in answer)
        randbytes = self.random.randbytes
        before = randbytes(faults.noise_before) + bytes(faults.nul)
        answer = before + answer + bytes(faults.nul) + randbytes(faults.noise_after)
        start -= len(before) * self.byte
        if faults.hang_up is not None:
            answer = answer[: faults.hang_up]
        if answer:
            self._add(_Burst(start, answer, driven=True))
        if faults.hang_up is not None:
            self._add(_Burst(start + len(answer) * self.byte, b"", driven=False))
        elif faults.late is not None and answer:
            self._add(_Burst(start + faults.late, answer, driven=False))

    def _flips(self) -> int:
        chance = self.random.random
        flip = self.faults.flip
        return sum(1 << bit for bit in range(8) if chance() < flip)

    def _end(self, burst: _Burst) -> float:
        return burst.start + len(burst.data) * self.byte

    def _add(self, new: _Burst) -> None:
        """Put a burst in its place; two stations at once collide, what a bridge delivers late waits its turn."""
        bursts = self._bursts
        if not bursts:
            bursts.append(new)
            return
        for i, old in enumerate(bursts):
            if new.start < self._end(old) and old.start < self._end(new):
                if new.driven and old.driven:
                    del bursts[i]
                    self._add(self._collided(old, new))
                    return
                # Never inside another burst: a bridge hands over packets.
                if i == 0 and self._at:
                    new = new._replace(start=self._end(old))
                elif new.driven:
                    bursts[i] = old._replace(start=self._end(new))
                else:
                    new = new._replace(start=self._end(old))
        bursts.append(new)
        head = bursts[0]
        bursts.sort(key=lambda burst: burst.start)
        if self._at and bursts[0] is not head:  # half handed over: it stays in front
            bursts.remove(head)
            bursts.insert(0, head)

    def _collided(self, one: _Burst, two: _Burst) -> _Burst:
        first, second = (one, two) if one.start <= two.start else (two, one)
        later = round((second.start - first.start) / self.byte * uart.BITS)
        random = self.random
        soup = uart.overlaid(first.data, second.data, later, lambda: random.getrandbits(1))
        return _Burst(first.start, soup, driven=True)

    def _talk_over(self, start: float, end: float) -> bool:
        """Take from the line what is lost while the master itself sends; True when stations were talking just then.

        The receiver of a half-duplex adapter is off meanwhile, and the stations hear no whole request.
        """
        broken = False
        for i, burst in enumerate(self._bursts):
            if not burst.driven or burst.start >= end or self._end(burst) <= start:
                continue
            if not broken:
                self.interrupted.append(f"at {start:.3f} s: sent while a station was talking")
            broken = True
            lost_from = max(int((start - burst.start) / self.byte), self._at if i == 0 else 0)
            lost_to = max(-int((burst.start - end) / self.byte // 1), lost_from)
            self._bursts[i] = burst._replace(data=burst.data[:lost_from] + burst.data[lost_to:])
        if broken:
            if len(self._bursts[0].data) <= self._at:
                del self._bursts[0]
                self._at = 0
            self._bursts = [burst for burst in self._bursts if burst.data or not burst.driven]
        return broken
