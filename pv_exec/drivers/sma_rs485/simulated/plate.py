"""What is written on a simulated inverter: `SERIAL:TYPE[:OPTION=VALUE]…`, with commas between several."""

import re
from typing import NamedTuple

from pv_exec.drivers.sma_rs485.messages import FRAMINGS, MOST, Framing
from pv_exec.drivers.sma_rs485.simulated import lists

INVERTERS = "2000123456:WR20-004,2000234567:WR20-004,2000345678:WR33-008"
"""Two of one type and one of another, for who does not say what he wants."""

SPEC = "SERIAL:TYPE[:OPTION=VALUE]… with commas between"


class Plate(NamedTuple):
    """One inverter of the list."""

    serial: int
    type: str
    address: int
    """0: never given one. 16 bits; 1…255 is usual."""
    list: str
    """Name of its channel list."""
    rated: int
    """W"""
    delay: float | None = None
    """Seconds to an answer; None: seeded, 30 to 60 ms."""
    pause: float | None = None
    """Seconds to an answer to GET_NET; None: seeded, 70 ms + up to 4.79 s."""
    framings: tuple[Framing, ...] = FRAMINGS
    """Which ones it understands."""
    packet: int = MOST
    """Data bytes in one packet of a long answer: the sender's choice (100 on power line)."""


OPTIONS = {
    "address": "network address (default: 1, 2, …)",
    "list": f"channel list: {', '.join(lists.names())}; with +longer or +reordered behind it another one under the same type",
    "rated": "rated power in W",
    "delay": "seconds to an answer (default: 0.03 to 0.06)",
    "pause": "seconds to an answer to GET_NET (default: 0.07 to 4.86)",
    "framing": "understands this one alone: smanet or sunnynet (default: both)",
    "packet": "data bytes in one packet (default 255)",
}


def read(spec: str) -> list[Plate]:
    """Read a list of inverters. ValueError, with a sentence, for what it does not understand."""
    plates = [_one(item, place) for place, item in enumerate(spec.split(","), 1)]
    if len({plate.serial for plate in plates}) < len(plates):
        raise ValueError("two inverters have one serial number")
    return plates


def _one(item: str, place: int) -> Plate:
    serial, *rest = item.strip().split(":")
    if not serial.isdecimal() or not 0 < int(serial) < 0xFFFFFFFF:
        raise ValueError(f"{item!r}: a serial number is 1 to 4294967294")
    if not rest or not rest[0] or not re.fullmatch(r"[ -~]{1,8}", rest[0]):
        raise ValueError(f"{item!r}: a serial number, then a type of at most 8 characters such as WR20-004")
    kind = rest[0]
    given: dict[str, str] = {}
    for option in rest[1:]:
        name, _, value = option.partition("=")
        if name not in OPTIONS or not value:
            raise ValueError(f"{item!r}: there is no option {option!r}")
        given[name] = value
    if given.get("framing", FRAMINGS[0]) not in FRAMINGS:
        raise ValueError(f"{item!r}: framing is {' or '.join(FRAMINGS)}")
    try:
        plate = Plate(
            int(serial),
            kind,
            int(given.get("address", place)),
            given.get("list", lists.OF_TYPE.get(kind, "wr20-004")),
            int(given.get("rated", _rated(kind))),
            float(given["delay"]) if "delay" in given else None,
            float(given["pause"]) if "pause" in given else None,
            tuple(one for one in FRAMINGS if given.get("framing", one) == one),
            int(given.get("packet", MOST)),
        )
    except ValueError as error:
        raise ValueError(f"{item!r}: an option has a value it cannot have ({error})") from error
    times = [seconds for seconds in (plate.delay, plate.pause) if seconds is not None]
    if not all(0 <= seconds <= 3600 for seconds in times):
        raise ValueError(f"{item!r}: delay and pause are 0 to 3600 seconds")
    if not (0 <= plate.address < 0x10000 and 0 < plate.packet <= MOST and 0 < plate.rated <= 100_000):
        raise ValueError(f"{item!r}: an option has a value it cannot have")
    if -(-len(lists.load(plate.list).data) // plate.packet) > 256:
        raise ValueError(f"{item!r}: its channel list would be more than 256 packets")
    return plate


def _rated(kind: str) -> int:
    """WR20-004 is a Sunny Boy 2000, WR33-008 a 3300."""
    match = re.match(r"WR(\d\d)\D", kind)
    return int(match[1]) * 100 if match else 10_000 if "TL" in kind else 2000
