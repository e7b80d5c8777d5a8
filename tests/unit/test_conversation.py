"""ask() and turn(), driven by hand: one question, what is heard, what it ends with."""

from typing import NamedTuple

import pytest

from pv_exec.box.errors import AddressConflict, Corrupt, Refused, Silent
from pv_exec.conversation import Heard, Listen, OutOfTime, Report, Send, ask, turn
from pv_exec.model import Inverter, Outcome


class Question(NamedTuple):
    """Its answer is `<…>`; a `!` in it is damage, `?` is two devices. Anything before `<` is noise."""

    silent_tries: int = 1
    request: bytes = b"Q"

    def begun(self, heard):
        return b"<" in heard

    def answer(self, heard, *, ended):
        if b"?" in heard:
            raise AddressConflict("two")
        if b"!" in heard:
            raise Corrupt("damaged")
        start, end = heard.find(b"<"), heard.find(b">")
        return heard[start + 1 : end] if 0 <= start < end else None


class Played(NamedTuple):
    result: object
    sent: list[Send]
    listened: list[float]
    clock: float


def play(talk, heard, budget=100.0, send_takes=0.0):
    """Perform `talk`: `heard` is what comes to each Listen, b"" for silence, a (seconds, bytes) for when."""
    sent, listened, clock = [], [], 0.0
    heard = iter(heard)
    try:
        step = next(talk)
        while True:
            if clock >= budget and isinstance(step, Send | Listen):
                step = talk.throw(OutOfTime())
                continue
            data = b""
            if isinstance(step, Send):
                sent.append(step)
                clock += send_takes
            elif isinstance(step, Listen):
                listened.append(step.seconds)
                said = next(heard, b"")
                after, data = said if isinstance(said, tuple) else (0.0 if said else step.seconds, said)
                if after > step.seconds:
                    after, data = step.seconds, b""
                clock += after
            step = talk.send(Heard(data, budget - clock))
    except StopIteration as end:
        return Played(end.value, sent, listened, clock)
    except Exception as error:  # noqa: BLE001 -- whatever it ends with is the result
        return Played(error, sent, listened, clock)


def asked(heard, question=Question(), budget=100.0, **more):  # noqa: B008 -- a NamedTuple
    return play(ask(question, within=1.0, idle=0.25, **more), heard, budget)


def test_an_answer_in_one_piece():
    played = asked([b"<yes>"])
    assert played.result == b"yes"
    assert played.sent == [Send(b"Q", 1)]
    assert played.listened == [1.0]


@pytest.mark.parametrize("cut", range(1, 5))
def test_an_answer_in_two_pieces_ends_with_its_last_byte(cut):
    played = asked([b"<yes>"[:cut], b"<yes>"[cut:]])
    assert played.result == b"yes"
    assert played.listened[1] == 0.25  # begun: no longer the long wait


def test_silence_takes_exactly_the_time_an_answer_may_take_and_is_not_asked_again():
    played = asked([])
    assert isinstance(played.result, Silent)
    assert played.result.what == "no answer within 1 s"
    assert len(played.sent) == 1
    assert played.clock == pytest.approx(1.0)


def test_a_family_may_ask_a_silent_device_more_often():
    played = asked([], Question(silent_tries=3))
    assert isinstance(played.result, Silent)
    assert [send.attempt for send in played.sent] == [1, 2, 3]
    assert played.clock == pytest.approx(3.0)


def test_noise_does_not_lengthen_the_wait():
    played = asked([(0.3, b"x")] * 10)
    assert isinstance(played.result, Silent)
    assert "(3 bytes of echo or noise)" in played.result.what
    assert played.clock == pytest.approx(1.0)


def test_nul_bytes_are_not_worth_a_word():
    played = asked([(0.3, b"\0\0")])
    assert isinstance(played.result, Silent)
    assert "noise" not in played.result.what


def test_a_corrupt_answer_is_asked_for_once_more():
    played = asked([b"<n!>", b"<yes>"])
    assert played.result == b"yes"
    assert [send.attempt for send in played.sent] == [1, 2]


def test_and_not_a_third_time():
    played = asked([b"<n!>", b"<n!>", b"<yes>"])
    assert isinstance(played.result, Corrupt)
    assert len(played.sent) == 2


def test_silence_after_a_corrupt_answer_is_the_end_even_where_silence_is_asked_again():
    played = asked([b"<n!>"], Question(silent_tries=2))
    assert isinstance(played.result, Silent)
    assert len(played.sent) == 2


