"""Every family under every fault, in virtual time: an outcome for each inverter, within the budget, and nothing untrue."""

from importlib import import_module
from itertools import pairwise

import pytest

from pv_exec.model import STATES
from pv_exec.quantities import find
from pv_exec.sim import plant
from tests.contract.conftest import Family, runs, untrue

RUNS = 6


@pytest.fixture
def case(family_fault) -> tuple[Family, str]:
    driver, fault = family_fault
    return Family(driver, import_module(f"tests.contract.families.{driver}")), fault


def check(run, rehearsal, truth, budget, facts, spec):
    """What holds whatever happens."""
    assert set(run.outcomes) == {inverter.name for inverter in rehearsal.plan.inverters}
    assert run.used <= budget + 1e-6
    for outcome in run.outcomes.values():
        assert outcome.state in STATES
        assert (outcome.state == "ok") == bool(outcome.values)
        assert outcome.state == "ok" or outcome.error
        assert untrue(outcome, truth) == {}
        for field, value in outcome.values.items():
            quantity = find("pv_inverter", field)
            assert quantity is not None
            assert type(value) is quantity.kind
        assert 0 <= outcome.duration <= run.used + 1e-6
        assert outcome.attempts <= 2 * max(facts.SILENT_TRIES, 1) + 1
    requests = [data for _, data in run.sent]
    assert all(facts.allowed(request, spec) for request in requests)
    assert not facts.misplaced(requests)


def check_gaps(done, gap):
    times = [at for run in done for at, _ in run.sent]
    assert all(later - sooner >= gap - 1e-6 for sooner, later in pairwise(times))


def test_a_fault_has_the_outcome_of_the_sheet(case):
    family, fault = case
    facts = family.facts
    rehearsal = family.rehearsal(spoilt={fault: ""})
    truth = family.truth(spoilt={fault: ""})
    expected = facts.EXPECTED[fault]
    done = runs(rehearsal, RUNS)
    for run in done:
        check(run, rehearsal, truth, rehearsal.plan.deadline, facts, facts.SPEC)
        for name, state in run.states().items():
            assert state in expected.get(name, {"ok"}), run.outcomes[name]
    check_gaps(done, rehearsal.driver.wire(rehearsal.plan).gap)
    assert rehearsal.line.stations.notes == []


def test_a_fault_on_every_plant_and_seed(case):
    """Other families, other faults in time; whatever state comes, it is one, in time, and true."""
    family, fault = case
    facts = family.facts
    for name, (inverters, spec, keys) in facts.PLANTS.items():
        for seed in (2, 3):
            rehearsal = family.rehearsal(inverters, spec, keys, seed, {fault: ""})
            truth = family.truth(inverters, spec, keys, seed, {fault: ""})
            done = runs(rehearsal, RUNS)
            for run in done:
                check(run, rehearsal, truth, rehearsal.plan.deadline, facts, spec)
            check_gaps(done, rehearsal.driver.wire(rehearsal.plan).gap)
            assert rehearsal.line.stations.notes == [], name


def test_a_fault_that_passes_leaves_the_next_run_well(case):
    family, fault = case
    rehearsal = family.rehearsal(spoilt={fault: ""})
    runs(rehearsal, 3)
    healthy = plant.build(family.driver, family.facts.SPEC, seed=1, at=family.facts.AT)
    rehearsal.link.line = rehearsal.line = healthy
    rehearsal.sleep(60)
    runs(rehearsal, family.facts.HEALS_IN)
    assert set(rehearsal.run().states().values()) == {"ok"}


def test_a_fault_of_one_inverter_is_its_own(case):
    """The state of one inverter says nothing about its neighbours: all but the hit one are ok."""
    family, fault = case
    facts = family.facts
    if fault in {"babble", "hang-up", "night", "echo-only", "slow", "twin", "dark"} | facts.OF_THE_LINE:
        pytest.skip("hits the line, or names its inverter itself")
    for hit in facts.INVERTERS:
        rehearsal = family.rehearsal(spoilt={fault: "", "only": str(hit)})
        for run in runs(rehearsal, 3):
            others = {state for name, state in run.states().items() if name != str(hit)}
            assert others == {"ok"}, run.outcomes


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.8, 0.97])
def test_a_fault_and_too_little_time(case, share):
    family, fault = case
    facts = family.facts
    rehearsal = family.rehearsal(spoilt={fault: ""})
    truth = family.truth(spoilt={fault: ""})
    full = rehearsal.plan.takes
    for _ in range(4):
        run = rehearsal.run(full * share)
        check(run, rehearsal, truth, full * share, facts, facts.SPEC)
        rehearsal.sleep(50)
