"""What can be wrong with Kaco inverters and their answers. Each fault is a name and a value; faults of any line are sim/faults.py's."""

import re
from collections.abc import Mapping, Sequence

from pv_exec.drivers.kaco.simulated.kinds import Kind, one_of

_TABLE: dict[str, tuple[str, str]] = {
    "dark": ("last", "the station at ADDRESS does not answer (default: the {} one)"),
    "status15": ("120", "status 15 for S seconds from the first request on (default {}), then dark"),
    "checksum": (
        "0D",
        "values for which the one-byte sum is rightly HEX (default {}); 0A 0D 20 00 11 13 FF hurt",
    ),
    "wrong-sum": ("", "a sum or CRC that does not fit"),
    "digit-flip": ("", "one digit is another one, sum or CRC as before"),
    "foreign": ("9", "answers carry ADDRESS (default {}), with a right sum"),
    "twin": ("first", "two units on ADDRESS (default: the {} one), their answers overlap"),
    "no-type": ("", "family 00: the answer ends after the sum, 58 bytes"),
    "no-cr": ("", "the last byte, CR, is missing"),
    "status": ("121", "all stations say status N (default {})"),
    "cosphi": ("c", "generic protocol: cos φ is unity, i, c or o (default {})"),
    "totals": ("header", "command 3 is answered in the shape header or bare (default {})"),
    "no-totals": ("", "command 3 is not answered"),
    "total-reset": ("1", "after N answers to command 3 (default {}) the totals have been cleared"),
    "stale-day": ("", "woken at night: energy today is still that of the day before"),
}

FAULTS: dict[str, str] = {name: text.format(default) for name, (default, text) in _TABLE.items()}
"""Fault of the protocol → what it does, in a line. Besides them the modifiers `first` and `only` are taken."""

_DEFAULTS: dict[str, str] = {name: default for name, (default, _) in _TABLE.items()}


def read_faults(faults: Mapping[str, str], kinds: Sequence[Kind]) -> dict[str, str]:
    """The faults with their values, "first" and "last" as addresses. ValueError, with a sentence, for what cannot be understood."""
    if unknown := [name for name in faults if name not in FAULTS and name not in {"first", "only"}]:
        raise ValueError(f"no such fault: {', '.join(unknown)}")
    read = {name: value or _DEFAULTS.get(name, "1") for name, value in faults.items()}
    for name in ("dark", "twin"):
        if name in read:
            given = {"first": kinds[0].address, "last": kinds[-1].address}.get(read[name], read[name])
            if given not in [kind.address for kind in kinds] and given not in [
                str(kind.address) for kind in kinds
            ]:
                raise ValueError(f"{name}: no inverter has the address {given}")
            read[name] = str(given)
    for name in ("foreign", "status", "total-reset", "first", "only"):
        if name in read and not read[name].isdecimal():
            raise ValueError(f"{name} wants a whole number, not {read[name]}")
    if not re.fullmatch(r"[0-9A-Fa-f]{2}", read.get("checksum", "00")):
        raise ValueError(f"checksum wants two hexadecimal digits, not {read['checksum']}")
    if not re.fullmatch(r"\d+(\.\d*)?", read.get("status15", "0")):
        raise ValueError(f"status15 wants seconds, not {read['status15']}")
    if "cosphi" in read:
        one_of("cosphi", read["cosphi"], ("unity", "i", "c", "o"))
    if "totals" in read:
        one_of("totals", read["totals"], ("header", "bare"))
    return read
