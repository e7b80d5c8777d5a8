"""The Kaco inverters of one RS485 line, for tests and demonstrations: what they answer, when, and what can be wrong with it.

No I/O and no clock; `sim/line.py` gives the bytes their time on the wire. Knows the codec, never the driver.
"""

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pv_exec.drivers.kaco import codec
from pv_exec.drivers.kaco.messages import Answer, Measured, TypeName
from pv_exec.drivers.kaco.simulated.faults import FAULTS, read_faults
from pv_exec.drivers.kaco.simulated.kinds import OPTIONS, SPEC, Kind, read_list
from pv_exec.drivers.kaco.simulated.speech import encode, say, sum_at, wrong_sum
from pv_exec.drivers.kaco.simulated.station import Moment, Station

__all__ = ["BAUD", "FAULTS", "GAP", "INVERTERS", "OPTIONS", "SPEC", "Simulator", "Transmission"]

BAUD = 9600

INVERTERS = "1:8000xi,2:3x10k,3:390TL"
"""Three families on one line, for who does not say what he wants."""

GAP = 1.0
"""Seconds from one request to the next at the least (AN, HAN; shorter ones "silenced WR2 entirely", KSER)."""

TWIN_LATER = 0.073
"""Seconds between the answers of two units on one address: at command 0 about 70 bytes came through clean, then soup,
while the shorter answers to 3, 8 and 9 came one after the other (CAP)."""


class Transmission(NamedTuple):
    """What a station says."""

    delay: float
    """Seconds from the end of the request."""
    data: bytes
    station: int