def test_an_answer_that_breaks_off_is_corrupt():
    played = asked([b"<ye", b"", b"<y", b""])
    assert isinstance(played.result, Corrupt)
    assert played.result.what == "the answer broke off after 2 bytes"
    assert len(played.sent) == 2


def test_two_devices_are_not_asked_again():
    played = asked([b"<a?>"])
    assert isinstance(played.result, AddressConflict)
    assert len(played.sent) == 1


def test_an_answer_may_begin_in_the_last_moment_and_end_after_it():
    assert asked([(0.999, b"<"), (0.2, b"y"), (0.2, b"es>")]).result == b"yes"


@pytest.mark.parametrize("budget", [0.0, 0.1, 0.5, 0.999])
def test_no_time_left_is_out_of_time_and_not_silence(budget):
    played = asked([], budget=budget)
    assert isinstance(played.result, OutOfTime)
    assert played.clock <= budget + 1e-9


def test_an_answer_cut_by_the_end_of_the_budget_is_out_of_time():
    played = asked([(0.4, b"<y")], budget=0.5)
    assert isinstance(played.result, OutOfTime)
    assert len(played.sent) == 1


@pytest.mark.parametrize(
    "heard", [[], [(0.5, b"<y")], [(0.6, b"x")], [(0.2, b"<"), (0.2, b"y"), (0.2, b"e")]]
)
def test_a_reserve_is_left_alone_whatever_comes(heard):
    played = asked(heard, budget=1.0, reserve=0.3)
    assert isinstance(played.result, OutOfTime)
    assert played.clock <= 0.7 + 1e-9


# ------------------------------------------------------------------------------------------------------------------ turn

SOUTH = Inverter("south", None)


def told(heard, budget=100.0, send_takes=0.0, last=None):
    def measure():
        answer = yield from ask(Question(), within=1.0, idle=0.25)
        more = (yield from ask(Question(), within=1.0, idle=0.25)) if last else b""
        return Outcome("south", "ok", {"model": (answer + more).decode()})

    played = play(turn(SOUTH, measure()), heard, budget, send_takes)
    assert isinstance(played.result, Outcome)
    return played.result


def test_an_answer_makes_an_ok_outcome_with_its_tries_and_seconds():
    outcome = told([(0.3, b"<yes>")], send_takes=5.0)
    assert outcome.state == "ok"
    assert outcome.values == {"model": "yes"}
    assert outcome.attempts == 1
    assert outcome.duration == pytest.approx(0.3)  # the gap before the question does not count


def test_a_second_try_counts():
    assert told([b"<!>", b"<yes>"]).attempts == 2


def test_a_later_question_does_not_lower_the_tries():
    assert told([b"<!>", b"<a>", b"<b>"], last=True).attempts == 2


@pytest.mark.parametrize(
    ("heard", "state", "error"),
    [
        ([], "silent", "no answer within 1 s"),
        ([b"<!>", b"<!>"], "corrupt", "damaged"),
        ([b"<?>"], "address_conflict", "two"),
    ],
)
def test_a_failure_makes_the_outcome_of_its_kind(heard, state, error):
    outcome = told(heard)
    assert (outcome.state, outcome.error, outcome.values) == (state, error, {})
    assert outcome.inverter == "south"


def test_refused_is_a_state_too():
    def measure():
        yield Listen(1.0)
        raise Refused("wrong password")

    assert play(turn(SOUTH, measure()), []).result.state == "refused"


def test_out_of_time_is_an_outcome_and_an_inverter_never_asked_had_no_try():
    outcome = told([], budget=0.0)
    assert (outcome.state, outcome.attempts, outcome.duration) == ("timeout", 0, 0.0)
    assert told([], budget=0.5).attempts == 1


def test_what_a_measurement_makes_of_out_of_time_counts():
    def measure():
        try:
            yield Listen(1.0)
        except OutOfTime:
            pass
        yield Report(Outcome("south", "ok"))
        return Outcome("south", "ok", {"model": "half"})

    assert play(turn(SOUTH, measure()), [], budget=0.0).result.values == {"model": "half"}


def test_a_bug_is_not_swallowed():
    def measure():
        yield Listen(1.0)
        raise KeyError("oops")

    assert isinstance(play(turn(SOUTH, measure()), []).result, KeyError)
