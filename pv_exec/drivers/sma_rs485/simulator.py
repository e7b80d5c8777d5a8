"""The Sunny Boys of one RS485 line, for tests and demonstrations: what they answer, when, and what can be wrong with it.

No I/O and no clock; `sim/line.py` gives the bytes their time on the wire. Knows the codec, never the driver. Both framings
are understood, and a telegram is answered in the one it came in. Sources: SWRNET, YASDI; the sheet's list of rules.
"""

import math
import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pv_exec.drivers.sma_rs485 import codec, frames
from pv_exec.drivers.sma_rs485.messages import (
    ANSWER,
    COMMANDS,
    FRAMINGS,
    GET_NET,
    GET_NET_START,
    GROUP,
    SEARCH_DEV,
    CfgNetadr,
    Configured,
    Framing,
    GetCinfo,
    GetData,
    GetNet,
    Packet,
    Request,
    SearchDev,
    SynOnline,
)
from pv_exec.drivers.sma_rs485.simulated import faults as all_faults, lists
from pv_exec.drivers.sma_rs485.simulated.faults import FAULTS
from pv_exec.drivers.sma_rs485.simulated.plate import INVERTERS, OPTIONS, SPEC, Plate, read
from pv_exec.drivers.sma_rs485.simulated.station import Frozen, Spoilt, Station

__all__ = ["BAUD", "FAULTS", "GAP", "INVERTERS", "OPTIONS", "SPEC", "Simulator", "Transmission"]

BAUD = 1200
"""The inverters' default; another speed is the line's choice."""

GAP = 0.03
"""Seconds from the end of one request to the begin of the next at the least (ARD: "required"; YASDI keeps 30 to 60 ms)."""

FIRST, MORE = 0.07, 4.79
"""A broadcast is answered after 70 ms and a random pause of so many seconds at the most (SWRNET)."""

DELAY = 0.03, 0.06
"""Seconds from a question to its answer; nobody has measured a real one (the sheet's assumption begins at 30 ms)."""

PAUSE = 0.5
"""Seconds without a byte after which half a telegram is forgotten."""

BITS = 10
"""Bit times of one byte."""

FOREIGN = 0
"""Who speaks when a second master does: no station. It has our address, as Sunny Boy Control, WebBox and Solar-Log do."""

FOREIGN_CLOCK = 3600
"""Seconds by which the second master's clock is ahead."""


class Transmission(NamedTuple):
    """What somebody says."""

    delay: float
    """Seconds from the end of the request."""
    data: bytes
    station: int
    """Serial number."""


class _Spoken(NamedTuple):
    """A telegram of the second master's round; times are those of the line's clock."""

    begin: float
    end: float
    freezes: Frozen | None


