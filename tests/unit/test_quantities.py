"""The vocabulary: names, and what they stand for."""

import pytest

from pv_exec.quantities import EVENT, HEALTH, MEASURED, MEASUREMENTS, Quantity, find, pattern


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ac_power_w", "ac_power_w"),
        ("ac_l1_voltage_v", "ac_l#_voltage_v"),
        ("ac_l3_power_w", "ac_l#_power_w"),
        ("dc1_power_w", "dc#_power_w"),
        ("dc12_current_a", "dc#_current_a"),
        ("dc_power_w", "dc_power_w"),
        ("dc0_power_w", "dc0_power_w"),
        ("dc01_power_w", "dc01_power_w"),
        ("ac_l4_voltage_v", "ac_l4_voltage_v"),
        ("dc²_power_w", "dc²_power_w"),
        ("dc", "dc"),
    ],
)
def test_numbers_of_phases_and_inputs(name, key):
    assert pattern(name) == key


@pytest.mark.parametrize(
    "name",
    ["dc#_power_w", "ac_l#_voltage_v", "ac_l4_voltage_v", "dc0_power_w", "dc1_rain_mm", "", "time", "ok"],
)
def test_what_is_no_field_of_an_inverter(name):
    assert find("pv_inverter", name) is None


def known(measurement, name) -> Quantity:
    quantity = find(measurement, name)
    assert quantity is not None
    return quantity


def test_types_and_ranges_that_are_published():
    assert known("pv_inverter", "status_code").kind is int
    assert known("pv_inverter", "ac_power_w").kind is float
    assert known("pv_inverter", "energy_total_wh").counter
    assert known("pv_read", "state_code").kind is int
    assert known("pv_read", "ok").kind is bool
    assert known("pv_event", "seq").kind is int


def test_every_quantity_has_a_sentence_and_a_unit_in_its_name():
    units = ("w", "var", "va", "v", "a", "hz", "wh", "h", "c", "ohm", "s", "percent", "factor")
    for name, quantity in MEASURED.items():
        assert quantity.text
        assert quantity.low < quantity.high
        if quantity.kind is float:
            assert name.rpartition("_")[2] in units, name
    assert not set(MEASURED) & (set(HEALTH) | set(EVENT))
    assert set(MEASUREMENTS) == {"pv_inverter", "pv_read", "pv_event"}
