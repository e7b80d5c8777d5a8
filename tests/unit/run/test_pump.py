"""The pump on links whose clock is ours: gap, quiet line, budget."""

import random

import pytest
from hypothesis import given, strategies as st

from pv_exec.box.errors import PortMissing
from pv_exec.conversation import Heard, Keep, Listen, OutOfTime, Report, Send
from pv_exec.model import Outcome
from pv_exec.run.pump import PATIENCE, Terms, pump


class Clocked:
    """A link that says bytes at given times."""

    def __init__(self, said=(), start=1000.0, lag=0.0):
        self.clock = start
        self.said = sorted(said)
        self.sent = []
        self.lag = lag

    def now(self):
        return self.clock

    def write(self, data):
        self.sent.append((self.clock, data))
        self.clock += self.lag

    def read(self, seconds):
        assert seconds >= 0
        until = self.clock + seconds
        if self.said and self.said[0][0] <= until:
            at, data = self.said.pop(0)
            self.clock = max(self.clock, at)
            return data
        self.clock = until
        return b""

    def close(self):
        pass


class Endless(Clocked):
    """A line that is never quiet."""

    def read(self, seconds):
        self.clock += min(seconds, 0.004)
        return b"\x55" if seconds >= 0.004 else b""


def perform(steps, link, budget=100.0, gap=1.0, quiet=0.02, last=None):
    """Run a conversation of these steps; what it was resumed with, and what it told."""
    heard: list[Heard] = []
    told: list[object] = []
    kept: list[Keep] = []
    noted: list[float] = []
    late: list[object] = []

    def talk():
        for step in steps:
            try:
                heard.append((yield step))
            except OutOfTime:
                late.append(step)

    terms = Terms(link.now, link.clock + budget, gap, quiet, last, noted.append)
    pump(talk(), link, terms, told.append, kept.append)
    return heard, told, kept, noted, late


def test_a_question_waits_for_a_quiet_line():
    link = Clocked()
    perform([Send(b"Q")], link)
    assert link.sent == [(pytest.approx(1000.02), b"Q")]


def test_stray_bytes_put_it_off_and_are_handed_on():
    link = Clocked([(1000.01, b"a"), (1000.025, b"b"), (1000.2, b"c")])
    heard, *_ = perform([Send(b"Q")], link)
    assert link.sent == [(pytest.approx(1000.045), b"Q")]
    assert heard[0].data == b"ab"


def test_the_gap_counts_from_question_to_question():
    link = Clocked([(1000.5, b"answer")])
    _, _, _, noted, _ = perform([Send(b"1"), Listen(5.0), Send(b"2"), Send(b"3")], link)
    times = [at for at, _ in link.sent]
    assert times == pytest.approx([1000.02, 1001.02, 1002.02])
    assert noted == times


def test_the_gap_holds_across_two_runs():
    link = Clocked()
    perform([Send(b"Q")], link, last=999.7)
    assert link.sent[0][0] == pytest.approx(1000.7)


def test_a_question_long_ago_is_no_reason_to_wait():
    link = Clocked()
    perform([Send(b"Q")], link, last=5.0)
    assert link.sent[0][0] == pytest.approx(1000.02)


def test_what_strays_in_while_the_gap_passes_is_handed_on():
    link = Clocked([(1000.1, b"late"), (1000.95, b"later")])
    heard, *_ = perform([Send(b"1"), Send(b"2")], link)
    assert heard[1].data == b"latelater"
    assert link.sent[1][0] == pytest.approx(1001.02)


def test_a_line_that_is_never_quiet_delays_a_question_by_the_patience_at_most():
    link = Endless()
    perform([Send(b"1"), Send(b"2")], link)
    assert link.sent[0][0] == pytest.approx(1000.0 + PATIENCE, abs=0.01)
    assert link.sent[1][0] == pytest.approx(link.sent[0][0] + 1.0 + PATIENCE, abs=0.01)


def test_what_is_left_counts_down():
    link = Clocked([(1000.4, b"x")])
    heard, *_ = perform([Listen(1.0), Listen(1.0)], link, budget=3.0)
    assert [h.data for h in heard] == [b"x", b""]
    assert [h.left for h in heard] == pytest.approx([2.6, 1.6])