class Simulator:
    """The inverters of one line. Raises ValueError, with a sentence, for a list or a fault it does not understand.

    `spec`: `SERIAL:TYPE[:OPTION=VALUE]…` with commas between. `elevation`: unix time → degrees of the sun.
    `at`: unix time at which the sun stands still, so that values stay as they are; without it the time is
    `epoch` + `now`. `gap` and `jitter`: a request so many seconds after the end of the last one is noted; 0: none is.
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
        plates = read(spec)
        self._faults = all_faults.read(faults or {}, plates)
        self._first = int(self._faults.pop("first")) if "first" in self._faults else None
        self._only = int(self._faults.pop("only")) if "only" in self._faults else None
        self._dice = random.Random(seed)
        plates = [self._changed(plate, plates) for plate in plates]
        if twin := self._faults.get("twin"):
            other = plates[[str(plate.serial) for plate in read(spec)].index(twin)]
            plates.append(other._replace(serial=_stranger(other.serial + 1)))
        self.stations = [
            Station(plate, seed=seed * 1000 + place, elevation=elevation)
            for place, plate in enumerate(plates)
        ]
        for station in self.stations:
            station.forgetful = "forgetful" in self._faults
        self.at = at
        self.epoch = epoch
        self.gap = max(gap - jitter - 1e-6, 0.0) if gap else 0.0  # a microsecond for sums of floats
        self.too_early: list[str] = []
        self.forbidden: list[str] = []
        self.configured: list[tuple[int, int]] = []
        """Every CFG_NETADR heard, answered or not: serial number and address."""
        self._rest: dict[Framing, bytes] = dict.fromkeys(FRAMINGS, b"")
        self._ended = 0.0
        self._rounds = 0
        self._foreign: list[_Spoken] = []

    @property
    def notes(self) -> list[str]:
        """What the master did that it may not do, a sentence each."""
        return self.too_early + self.forbidden

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, data: bytes, now: float) -> list[Transmission]:
        """Take what the master sends from `now` (s) on, whole or in pieces, and return what the stations answer to it."""
        end = now + len(data) * BITS / self.BAUD
        if self._ended and now - self._ended > PAUSE:
            self._rest = dict.fromkeys(FRAMINGS, b"")
        elif self.gap and self._ended and not any(self._rest.values()) and now - self._ended < self.gap:
            early = (
                f"at {now:.3f} s: a request came {now - self._ended:.3f} s after the end of the one before it"
            )
            self.too_early.append(early)
        self._ended = end
        if self._talked_over(now, end):
            self._rest = dict.fromkeys(FRAMINGS, b"")
            return []
        said: list[Transmission] = []
        understood = False
        for framing in FRAMINGS:
            taken = frames.take(self._rest[framing] + data, framing)
            self._rest[framing] = taken.rest
            for packet in taken.packets:
                understood = True
                said += self._asked(packet, framing, end)
        if understood:  # what is left is a beginning only in the framing that nobody speaks here
            self._rest = dict.fromkeys(FRAMINGS, b"")
        return said

    def _asked(self, packet: Packet, framing: Framing, now: float) -> list[Transmission]:
        """Who answers what to a packet that was through at `now`."""
        if packet.ctrl & ANSWER or packet.command not in COMMANDS:
            self.forbidden.append(f"at {now:.3f} s: {_words(packet)} is nothing a reader may send")
            return []
        request = codec.parse_request(packet)
        if request is None:
            self.forbidden.append(f"at {now:.3f} s: {_words(packet)} is malformed")
            return []
        if isinstance(request, CfgNetadr):
            self.configured.append((request.serial, request.address))
        if packet.ctrl & GROUP and packet.destination:
            return []  # another group than everybody
        if isinstance(request, GetNet):
            self._rounds += 1
        t = self._time(now)
        collides = int(self._faults.get("collision", "0")) >= self._rounds
        together = FIRST + MORE * self._dice.random() if collides and isinstance(request, GetNet) else None
        said = []
        for station in self.stations:
            if framing not in station.plate.framings or self._dark(station) or not station.awake(t):
                continue
            answer = self._answer(station, request, t, packet.source)
            if answer is None:
                continue
            delay = together if together is not None else self._pause(station, request)
            if data := self._spoilt(station, answer, framing):
                said.append(Transmission(delay, data, station.serial))
            station.answered += 1
        return said

    def _answer(self, station: Station, request: Request, t: float, master: int) -> Packet | None:
        """What a station answers, and what the request changes in it."""
        match request:
            case GetNet(start):
                if start:
                    station.announced = False
                elif station.announced:
                    return None
                command = GET_NET_START if start else GET_NET
                return codec.device_answer(command, station.device, master=master)
            case SearchDev(serial):
                if serial != station.serial:
                    return None
                return codec.device_answer(SEARCH_DEV, station.device, master=master)
            case CfgNetadr(serial, address):
                if serial != station.serial:
                    return None
                station.address, station.announced = address, True
                return codec.configured_answer(Configured(address, serial), master=master)
            case SynOnline(time):
                station.freeze(time, t)
                return None
            case GetCinfo(address):
                if address != station.address or self._on("no-cinfo", station) is not None:
                    return None
                return self._listed(station).cinfo(request, master)
            case GetData(address):
                if address != station.address:
                    return None
                return self._listed(station).data(request, t, master, self._wrong_values(station))

    def _pause(self, station: Station, request: Request) -> float:
        """Seconds until a station answers."""
        plate = station.plate
        late = "search-late" in self._faults and isinstance(request, SearchDev | CfgNetadr)
        if isinstance(request, GetNet) or late:
            return FIRST + MORE * self._dice.random() if plate.pause is None else plate.pause
        return self._dice.uniform(*DELAY) if plate.delay is None else plate.delay

    def _time(self, now: float) -> float:
        return self.at if self.at is not None else self.epoch + now

    # -- faults --------------------------------------------------------------------------------------------------------

    def _changed(self, plate: Plate, plates: list[Plate]) -> Plate:
        """The inverter that is there instead of the one in the list."""
        hit = {name for name, value in self._faults.items() if value == str(plate.serial)}
        if "same-address" in hit:
            plate = plate._replace(address=plates[0].address)
        if "moved" in hit:
            taken = {one.address for one in plates}
            plate = plate._replace(address=next(a for a in range(101, 0x10000) if a not in taken))
        if "swapped" in self._faults and len(plates) > 1 and plate in plates[:2]:
            plate = plate._replace(address=plates[1 - plates.index(plate)].address)
        if "exchanged" in hit:
            plate = plate._replace(serial=_stranger(plate.serial))
        return plate

    def _on(self, name: str, station: Station) -> str | None:
        """The value of a fault when it is to spoil this answer."""
        value = self._faults.get(name)
        if value is None or (self._only is not None and station.serial != self._only):
            return None
        return None if self._first is not None and station.answered >= self._first else value

    def _dark(self, station: Station) -> bool:
        return self._faults.get("dark") == str(station.serial)

    def _listed(self, station: Station) -> Station:
        """The station with the list that it has just now."""
        how = self._on("other-list", station)
        name = station.plate.list
        station.list = lists.load(name if how is None else lists.other(name, how))
        return station

    def _wrong_values(self, station: Station) -> Spoilt:
        return Spoilt(
            int(float(self._on("wrong-time", station) or "0")),
            self._on("all-ones", station) or "",
            self._on("zeros", station) is not None,
        )

    def _spoilt(self, station: Station, packet: Packet, framing: Framing) -> bytes:
        """The bytes of an answer, faults included; empty: it is lost."""
        lost = self._on("lost", station)
        if lost is not None and self._dice.random() < float(lost):
            return b""
        data = frames.encode(packet, framing)
        if self._on("wrong-sum", station) is not None:
            data = _wrong_sum(packet, framing)
        if self._on("no-start", station) is not None:
            data = data[1:]
        if self._on("no-stop", station) is not None:
            data = data[:-1]
        if self._on("shared-flag", station) is not None:
            foreign = frames.encode(packet._replace(source=0xFF, destination=0xFE), framing)
            data = foreign + data.removeprefix(b"\x7e")
        if self._on("preamble", station) is not None:
            data = b"\xaa\xaa" + data + b"\x55\x55"
        return data

    # -- a second master -----------------------------------------------------------------------------------------------

    def unasked(self, after: float) -> list[tuple[float, bytes, int]]:
        """The next round of the second master that begins after a moment of the line's clock: begin, bytes, who speaks.

        Empty where there is no second master. It freezes, waits a second, and asks one after the other, whatever we do.
        """
        if "foreign-master" not in self._faults:
            return []
        every = float(self._faults["foreign-master"])
        at = (math.floor(after / every) + 1) * every
        t = self._time(at)
        frozen = Frozen(int(t) + FOREIGN_CLOCK & 0xFFFFFFFF, t)
        framing = self.stations[0].plate.framings[0]
        syn = frames.encode(codec.request(SynOnline(frozen.stamp)), framing)
        round_ = [(at, syn, FOREIGN)]
        at += self._takes(syn)
        self._foreign = [*self._foreign[-32:], _Spoken(round_[0][0], at, frozen)]
        at += 1.0
        for station in self.stations:
            packet = codec.request(GetData(station.address or 1, codec.ALL_SPOTS, 0))
            question = frames.encode(packet, framing)
            round_.append((at, question, FOREIGN))
            self._foreign.append(_Spoken(at, at + self._takes(question), None))
            at += self._takes(question) + DELAY[1]
            if self._dark(station) or not station.generator.awake(t):
                continue
            said = station.said(codec.ALL_SPOTS, 0, frozen)
            if said is None:
                continue
            size = station.plate.packet
            whole = codec.payload(said)
            answer = codec.part_answer(packet.command, station.address, whole, size=size)
            assert answer is not None
            data = frames.encode(answer, framing)
            round_.append((at, data, station.serial))
            self._foreign.append(_Spoken(at, at + self._takes(data), None))
            at += self._takes(data) + DELAY[1]
        return round_

    def _talked_over(self, begin: float, end: float) -> bool:
        """Whether our request met the second master's traffic, so that nobody understood it. Its SYN_ONLINEs take effect."""
        for spoken in self._foreign:
            if spoken.freezes and spoken.end <= begin:
                for station in self.stations:
                    if not self._dark(station) and station.awake(spoken.freezes.at):
                        station.freeze(*spoken.freezes)
        over = any(spoken.begin < end and begin < spoken.end for spoken in self._foreign)
        self._foreign = [spoken for spoken in self._foreign if spoken.end > begin]
        return over

    def _takes(self, data: bytes) -> float:
        return len(data) * BITS / self.BAUD


def _stranger(serial: int) -> int:
    """The serial number of an inverter that is in no list."""
    return (serial + 500_000) % 0xFFFFFFFE + 1


def _wrong_sum(packet: Packet, framing: Framing) -> bytes:
    """A telegram with one bit wrong: of its checksum, or of a byte before that if the checksum is stuffed."""
    bad = bytearray(frames.encode(packet, framing))
    at = len(bad) - 3
    # Neither out of nor into what is stuffed: the checksum shall be the only thing wrong.
    hurt = {0x7D, 0x7E, 0x11, 0x12, 0x13}
    while framing == "smanet" and (bad[at - 1] == 0x7D or bad[at] in hurt):
        at -= 1
    bad[at] ^= next(1 << bit for bit in range(8) if framing == "sunnynet" or bad[at] ^ (1 << bit) not in hurt)
    return bytes(bad)


def _words(packet: Packet) -> str:
    return f"command {packet.command:02X} (ctrl {packet.ctrl:02X}) with {len(packet.data)} bytes"
