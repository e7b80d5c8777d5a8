"""Every test here runs once for each family in the registry; what it must know of one stands in families/<driver>.py."""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import pytest

from pv_exec.drivers import DRIVERS
from pv_exec.model import Outcome
from pv_exec.quantities import Value
from pv_exec.run.plan import BusPlan
from pv_exec.sim import plant
from pv_exec.sim.rehearsal import Rehearsal, Run, bus_plan


class Family(NamedTuple):
    driver: str
    facts: ModuleType

    def rehearsal(self, inverters=None, spec=None, keys=None, seed=1, spoilt=None, **more) -> Rehearsal:
        """The family's sample plant under a sun that stands still, or another one."""
        facts = self.facts
        plan = bus_plan(self.driver, inverters or facts.INVERTERS, **(facts.KEYS if keys is None else keys))
        line = plant.build(self.driver, spec or facts.SPEC, seed=seed, spoilt=spoilt, at=facts.AT)
        kept = learned(self.driver, plan, spec or facts.SPEC, seed, facts.AT)
        return Rehearsal(plan, line, wall=facts.AT, kept=kept, **more)

    def truth(
        self, inverters=None, spec=None, keys=None, seed=1, spoilt=None
    ) -> dict[str, dict[str, set[Value]]]:
        """Inverter → field → every value it really has, from clean reads; a few, until counters are believed."""
        found: dict[str, dict[str, set[Value]]] = {}
        for fault in [{}, *(self.facts.TRUTHS.get(next(iter(spoilt), ""), []) if spoilt else [])]:
            clean = self.rehearsal(inverters, spec, {**(keys or {}), **self.facts.KEYS}, seed, fault)
            for run in runs(clean, 4):
                for name, outcome in run.outcomes.items():
                    for field, value in outcome.values.items():
                        found.setdefault(name, {}).setdefault(field, set()).add(value)
        return found


@cache
def learned(driver: str, plan: BusPlan, spec: str, seed: int, at: float) -> dict[str, bytes]:
    """What a family that learns has learned of a healthy plant."""
    rehearsal = Rehearsal(plan, plant.build(driver, spec, seed=seed, at=at), wall=at)
    if hasattr(rehearsal.driver, "learn"):
        rehearsal.learn()
    return rehearsal.kept


def runs(rehearsal: Rehearsal, count: int, every: float = 60.0) -> list[Run]:
    """So many runs, one a minute."""
    done = []
    for _ in range(count):
        done.append(run := rehearsal.run())
        rehearsal.sleep(every - run.used)
    return done


def untrue(outcome: Outcome, truth: dict[str, dict[str, set[Value]]]) -> dict[str, Value]:
    """The values of an outcome that its inverter never had."""
    has = truth.get(outcome.inverter, {})
    return {field: value for field, value in outcome.values.items() if value not in has.get(field, ())}


@pytest.fixture(params=DRIVERS)
def family(request) -> Family:
    return Family(request.param, import_module(f"tests.contract.families.{request.param}"))


def pytest_generate_tests(metafunc):
    """`family_fault`: every fault of every family."""
    if "family_fault" in metafunc.fixturenames:
        cases = [(driver, fault) for driver in DRIVERS for fault in plant.faults(driver)]
        metafunc.parametrize("family_fault", cases, ids="-".join)
