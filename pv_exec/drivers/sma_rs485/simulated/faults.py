"""What can be wrong with Sunny Boys and their telegrams. Each fault is a name and a value; faults of any line are sim/faults.py's."""

from collections.abc import Mapping, Sequence

from pv_exec.drivers.sma_rs485.simulated.lists import OTHERS
from pv_exec.drivers.sma_rs485.simulated.plate import Plate

_TABLE: dict[str, tuple[str, str]] = {
    "dark": ("last", "the inverter SERIAL does not answer (default: the {} one)"),
    "lost": ("0.3", "each answer is lost with probability P (default {})"),
    "wrong-sum": ("", "a checksum that does not fit"),
    "no-start": ("", "the first byte of a telegram, its start flag, is missing"),
    "no-stop": ("", "the last byte of a telegram, its stop flag, is missing"),
    "shared-flag": ("", "a foreign telegram right before the answer, one flag for both"),
    "preamble": ("", "AA AA before and 55 55 behind each telegram, as on power lines"),
    "collision": ("1", "in the first N rounds of GET_NET all answers begin at once (default {})"),
    "search-late": ("", "SEARCH_DEV and CFG_NETADR are answered after the random pause of GET_NET too"),
    "twin": (
        "first",
        "an inverter that is not in the list has the address of SERIAL too (default: the {} one)",
    ),
    "same-address": ("last", "the inverter SERIAL has the address of the first one (default: the {} one)"),
    "moved": ("last", "the inverter SERIAL has another address than in the list (default: the {} one)"),
    "swapped": ("", "the first two inverters have exchanged their addresses"),
    "exchanged": ("first", "in place of SERIAL (default: the {} one) there is another inverter of its type"),
    "forgetful": ("", "an address given by CFG_NETADR is lost over night"),
    "other-list": (
        "longer",
        f"another channel list under the same type: {' or '.join(OTHERS)} (default {{}})",
    ),
    "no-cinfo": ("", "GET_CINFO is not answered"),
    "wrong-time": ("60", "the time of the values is S seconds before that of the SYN_ONLINE (default {})"),
    "all-ones": ("*", "the channel NAME is all ones (default {}: all but serial number and states)"),
    "zeros": ("", "morning: current, power, frequency, temperature and totals are 0, voltages are right"),
    "foreign-master": ("7", "a second master freezes and asks every S seconds (default {})"),
}

FAULTS: dict[str, str] = {name: text.format(default) for name, (default, text) in _TABLE.items()}
"""Fault of the protocol → what it does, in a line. Besides them the modifiers `first` and `only` are taken."""

_DEFAULTS = {name: default for name, (default, _) in _TABLE.items()}
_OF_ONE = ("dark", "twin", "same-address", "moved", "exchanged")
_NUMBERS = {"lost": (0.0, 1.0), "wrong-time": (0.0, 1e9), "foreign-master": (2.0, 86400.0)}


def read(faults: Mapping[str, str], plates: Sequence[Plate]) -> dict[str, str]:
    """Put defaults in. ValueError, with a sentence, for a name or a value that is none."""
    if unknown := [name for name in faults if name not in FAULTS and name not in {"first", "only"}]:
        raise ValueError(f"no such fault: {', '.join(unknown)}")
    given = {name: value or _DEFAULTS.get(name, "1") for name, value in faults.items()}
    for name in ("first", "only", "collision"):
        if name in given and not given[name].isdecimal():
            raise ValueError(f"{name} wants a whole number, not {given[name]}")
    serials = [str(plate.serial) for plate in plates]
    for name in _OF_ONE:
        if name in given:
            value = faults[name] or given.get("only", given[name])
            given[name] = {"first": serials[0], "last": serials[-1]}.get(value, value)
            if given[name] not in serials:
                raise ValueError(f"{name}: no inverter has the serial number {given[name]}")
    for name, (least, most) in _NUMBERS.items():
        if name in given and not least <= _number(given[name]) <= most:
            raise ValueError(f"{name} wants a number from {least:g} to {most:g}, not {given[name]}")
    if "other-list" in given and given["other-list"] not in OTHERS:
        raise ValueError(f"other-list is {' or '.join(OTHERS)}, not {given['other-list']}")
    return given


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return -1.0
