"""The one vocabulary: every field that may be published, its type, its unit (in its name), and what is believable.

The README's field table, the line writer's types and the plausibility ranges all come from here.
"""

from typing import NamedTuple

Value = float | int | str | bool


class Quantity(NamedTuple):
    """What a field name means. `low` and `high` bound what any inverter could say, in the unit of the name."""

    kind: type[float] | type[int] | type[str] | type[bool]
    text: str
    low: float = float("-inf")
    high: float = float("inf")
    counter: bool = False


def _measured(text: str, low: float, high: float) -> Quantity:
    return Quantity(float, text, low, high)


# `#` stands for the number of a phase (1 to 3) or of a direct-current input (from 1).
# The ranges are wide on purpose: the largest inverter the family sheets know feeds 350 kW, string voltages
# end at 1500 V; what is tighter than that is the business of a family's own cross-checks.
MEASURED: dict[str, Quantity] = {
    "ac_power_w": _measured("power fed into the grid", -20e3, 1e6),
    "ac_reactive_power_var": _measured("reactive power", -1e6, 1e6),
    "ac_apparent_power_va": _measured("apparent power", 0, 1e6),
    "ac_power_factor": _measured("cos φ: negative where the current leads (capacitive)", -1, 1),
    "ac_frequency_hz": _measured("grid frequency", 40, 70),
    "ac_voltage_v": _measured("grid voltage where the inverter gives one figure for three phases", 0, 1000),
    "ac_current_a": _measured("grid current where the inverter gives one figure for three phases", 0, 3000),
    "ac_l#_voltage_v": _measured("voltage of a phase (a single phase is l1)", 0, 1000),
    "ac_l#_current_a": _measured("current of a phase", 0, 3000),
    "ac_l#_power_w": _measured("power of a phase", -20e3, 1e6),
    "dc_power_w": _measured("power from the generator, only as the inverter gives it", -1e3, 1e6),
    "dc#_voltage_v": _measured("voltage of a direct-current input", 0, 1500),
    "dc#_current_a": _measured("current of a direct-current input", -100, 3000),
    "dc#_power_w": _measured("power of a direct-current input", -1e3, 1e6),
    "dc_link_voltage_v": _measured("voltage of the inverter's own DC link", 0, 1500),
    "residual_current_a": _measured("residual current against earth", 0, 10),
    "grid_impedance_ohm": _measured("impedance of the grid as the inverter measures it", 0, 1000),
    "energy_today_wh": _measured("energy fed in since the inverter's own morning", 0, 20e6),
    "energy_total_wh": Quantity(
        float, "energy fed in since the counter was last cleared", 0, 1e12, counter=True
    ),
    "operating_time_h": Quantity(float, "hours the inverter was switched on", 0, 1e6, counter=True),
    "feed_in_time_h": Quantity(float, "hours the inverter fed in", 0, 1e6, counter=True),
    "temperature_c": _measured("temperature inside the inverter", -60, 150),
    "insulation_resistance_ohm": _measured("insulation of the generator against earth", 0, 1e9),
    "grid_connections": Quantity(int, "how often the inverter has connected to the grid", 0, 0xFFFFFFFF),
    "status_code": Quantity(int, "the inverter's own state as a number", 0, 0xFFFFFFFF),
    "status": Quantity(str, "the inverter's own state in words"),
    "fault_code": Quantity(int, "the fault the inverter reports as a number, 0: none", 0, 0xFFFFFFFF),
    "fault": Quantity(str, "the fault the inverter reports in words; none: no field"),
    "model": Quantity(str, "type as the inverter names itself"),
    "serial_number": Quantity(str, "serial number as the inverter names it"),
    "firmware": Quantity(str, "version of the inverter's program"),
    "clock_offset_s": _measured("how far the inverter's clock is ahead of this box", -1e10, 1e10),
    "signal_percent": _measured("strength of the radio signal", 0, 100),
}

OWN_NUMBER = Quantity(float, "a channel under the inverter's own name, where a setting passes it through")
OWN_TEXT = Quantity(str, "the same of a channel that is a text")

HEALTH: dict[str, Quantity] = {
    "ok": Quantity(bool, "true in state ok alone"),
    "state": Quantity(str, "what became of the inverter in this run"),
    "state_code": Quantity(int, "the state as a number"),
    "duration_s": _measured("seconds from the first question to this inverter to its last answer", 0, 1e6),
    "attempts": Quantity(int, "questions sent until an answer passed, 0: it was not asked", 0, 100),
    "last_ok_age_s": _measured("seconds since it was last ok in this boot", 0, 1e10),
    "spool": Quantity(str, "where the reading is kept until the server holds it: disk, ram, none"),
    "clock_trusted": Quantity(bool, "whether the clock that stamped this line was trusted"),
    "dropped": Quantity(str, "values left out, each with why"),
    "error": Quantity(str, "what was wrong, in a sentence"),
}

COMMON: dict[str, Quantity] = {"seq": Quantity(int, "number of the run on this box", 0, 2**63 - 1)}

EVENT: dict[str, Quantity] = {
    "kind": Quantity(str, "what happened, as a word"),
    "text": Quantity(str, "what happened, in a sentence"),
}

MEASUREMENTS: dict[str, dict[str, Quantity]] = {
    "pv_inverter": MEASURED | COMMON,
    "pv_read": HEALTH | COMMON,
    "pv_event": EVENT | COMMON,
}


def pattern(name: str) -> str:
    """The vocabulary's key for a field name: `dc2_power_w` gives `dc#_power_w`, `ac_l1_voltage_v` gives `ac_l#_voltage_v`."""
    for head, highest in (("ac_l", 3), ("dc", 99)):
        if name.startswith(head):
            digits, _, rest = name[len(head) :].partition("_")
            if digits.isdecimal() and digits.isascii() and digits[0] != "0" and int(digits) <= highest:
                return f"{head}#_{rest}"
    return name


def find(measurement: str, name: str) -> Quantity | None:
    """The quantity behind a field of a measurement, or None where the vocabulary has no such field."""
    if measurement == "pv_inverter" and name.startswith("channel_"):
        return OWN_TEXT if name.endswith("_text") else OWN_NUMBER
    return None if "#" in name else MEASUREMENTS[measurement].get(pattern(name))