def test_reports_and_keeps_cost_no_time_and_are_performed_after_the_end():
    link = Clocked()
    outcome, keep = Outcome("1", "ok"), Keep("name", b"data")
    heard, told, kept, _, late = perform(
        [Listen(9.0), Listen(1.0), Report(outcome), Keep(*keep)], link, budget=2.0
    )
    assert late == [Listen(1.0)]
    assert told == [outcome]
    assert kept == [keep]
    assert link.clock == pytest.approx(1002.0)
    assert heard[0].left == pytest.approx(0.0)


@pytest.mark.parametrize("budget", [0.0, 0.01, 0.0199])
def test_nothing_is_sent_when_the_time_is_up_before_the_line_was_quiet(budget):
    link = Clocked()
    *_, late = perform([Send(b"Q")], link, budget=budget)
    assert late == [Send(b"Q")]
    assert link.sent == []
    assert link.clock <= 1000.0 + budget + 1e-9


def test_a_gap_that_ends_after_the_budget_is_not_waited_for():
    link = Clocked()
    *_, late = perform([Send(b"Q")], link, budget=0.5, last=999.9)
    assert late == [Send(b"Q")]
    assert link.clock == 1000.0


def test_a_listener_is_cut_at_the_end():
    link = Clocked([(1005.0, b"late")])
    heard, *_ = perform([Listen(60.0)], link, budget=2.0)
    assert heard == [(b"", pytest.approx(0.0))]
    assert link.clock == pytest.approx(1002.0)


def test_a_conversation_that_goes_on_for_ever_after_its_time_is_a_bug():
    def talk():
        while True:
            try:
                yield Listen(1.0)
            except OutOfTime:
                continue

    link = Clocked()
    with pytest.raises(RuntimeError, match="does not end"):
        pump(talk(), link, Terms(link.now, 1000.0, 1.0, 0.02), lambda _: None, lambda _: None)


def test_a_link_that_fails_ends_the_conversation_with_its_own_error():
    class Dead(Clocked):
        def write(self, data):
            raise PortMissing("gone")

    with pytest.raises(PortMissing):
        perform([Send(b"Q")], Dead())


def test_a_question_is_noted_before_it_is_sent():
    noted: list[float] = []

    class Dead(Clocked):
        def write(self, data):
            assert noted == [self.clock]
            raise PortMissing("gone")

    link = Dead()

    def talk():
        yield Send(b"Q")

    with pytest.raises(PortMissing):
        pump(talk(), link, Terms(link.now, 2000.0, 1.0, 0.02, None, noted.append), print, print)
    assert len(noted) == 1


@given(
    seed=st.integers(0, 10**6),
    gap=st.sampled_from([0.0, 0.05, 1.0, 2.5]),
    quiet=st.sampled_from([0.0, 0.02, 0.3]),
    budget=st.floats(0, 12),
    last=st.none() | st.floats(990, 1000),
    start=st.sampled_from([0.0, 1000.0, 1.7e9]),
)
def test_whatever_is_on_the_line(seed, gap, quiet, budget, last, start):
    """Gaps hold, nothing is sent or heard after the end, and every byte is heard once."""
    dice = random.Random(seed)
    said = [
        (start + dice.uniform(-1, 12), dice.randbytes(dice.randint(1, 5))) for _ in range(dice.randint(0, 60))
    ]
    steps = [dice.choice([Send(b"Q"), Listen(dice.uniform(0, 2))]) for _ in range(20)]
    link = Clocked(said, start)
    last = None if last is None else start - 1000.0 + last
    heard, _, _, noted, _ = perform(steps, link, budget, gap, quiet, last)
    times = [at for at, _ in link.sent]
    assert all(
        b - a >= gap - 1e-6
        for a, b in zip(
            [last, *times] if last is not None else times, times[0 if last is not None else 1 :], strict=False
        )
    )
    assert link.clock <= start + budget + 1e-6
    assert noted == times
    whole = b"".join(data for _, data in sorted(said, key=lambda one: one[0]))
    assert len(whole) - sum(len(data) for _, data in link.said) >= sum(len(h.data) for h in heard)
