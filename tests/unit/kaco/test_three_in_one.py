"""Buses of 000xi, which take four questions each: their time is reckoned with, or the run says what to set."""

from pv_exec.run.worker import RESERVE
from pv_exec.sim import plant
from pv_exec.sim.rehearsal import Rehearsal, Run, bus_plan

NOON = 1782039600.0  # 2026-06-21 11:00 UTC


def read(**unit) -> Run:
    plan = bus_plan("kaco", [{"address": number, **unit} for number in (1, 2, 3)])
    return Rehearsal(plan, plant.build("kaco", "1:3x10k,2:3x10k,3:3x10k", at=NOON)).run(
        plan.deadline - RESERVE
    )


def test_three_of_them_fit_into_the_automatic_deadline_once_they_are_told():
    assert read(sub_inverters=3).states() == {"1": "ok", "2": "ok", "3": "ok"}


def test_where_nobody_told_the_run_says_what_to_set():
    outcomes = read().outcomes
    assert outcomes["1"].state == "ok"
    assert outcomes["2"].state == "timeout"
    assert "set sub_inverters = 3 for it" in str(outcomes["2"].error)
