"""Too little time, lines that break, and how often anything is asked: at every moment, for every family."""

from itertools import pairwise

import pytest

from pv_exec import drivers
from pv_exec.box.errors import PortMissing, Unreachable
from pv_exec.conversation import Keep, Listen, OutOfTime, Report, Send
from pv_exec.sim.rehearsal import Rehearsal
from tests.contract.conftest import runs, untrue

STEP = 0.009
"""Seconds from one budget to the next: less than the bytes of one piece take."""


ENOUGH = 60.0
"""Seconds in which everything can be asked twice."""


def budgets(most: float) -> list[float]:
    return [n * STEP for n in range(int(most / STEP) + 2)]


def test_what_was_complete_is_reported_whenever_the_time_is_up(family):
    """A read that asks the least: everybody whose answer was there in time is ok with it, everybody else is timeout."""
    keys = family.facts.LIVE_ONLY
    full = family.rehearsal(keys=keys).run()
    done = {report.inverter: report.at - full.began for report in full.reports}
    for budget in budgets(full.used):
        run = family.rehearsal(keys=keys).run(budget)
        assert run.used <= budget + 1e-6
        for name, at in done.items():
            if at < budget - 1e-6:
                assert run.outcomes[name].values == full.outcomes[name].values, budget
            elif at > budget + 1e-6:
                # What a checksum already vouches for counts, though the end of the frame is still to come.
                assert run.outcomes[name].values.items() <= full.outcomes[name].values.items(), budget
                assert run.outcomes[name].state == ("ok" if run.outcomes[name].values else "timeout"), budget


def test_no_time_whatever_costs_more_than_the_time(family):
    """A read that asks everything: an outcome for each, true values, nothing said after the end, and all of it kept."""
    truth = family.truth()
    full = family.rehearsal().run()
    least = family.rehearsal(keys=family.facts.LIVE_ONLY).run()
    first, at = least.reports[0].inverter, least.reports[0].at - least.began
    for budget in budgets(full.used):
        rehearsal = family.rehearsal()
        run = rehearsal.run(budget)
        assert run.used <= budget + 1e-6
        assert set(run.outcomes) == set(full.outcomes)
        assert all(untrue(outcome, truth) == {} for outcome in run.outcomes.values())
        assert all(outcome.state in {"ok", "timeout"} for outcome in run.outcomes.values()), budget
        if at < budget - 1e-6:  # what else was asked of it costs no value that was there
            assert run.outcomes[first].values.items() >= least.outcomes[first].values.items(), budget
        assert all(at < run.began + budget for at, _ in run.sent)
        rehearsal.sleep(60)
        assert set(rehearsal.run().states().values()) == {"ok"}


def test_a_budget_that_is_over_before_it_began(family):
    for budget in (0.0, -1.0):
        run = family.rehearsal().run(budget)
        assert set(run.states().values()) == {"timeout"}
        assert run.used == 0
        assert run.sent == ()


def test_after_out_of_time_a_conversation_only_reports_and_keeps(family):
    """Step by step, by hand: OutOfTime is thrown at every step there is, and whatever wants the line gets it again."""
    rehearsal = family.rehearsal()
    steps = 1
    while True:
        tail = _thrown_at(rehearsal, steps)
        if tail is None:
            break
        steps += 1
        wanted = [step for step in tail if isinstance(step, Send | Listen)]
        # The next inverters are not known to the one that was cut short: each may want the line once more.
        assert len(wanted) <= len(rehearsal.plan.inverters)
        assert all(isinstance(step, Send | Listen | Report | Keep) for step in tail)
    assert steps > 20


def _thrown_at(rehearsal: Rehearsal, number: int) -> list[object] | None:
    """What a conversation yields after OutOfTime at its step `number`; None when it ends before."""
    from pv_exec.conversation import Heard
    from pv_exec.model import Bus, Outcome

    plan, link = rehearsal.plan, rehearsal.link
    rehearsal.sleep(60)
    bus = Bus(
        plan.name, plan.inverters, plan.options, boottime=1.0, budget=1000.0, boot_id="b", kept=rehearsal.kept
    )
    start = link.now()
    talk = rehearsal.driver.read(bus)
    tail: list[object] | None = None
    reported: dict[str, str] = {}
    count = 0
    try:
        step = next(talk)
        while True:
            if isinstance(step, Report):
                assert isinstance(step.what, Outcome)
                reported[step.what.inverter] = step.what.state
            if tail is not None:
                tail.append(step)
            if isinstance(step, Send | Listen):
                count += 1
                if count >= number:
                    tail = [] if tail is None else tail
                    step = talk.throw(OutOfTime())
                    continue
                if isinstance(step, Send):
                    link.sleep(1.0)
                    link.write(step.data)
                    data = b""
                else:
                    data = link.read(step.seconds)
                step = talk.send(Heard(data, 1000.0 - (link.now() - start)))
            else:
                step = talk.send(Heard(b"", 1000.0 - (link.now() - start)))
    except StopIteration:
        assert set(reported) == {inverter.name for inverter in plan.inverters}
        return tail


