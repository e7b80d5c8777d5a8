"""The list of inverters to play, `ADDRESS:TYPE[:OPTION=VALUE]…`, and what a unit of a type most likely is."""

import re
from typing import Literal, NamedTuple, TypeVar

from pv_exec.drivers.kaco.types import rated_power

T = TypeVar("T", bound=str)

SPEC = "ADDRESS:TYPE[:OPTION=VALUE]… with commas between"

OPTIONS = {
    "family": "00, 000xi, xp or generic (default: as the type has it)",
    "noe": "generic: number of elements (11, 16, 17, 20, 23)",
    "rated": "rated power in W",
    "totals": "header, bare or none: how command 3 is answered",
    "unit": "Wh, 0.1kWh or kWh: a step of its totals",
    "pad": "XP: zeros or spaces",
    "delay": "seconds to an answer (default: 0.04 to 0.43)",
}
"""What can be told of an inverter in the list."""


class Kind(NamedTuple):
    """How an inverter of the list speaks: `ADDRESS:TYPE[:OPTION=VALUE]…`."""

    address: int
    type: str
    family: Literal["00", "000xi", "xp", "generic"]
    elements: int = 20
    """Generic protocol: the layout."""
    rated: int = 5000
    """W"""
    totals: Literal["header", "bare", "none"] = "header"
    unit: int = 1
    """Wh in one step of a total: 1, 100 or 1000."""
    zeros: bool = False
    """XP: filled up with zeros."""
    delay: float | None = None
    """s; None: seeded, 40 to 430 ms."""


def read_list(spec: str) -> list[Kind]:
    """Read `1:8000xi,2:390TL:delay=0.4`. ValueError, with a sentence, for what cannot be understood."""
    kinds = [_read_one(item.strip()) for item in spec.split(",") if item.strip()]
    addresses = [kind.address for kind in kinds]
    if not kinds:
        raise ValueError("the list names no inverter; it looks like 1:8000xi,2:390TL")
    if len(set(addresses)) < len(addresses):
        raise ValueError("two inverters on one address; the fault `twin` is for that")
    return kinds


def _read_one(item: str) -> Kind:
    address, *rest = item.split(":")
    if not rest or not rest[0] or not address.isdecimal() or not 1 <= int(address) <= 32:
        raise ValueError(
            f"{item!r} is no inverter; write ADDRESS:TYPE with an address from 1 to 32, such as 1:8000xi"
        )
    code = rest[0]
    options = {}
    for option in rest[1:]:
        name, _, value = option.partition("=")
        if name not in OPTIONS or not value:
            raise ValueError(f"{item!r}: there is no option {option!r}")
        options[name] = value
    kind = _by_type(int(address), code)
    if family := options.get("family"):
        kind = kind._replace(family=one_of("family", family, ("00", "000xi", "xp", "generic")))
        if family in {"000xi", "xp"}:
            kind = kind._replace(totals="none")
    try:
        return kind._replace(
            elements=int(options.get("noe", kind.elements)),
            rated=int(options.get("rated", kind.rated)),
            totals=one_of("totals", options.get("totals", kind.totals), ("header", "bare", "none")),
            unit={"Wh": 1, "0.1kWh": 100, "kWh": 1000}[options["unit"]] if "unit" in options else kind.unit,
            zeros=options.get("pad", "zeros" if kind.zeros else "spaces") == "zeros",
            delay=float(options["delay"]) if "delay" in options else None,
        )
    except (ValueError, KeyError) as error:
        raise ValueError(f"{item!r}: an option has a value it cannot have ({error})") from error


def _by_type(address: int, code: str) -> Kind:
    """What a unit of this type most likely is, as the sources have seen it."""
    rated = rated_power(code) or 5000
    if re.fullmatch(r"3x\d+k", code):
        return Kind(address, code, "000xi", rated=rated, totals="none")
    if (
        code == "protect"
    ):  # Powador-protect: 11 elements, of which only the status is known, no command 3 (JAVA)
        return Kind(address, code, "generic", elements=11, rated=rated, totals="none")
    if re.fullmatch(r"\d+k(TR|TL|H3P)", code):
        return Kind(address, code, "generic", elements=16, rated=rated, zeros=True)
    if re.fullmatch(r"\d+k", code):
        # What the narrow shape makes of 100 A and more is not known; a 100k was seen at 40 kW (KRTU).
        return Kind(address, code, "xp", rated=min(rated, 40_000), totals="none")
    if match := re.fullmatch(r"(\d+)(TL|TR|L\d\d|X\d\d)", code):
        three_strings = match[2] == "TR" or (match[2] == "TL" and int(match[1]) >= 300)
        return Kind(address, code, "generic", elements=23 if three_strings else 20, rated=rated)
    if code.endswith("xi"):
        return Kind(address, code, "00", rated=rated, totals="bare", unit=1000)
    return Kind(address, code, "00", rated=rated, totals="header", unit=100)  # 9600I, SP4600 (K485, PVM)


def one_of(name: str, value: str, allowed: tuple[T, ...]) -> T:
    """The value, which is one of those allowed. ValueError, with a sentence, for any other."""
    for each in allowed:
        if each == value:
            return each
    raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value}")
