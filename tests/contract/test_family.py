"""What a family has to bring: the registry's promise to everybody who adds one."""

import os
import re
from importlib import import_module

import pytest

from pv_exec import config, drivers
from pv_exec.model import STATES
from pv_exec.quantities import MEASUREMENTS, find
from pv_exec.run.plan import make
from pv_exec.sim import faults as of_line, plant
from tests.contract.conftest import runs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_a_sample_configuration_is_planned_without_a_fault(family):
    for inverters in (
        family.facts.INVERTERS,
        [{drivers.load(family.driver).SHORT: family.facts.INVERTERS[0]}],
    ):
        form = "inverters" if inverters is family.facts.INVERTERS else "inverter"
        table = {
            "name": "roof",
            "driver": family.driver,
            "port": "/dev/ttyUSB0",
            form: inverters,
            **family.facts.KEYS,
        }
        plan, faults = make(config.parse({"bus": [table]}))
        assert faults == ()
        (bus,) = plan.buses
        assert len(bus.inverters) == len(inverters)
        assert 0 < bus.takes < bus.deadline


def test_an_unknown_key_is_told_and_stops_nothing(family):
    table = {
        "name": "roof",
        "driver": family.driver,
        "port": "/dev/ttyUSB0",
        "inverters": family.facts.INVERTERS,
        "colour": "red",
    }
    plan, faults = make(config.parse({"bus": [table]}))
    assert [fault.kind for fault in faults] == ["unknown"]
    assert not plan.buses[0].fault


def test_there_is_a_simulator_with_faults_of_its_own(family):
    module = plant.simulator(family.driver)
    assert module.FAULTS
    assert all(isinstance(text, str) and text for text in module.FAULTS.values())
    assert module.BAUD > 0
    assert not set(module.FAULTS) & set(of_line.FAULTS)


def test_the_contract_knows_what_is_expected_of_every_fault(family):
    assert set(family.facts.EXPECTED) == set(plant.faults(family.driver))


def test_there_are_captures_of_real_devices(family):
    assert os.path.isdir(os.path.join(ROOT, "tests", "captures", family.driver))
    assert import_module(f"tests.captures.{family.driver}.frames").__doc__


def test_the_readme_has_a_section_on_it(family):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        headings = re.findall(r"^#+ .*", file.read(), re.MULTILINE)
    word = family.driver.split("_")[0]
    assert any(word in heading.lower() for heading in headings)


@pytest.mark.parametrize("name", ["one", "three"])
def test_plants_the_contract_asks_for(family, name):
    assert name in family.facts.PLANTS


def test_a_healthy_plant_is_ok_with_values_of_the_vocabulary_alone(family):
    for inverters, spec, keys in family.facts.PLANTS.values():
        rehearsal = family.rehearsal(inverters, spec, keys)
        for run in runs(rehearsal, 2 + len(inverters)):
            assert set(run.states().values()) == {"ok"}, (spec, run.outcomes)
            assert run.fault is None
            for report in run.reports:
                assert report.state in STATES
                assert report.values
                for field, value in report.values.items():
                    quantity = find("pv_inverter", field)
                    assert quantity is not None, field
                    assert type(value) is quantity.kind, (field, value)
                    if not isinstance(value, str):
                        assert quantity.low <= value <= quantity.high
                assert not set(report.values) & set(MEASUREMENTS["pv_read"])
            assert all(
                not outcome.dropped or "total" in str(outcome.dropped) for outcome in run.outcomes.values()
            )
        assert rehearsal.line.notes == []


def test_a_healthy_run_takes_what_the_driver_says_and_fits_its_own_deadline(family):
    for inverters, spec, keys in family.facts.PLANTS.values():
        rehearsal = family.rehearsal(inverters, spec, keys)
        for run in runs(rehearsal, 3):
            assert run.used < rehearsal.plan.deadline
