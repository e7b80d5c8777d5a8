"""What the parent makes of what its workers say."""

import os

import pytest

from pv_exec.model import Event, Inverter, Outcome
from pv_exec.run import parent, pipes
from pv_exec.run.plan import BusPlan, Plan, Site


@pytest.fixture
def run():
    inverters = (Inverter("a", None), Inverter("b", None))
    bus = BusPlan("roof", "kaco", "/dev/null", inverters, None, 60.0, 4.0)
    return parent.Run(Plan(Site({}), (bus,)), 0.0)


def heard(run, *records):
    """The worker's side of the bus after it has said all this and closed its pipe."""
    [child] = run.children
    reading, writing = os.pipe()
    child.inbox = pipes.Inbox(reading)
    for record in records:
        assert pipes.send(writing, *record)
    os.close(writing)
    run._hear(child)
    return child


def test_outcomes_events_and_remarks_are_collected(run):
    child = heard(
        run,
        ("began", "roof", "boot", 4711, 5, 1.0, None),
        ("outcome", *Outcome("a", "ok", {"ac_power_w": 1.0})),
        ("event", "a", "new_base", "goes on"),
        ("remark", "no lock"),
        ("end",),
    )
    assert child.outcomes == {"a": Outcome("a", "ok", {"ac_power_w": 1.0})}
    assert run.events == [("roof", Event("a", "new_base", "goes on"))]
    assert run.remarks == ["roof: no lock"]
    assert child.record == ("roof", "boot", 4711, 5, 1.0, None)
    assert child.ended


def test_the_later_outcome_of_an_inverter_counts_and_a_failure_only_fills_what_is_open(run):
    child = heard(
        run,
        ("outcome", *Outcome("a", "ok")),
        ("outcome", *Outcome("a", "address_conflict")),
        ("failed", "port_missing", "went away"),
        ("end",),
    )
    assert {name: one.state for name, one in child.outcomes.items()} == {
        "a": "address_conflict",
        "b": "port_missing",
    }


def test_a_bug_is_an_error_of_its_bus_and_its_traceback_is_kept(run):
    child = heard(run, ("bug", "ValueError: x (driver.py:1)", "Traceback …"), ("end",))
    assert {one.state for one in child.outcomes.values()} == {"error"}
    assert run.bugs == ["Traceback …"]


def test_what_is_to_be_kept_goes_to_the_keeper_with_the_name_of_the_bus(run):
    reading, run.to_keeper = os.pipe()
    heard(run, ("keep", "units", b"x", True), ("end",))
    assert list(pipes.Inbox(reading).receive()) == [("keep", "roof", "units", b"x", True)]


def test_a_keeper_that_takes_nothing_is_given_up_and_nobody_waits(run):
    _, run.to_keeper = os.pipe()
    os.set_blocking(run.to_keeper, False)
    for _ in range(3):
        run._tell("keep", "roof", "units", bytes(1 << 16), True)
    assert run.to_keeper == -1