class Simulator:
    """The inverters of one line. Raises ValueError, with a sentence, for a list or a fault it does not understand.

    `spec`: `ADDRESS:TYPE[:OPTION=VALUE]…` with commas between. `elevation`: unix time → degrees of the sun.
    `at`: unix time at which the sun stands still, so that values stay as they are; without it the time is
    `epoch` + `now`. `gap` and `jitter`: a request so many seconds after the last one is noted; 0: none is.
    """

    BAUD = BAUD

    def __init__(
        self,
        spec: str = INVERTERS,
        *,
        seed: int = 0,
        faults: Mapping[str, str] | None = None,
        elevation: Callable[[float], float],
        at: float | None = None,
        epoch: float = 0.0,
        gap: float = GAP,
        jitter: float = 0.0,
    ) -> None:
        kinds = read_list(spec)
        self.stations: dict[int, list[Station]] = {}
        for kind in kinds:
            station = Station(kind, seed=seed * 100 + kind.address, elevation=elevation)
            self.stations[kind.address] = [station]
        self.at = at
        self.epoch = epoch
        self.gap = gap - jitter - 1e-6 if gap else 0.0  # a microsecond for sums of floats
        self.too_early: list[str] = []
        self.forbidden: list[str] = []
        self._dice = random.Random(seed)
        self._heard = b""
        self._began = 0.0
        self._last: float | None = None
        self._ready: dict[tuple[int, str], bytes] = {}
        self._faults = read_faults(faults or {}, kinds)
        self._first = int(self._faults.pop("first")) if "first" in self._faults else None
        self._only = int(self._faults.pop("only")) if "only" in self._faults else None
        if twin := self._faults.pop("twin", None):
            self._double(int(twin), seed, elevation)

    @property
    def notes(self) -> list[str]:
        """What the master did that it may not do, a sentence each."""
        return self.too_early + self.forbidden

    def hear(self, data: bytes, now: float) -> list[Transmission]:
        """Take what the master sends from `now` (s) on, whole or in pieces, and return what the stations answer to it."""
        if not self._heard:
            self._began = now
        heard = self._heard + data
        said: list[Transmission] = []
        while (end := heard.find(b"\r")) >= 0:
            request = heard[: end + 1].lstrip(
                b"\n"
            )  # CRLF is tolerated (K485, DASH); its LF belongs to no request
            heard = heard[end + 1 :]
            said += self._asked(request, self._began, now)
            self._began = now
        self._heard = heard.lstrip(b"\n")[-64:]
        return said

    def _asked(self, request: bytes, began: float, now: float) -> list[Transmission]:
        if self._last is not None and began - self._last < self.gap:
            early = (
                f"at {began:.3f} s: {request!r} came {began - self._last:.3f} s after the request before it"
            )
            self.too_early.append(early)
        self._last = began
        asked = codec.decode_request(request)
        if asked is None or asked.command not in codec.COMMANDS:
            self.forbidden.append(f"at {began:.3f} s: {request!r} is nothing a reader may send")
            return []
        said = []
        for station in self.stations.get(asked.address, ()):
            data = self._answer(station, asked.command, now)
            if data:
                station.answered += 1
                said.append(Transmission(station.wait(), data, station.address))
        return said

    def _answer(self, station: Station, command: str, now: float) -> bytes:
        """The bytes of one station, faults included; empty: silence."""
        plain = self.at is not None and not self._faults
        key = station.address, command
        if plain and key in self._ready and len(self.stations[station.address]) == 1:
            return self._ready[key]
        t = self.at if self.at is not None else self.epoch + now
        data = self._spoilt(station, command, t, now)
        if plain:
            self._ready[key] = data
        return data

    def _spoilt(self, station: Station, command: str, t: float, now: float) -> bytes:
        stale = self._on("stale-day", station) is not None
        if self._dark(station, now) or (not stale and not station.daylight.awake(t)):
            return b""
        moment = self._moment(station, command, t, stale=stale)
        kind = station.kind
        if command == "3" and kind.family != "000xi":
            kind = self._shape_of_totals(station)
            if kind.totals == "none":
                return b""
            station.totals_given += 1
            moment = self._cleared(station, moment)
        answer = say(kind, command, moment, self._on("cosphi", station), station.serial)
        if answer is None:
            return b""
        if (foreign := self._on("foreign", station)) is not None and getattr(
            answer, "address", None
        ) is not None:
            answer = answer._replace(address=int(foreign))
        if (
            isinstance(answer, Measured)
            and answer.family == "00"
            and self._on("no-type", station) is not None
        ):
            answer = answer._replace(type=None)
        frame = encode(kind, answer)
        if self._on("wrong-sum", station) is not None:
            frame = wrong_sum(frame, answer)
        if self._on("digit-flip", station) is not None:
            frame = self._flipped(frame, answer)
        return frame[:-1] if self._on("no-cr", station) is not None else frame

    def _on(self, name: str, station: Station) -> str | None:
        """The value of a fault when it is to spoil this answer."""
        value = self._faults.get(name)
        if value is None or (self._only is not None and station.address != self._only):
            return None
        return None if self._first is not None and station.answered >= self._first else value

    def _dark(self, station: Station, now: float) -> bool:
        if self._faults.get("dark") == str(station.address):
            return True
        if (seconds := self._on("status15", station)) is None:
            return False
        if station.dusk is None:
            station.dusk = now
        return now - station.dusk > float(seconds)

    def _moment(self, station: Station, command: str, t: float, *, stale: bool) -> Moment:
        moment = station.moment(t)
        if stale:
            yesterday = station.daylight.whole_day(t, 1)
            moment = moment._replace(
                load=0.0 if not station.daylight.awake(t) else moment.load, today=yesterday
            )
        if self._on("status15", station) is not None and station.dusk is not None:
            moment = moment._replace(load=0.0, status=15)
        if (status := self._on("status", station)) is not None:
            moment = moment._replace(status=int(status))
        if (wanted := self._on("checksum", station)) is not None:
            moment = self._fitting(station, command, moment, int(wanted, 16))
        return moment

    def _fitting(self, station: Station, command: str, moment: Moment, wanted: int) -> Moment:
        """A moment near this one whose frame has the wanted sum; kept, so that command 3 tells the same energy."""
        kind = station.kind
        if kind.family == "generic":
            return moment
        asked = command if kind.family == "000xi" and command in "123" else "0"
        key = asked, f"{wanted:02X}"
        if key not in station.fitting:
            dice = random.Random(station.address)
            for _ in range(30_000):
                load = 0.01 + 0.94 * dice.random() ** 3  # small values too: fewer digits, other sums
                today = moment.today._replace(full_hours=8 * dice.random() ** 3)
                guess = moment._replace(load=load, drift=2 * dice.random() - 1, today=today)
                answer = say(kind, asked, guess, None, "")
                if answer is None or not isinstance(answer, Measured):
                    return moment
                frame = encode(kind, answer)
                if frame[sum_at(frame, answer)] == wanted:
                    station.fitting[key] = guess
                    break
            else:  # the zero-padded shape of an XP reaches only half of the sums (all of those that hurt)
                station.fitting[key] = moment
        return station.fitting[key]

    def _shape_of_totals(self, station: Station) -> Kind:
        kind = station.kind
        if self._on("no-totals", station) is not None:
            return kind._replace(totals="none")
        shape = self._on("totals", station)
        if shape is None or kind.totals == "none":
            return kind
        # Six digits must do in the shape without a header, and are kWh wherever it was seen.
        return (
            kind._replace(totals="header") if shape == "header" else kind._replace(totals="bare", unit=1000)
        )

    def _cleared(self, station: Station, moment: Moment) -> Moment:
        after = self._on("total-reset", station)
        if after is None or station.totals_given <= int(after):
            return moment
        if station.cleared is None:
            station.cleared = moment.energy_total, moment.hours_total
        energy, hours = station.cleared
        return moment._replace(
            energy_total=moment.energy_total - energy, hours_total=moment.hours_total - hours
        )

    def _flipped(self, frame: bytes, answer: Answer) -> bytes:
        """One digit of the values, not of the header or the sum, is another one."""
        begin = 5 if frame[1:2] == b"*" else 1
        end = sum_at(frame, answer) if isinstance(answer, Measured | TypeName) else len(frame) - 6
        places = [at for at in range(begin, end) if 0x30 <= frame[at] <= 0x39]
        if not places:
            return frame  # the pointer of a 000xi to its parts
        at = self._dice.choice(places)
        digit = 0x30 + (frame[at] - 0x30 + 1 + self._dice.randrange(9)) % 10
        return frame[:at] + bytes([digit]) + frame[at + 1 :]

    def _double(self, address: int, seed: int, elevation: Callable[[float], float]) -> None:
        """Put a second unit on an address, of another family as in the captured case, the longer answer first."""
        station = self.stations[address][0]
        other = "6400xi" if station.kind.family == "generic" else "086L32"
        (kind,) = read_list(f"{address}:{other}")
        twin = Station(kind, seed=seed * 100 + 50 + address, elevation=elevation)
        pair = sorted((station, twin), key=lambda one: one.kind.family != "generic")
        delay = station.kind.delay or station.delay
        for which, one in enumerate(pair):
            one.kind = one.kind._replace(delay=delay + which * TWIN_LATER)
        self.stations[address] = pair