def test_the_gap_holds_from_run_to_run(family):
    rehearsal = family.rehearsal()
    gap = rehearsal.driver.wire(rehearsal.plan).gap
    done = runs(rehearsal, 5, every=0.0)
    times = [at for run in done for at, _ in run.sent]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert min(gaps) >= gap - 1e-6
    assert rehearsal.line.notes == []


def test_a_gap_of_its_own_holds_as_well(family):
    if not hasattr(drivers.load(family.driver).Options(), "gap"):
        pytest.skip("this family's gap is no setting")
    rehearsal = family.rehearsal(keys={**family.facts.KEYS, "gap": "2500ms"})
    times = [at for run in runs(rehearsal, 3, every=0.0) for at, _ in run.sent]
    assert min(b - a for a, b in pairwise(times)) >= 2.5 - 1e-6


# ------------------------------------------------------------------------------------------------------ asked how often


def asked(run, facts) -> dict[bytes, int]:
    requests = [data for _, data in run.sent if facts.answered(data)]
    return {request: requests.count(request) for request in requests}


def test_a_corrupt_answer_is_asked_for_once_more_and_a_silent_device_as_often_as_its_family_says(family):
    facts = family.facts
    for fault, states in facts.EXPECTED.items():
        seen = {state for allowed in states.values() for state in allowed}
        rehearsal = family.rehearsal(keys=facts.LIVE_ONLY, spoilt={fault: ""})
        run = rehearsal.run(ENOUGH)
        if seen == {"silent"} and len(states) == len(facts.INVERTERS):
            assert set(asked(run, facts).values()) == {facts.SILENT_TRIES}, fault
        if seen == {"corrupt"}:
            for name in states:
                outcome = run.outcomes[name]
                assert outcome.attempts == 2, (fault, outcome)
            assert set(asked(run, facts).values()) <= {1, 2}
            assert list(asked(run, facts).values()).count(2) == len(states), fault
        if not states:
            assert set(asked(run, facts).values()) == {1}, fault


def test_an_answer_that_is_right_the_second_time_is_ok(family):
    """Only the first answer of each station is spoilt."""
    facts = family.facts
    for fault, states in facts.EXPECTED.items():
        if {state for allowed in states.values() for state in allowed} != {"corrupt"}:
            continue
        rehearsal = family.rehearsal(keys=facts.LIVE_ONLY, spoilt={fault: "", "first": "1"})
        run = rehearsal.run(ENOUGH)
        assert set(run.states().values()) == {"ok"}, fault
        assert {outcome.attempts for outcome in run.outcomes.values()} <= {1, 2}
        assert any(outcome.attempts == 2 for outcome in run.outcomes.values())


# ------------------------------------------------------------------------------------------------------- lines that break


def test_the_port_goes_away_at_every_byte_of_every_inverters_answers(family):
    truth = family.truth()
    for hit in family.facts.INVERTERS:
        for count in range(160):
            rehearsal = family.rehearsal(spoilt={"hang-up": str(count), "only": str(hit)})
            run = rehearsal.run()
            assert set(run.outcomes) == {inverter.name for inverter in rehearsal.plan.inverters}
            assert all(untrue(outcome, truth) == {} for outcome in run.outcomes.values())
            states = list(run.states().values())
            if run.fault is None:  # no answer was that long, and the port fell after the last
                assert set(states) == {"ok"}
                continue
            assert isinstance(run.fault, PortMissing)
            gone = states.index("port_missing") if "port_missing" in states else len(states)
            assert set(states[:gone]) <= {"ok"}
            assert set(states[gone:]) <= {"port_missing"}
            assert gone <= family.facts.INVERTERS.index(hit) + 1  # its neighbours before it have their values


class Broken:
    """A link whose n-th call fails."""

    def __init__(self, link, number, error):
        self.link, self.left, self.error = link, number, error

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise self.error

    def write(self, data):
        self._count()
        self.link.write(data)

    def read(self, seconds):
        self._count()
        return self.link.read(seconds)

    def close(self):
        self.link.close()


@pytest.mark.parametrize("error", [PortMissing("gone"), Unreachable("nobody there")])
def test_the_link_may_fail_at_every_call(family, error):
    number = 0
    while True:
        rehearsal = family.rehearsal(wrap=lambda link, _, number=number: Broken(link, number, error))
        run = rehearsal.run()
        assert set(run.outcomes) == {inverter.name for inverter in rehearsal.plan.inverters}
        if run.fault is None:
            break
        assert run.fault is error
        assert set(run.states().values()) <= {"ok", error.state}
        number += 1
    assert number > 30
