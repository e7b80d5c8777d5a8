"""From the channels of a list to the vocabulary: by name, with the unit that the list gives. Nothing by type or position."""

from collections.abc import Iterable
from typing import NamedTuple

from pv_exec.drivers.sma_rs485.channels import Digital, Status, Value
from pv_exec.quantities import Value as Published

# Channel names in lower case, as models spell them differently (Tkk, TKK). Sources: WR20, SWRNET, SUPLA, Y2M, 485GET, PERL, ardexa.
ALIASES = {
    "pac": "ac_power_w",
    "gridms.totw": "ac_power_w",
    "gridms.w.phsa": "ac_l1_power_w",
    "gridms.w.phsb": "ac_l2_power_w",
    "gridms.w.phsc": "ac_l3_power_w",
    "uac": "ac_l1_voltage_v",
    "vac": "ac_l1_voltage_v",
    "gridms.phv.phsa": "ac_l1_voltage_v",
    "gridms.phv.phsb": "ac_l2_voltage_v",
    "gridms.phv.phsc": "ac_l3_voltage_v",
    "iac": "ac_l1_current_a",
    "iac-ist": "ac_l1_current_a",
    "gridms.a.phsa": "ac_l1_current_a",
    "gridms.a.phsb": "ac_l2_current_a",
    "gridms.a.phsc": "ac_l3_current_a",
    "fac": "ac_frequency_hz",
    "gridms.hz": "ac_frequency_hz",
    "gridms.totpf": "ac_power_factor",
    "gridms.totvar": "ac_reactive_power_var",
    "gridms.totva": "ac_apparent_power_va",
    "zac": "grid_impedance_ohm",
    "ppv": "dc_power_w",
    "upv-ist": "dc1_voltage_v",
    "vpv": "dc1_voltage_v",
    "ipv": "dc1_current_a",
    "a.ms.vol": "dc1_voltage_v",
    "a.ms.amp": "dc1_current_a",
    "a.ms.watt": "dc1_power_w",
    "b.ms.vol": "dc2_voltage_v",
    "b.ms.amp": "dc2_current_a",
    "b.ms.watt": "dc2_power_w",
    "uzwk": "dc_link_voltage_v",
    "di": "residual_current_a",
    "riso": "insulation_resistance_ohm",
    "r-iso": "insulation_resistance_ohm",
    "rerd-start": "insulation_resistance_ohm",
    "tkk": "temperature_c",
    "temperature": "temperature_c",
    "e-total": "energy_total_wh",
    "h-total": "feed_in_time_h",
    "h-on": "operating_time_h",
    "netz-ein": "grid_connections",
    "net-in": "grid_connections",
}
STATUS = {"status", "mode"}
FAULT = {"fehler", "fault", "error"}
SERIAL = {"seriennummer", "snr", "serial number"}

FACTORS = {
    "w": {"W": 1.0, "kW": 1e3},
    "var": {"VAr": 1.0, "Var": 1.0, "var": 1.0, "kVAr": 1e3},
    "va": {"VA": 1.0, "kVA": 1e3},
    "v": {"V": 1.0, "mV": 1e-3},
    "a": {"A": 1.0, "mA": 1e-3},
    "hz": {"Hz": 1.0},
    "ohm": {"Ohm": 1.0, "kOhm": 1e3, "MOhm": 1e6, "mOhm": 1e-3},
    "c": {"grdC": 1.0, "°C": 1.0, "degC": 1.0, "C": 1.0},
    "wh": {"Wh": 1.0, "kWh": 1e3, "MWh": 1e6},
    "h": {"h": 1.0, "min": 1 / 60, "s": 1 / 3600},
}
"""Last word of a quantity's name → the units that lists give it in, and what one of them is in the vocabulary's."""

NEVER_ZERO = {"energy_total_wh", "feed_in_time_h", "operating_time_h", "ac_frequency_hz"}
"""Quantities whose 0 in the morning means that they are not measured yet (PERL, yasdi_exporter skip them as well)."""


class Mapped(NamedTuple):
    """What an answer says in the vocabulary's words."""

    values: dict[str, Published]
    dropped: tuple[str, ...]
    serial: int | None
    """The serial number in the answer; None where the list has no such channel, or its value is missing."""


def mapped(values: Iterable[Value], *, all_channels: bool = False) -> Mapped:
    """Translate an answer. `all_channels`: what has no name in the vocabulary goes out as `channel_<its own name>`."""
    found: dict[str, Published] = {}
    dropped: list[str] = []
    serial: int | None = None
    for value in values:
        name = value.channel.name.lower()
        if value.number is None:
            continue
        if name in SERIAL:
            serial = int(value.number)
            found["serial_number"] = str(serial)
        elif name in STATUS or name in FAULT:
            found |= _coded("status" if name in STATUS else "fault", value)
        elif name in ALIASES:
            number, why = _converted(ALIASES[name], value)
            if number is not None:
                found.setdefault(ALIASES[name], number)
            elif why:
                dropped.append(f"{ALIASES[name]}: {why}")
        elif all_channels:
            found |= _own(value)
    return Mapped(found, tuple(dropped), serial)


def _converted(quantity: str, value: Value) -> tuple[Published | None, str]:
    number = value.number
    assert number is not None
    if quantity == "grid_connections":
        return int(number), ""
    if quantity in NEVER_ZERO and not number:
        return None, "0, so not measured yet"
    unit = getattr(value.channel, "unit", "")
    if quantity == "ac_power_factor":
        return number, ""
    known = FACTORS[quantity.rpartition("_")[2]]
    if unit not in known:
        return None, f'the channel list gives it in "{unit}", which is not known for it'
    return float(f"{number * known[unit]:.12g}"), ""  # 2.525 and not 2.5250000000000004


def _coded(word: str, value: Value) -> dict[str, Published]:
    assert value.number is not None
    found: dict[str, Published] = {f"{word}_code": int(value.number)}
    text = value.text
    # "-------" is how a WR20 writes that there is no fault.
    return found | ({word: text} if text and text.strip("-") else {})


def _own(value: Value) -> dict[str, Published]:
    name = "channel_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in value.channel.name)
    if isinstance(value.channel, Status | Digital):
        return {f"{name}_text": value.text} if value.text else {}
    numbers = {f"{name}_{n}": number for n, number in enumerate(value.numbers, 1) if number is not None}
    return dict(numbers) if len(value.numbers) > 1 else {name: value.number or 0.0}
