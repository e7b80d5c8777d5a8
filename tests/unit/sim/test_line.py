"""The line's own rules and faults, with stations that are scripted: no protocol is spoken here."""

import pytest
from hypothesis import given, strategies as st

from pv_exec.box.errors import PortMissing
from pv_exec.sim.faults import DEFAULTS, FAULTS, parse
from pv_exec.sim.line import AWAY, Line
from pv_exec.sim.virtual import VirtualLink

BYTE = 10 / 9600
ANSWER = bytes(range(0x20, 0x70))


class Scripted:
    """Says the same to every request."""

    BAUD = 9600
    GAP = 1.0

    def __init__(self, *said):
        self.said = said or ((0.1, ANSWER, 1),)
        self.heard = []
        self.notes = []

    def hear(self, data, now):
        self.heard.append((now, data))
        return list(self.said)


def link_of(stations=None, **options):
    return VirtualLink(Line(stations or Scripted(), **options))


def listen(link, seconds):
    """Everything that comes in so many seconds, with the times."""
    ends = link.now() + seconds
    pieces = []
    while link.now() < ends:
        if data := link.read(ends - link.now()):
            pieces.append((link.now(), data))
    return pieces


def said(link, request=b"#010\r", seconds=1.0):
    link.write(request)
    return b"".join(data for _, data in listen(link, seconds))


def test_an_answer_comes_after_request_and_delay_at_the_wires_own_pace():
    link = link_of(faults={"chunks": "1"})
    link.write(b"#010\r")
    pieces = listen(link, 1.0)
    assert [data for _, data in pieces] == [ANSWER[i : i + 1] for i in range(len(ANSWER))]
    assert pieces[0][0] == pytest.approx(5 * BYTE + 0.1 + BYTE)
    assert pieces[-1][0] == pytest.approx(5 * BYTE + 0.1 + len(ANSWER) * BYTE)
    assert link.now() == pytest.approx(1.0)


@given(st.integers(0, 10_000))
def test_pieces_end_anywhere_and_lose_nothing(seed):
    link = link_of(seed=seed)
    link.write(b"#010\r")
    pieces = listen(link, 1.0)
    assert b"".join(data for _, data in pieces) == ANSWER
    assert len(pieces) > 1


def test_silence_takes_the_time_that_was_waited_for():
    link = link_of()
    assert link.read(0.25) == b""
    assert link.now() == 0.25
    assert link.read(0.0) == b""
    assert link.now() == 0.25


def test_what_comes_while_nobody_reads_waits_as_in_a_ports_buffer():
    link = link_of()
    link.write(b"#010\r")
    link.sleep(1.0)
    assert link.read(0.5) == ANSWER
    assert link.now() == 1.0


def test_the_same_seed_gives_the_same_noise():
    noisy = {"noise-before": "", "flip": "0.01", "drop": "0.05"}
    assert said(link_of(seed=7, faults=noisy)) == said(link_of(seed=7, faults=noisy))
    assert said(link_of(seed=7, faults=noisy)) != said(link_of(seed=8, faults=noisy))


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_works_with_its_default_and_shows(name):
    with_fault = link_of(seed=1, faults={name: ""})
    without = link_of(seed=1)
    seen = []
    for link in (with_fault, without):
        try:
            link.write(b"#010\r")
            seen.append(listen(link, 3.0))
        except PortMissing:
            seen.append("gone")
    assert seen[0] != seen[1]


def test_night_is_silence():
    assert said(link_of(faults={"night": ""})) == b""


def test_echoes_come_first_and_may_be_all():
    assert said(link_of(faults={"echo": ""})) == b"#010\r" + ANSWER
    assert said(link_of(faults={"inverted-echo": ""})) == bytes.fromhex("6ed6f65600") + ANSWER
    assert said(link_of(faults={"echo-only": ""})) == b"#010\r"
    assert said(link_of(faults={"echo-only": "inverted"})) == bytes.fromhex("6ed6f65600")


def test_nuls_and_noise_lie_around_the_answer_and_do_not_delay_it():
    link = link_of(faults={"nul": "3", "noise-after": "4", "chunks": "1"})
    link.write(b"#010\r")
    pieces = listen(link, 1.0)
    heard = b"".join(data for _, data in pieces)
    assert heard.startswith(b"\0\0\0" + ANSWER + b"\0\0\0")
    assert len(heard) == len(ANSWER) + 10
    assert pieces[3][0] == pytest.approx(5 * BYTE + 0.1 + BYTE)


@pytest.mark.parametrize("length", range(len(ANSWER) + 1))
def test_an_answer_can_be_cut_at_every_length(length):
    assert said(link_of(faults={"truncate": str(length)})) == ANSWER[:length]


def test_slow_is_later():
    link = link_of(faults={"slow": "2"})
    link.write(b"#010\r")
    assert listen(link, 2.0) == []
    assert b"".join(data for _, data in listen(link, 1.0)) == ANSWER


def test_late_is_the_same_once_more():
    link = link_of(faults={"late": "13"})
    assert said(link) == ANSWER
    assert listen(link, 12.0) == []
    assert b"".join(data for _, data in listen(link, 1.0)) == ANSWER


def test_a_late_packet_is_never_put_into_the_middle_of_an_answer():
    stations = Scripted((0.1, b"A" * 60, 1))
    link = link_of(stations, faults={"late": "0.98"})
    assert said(link, seconds=1.0) == b"A" * 60
    stations.said = ((0.1, b"B" * 60, 2),)
    assert said(link, seconds=0.9) in {b"A" * 60 + b"B" * 60, b"B" * 60 + b"A" * 60}


def test_a_hang_up_is_a_missing_port_until_it_is_back():
    link = link_of(faults={"hang-up": "9", "first": "1"})
    link.write(b"#010\r")
    link.sleep(1.0)
    assert link.read(1.0) == ANSWER[:9]
    with pytest.raises(PortMissing):
        link.read(1.0)
    for use in (link.reopen, lambda: link.read(0.1), lambda: link.write(b"x")):
        with pytest.raises(PortMissing):
            use()
    link.sleep(AWAY)
    link.reopen()
    assert said(link) == ANSWER


def test_babble_never_ends_and_drowns_the_stations():
    link = link_of(faults={"babble": ""})
    heard = said(link, seconds=2.0)
    assert 0.9 < len(heard) * BYTE / 2.0 < 1.1
    assert ANSWER not in heard
    link.sleep(1.0)
    assert len(link.read(0.1)) * BYTE > 0.9


def test_two_stations_at_once_are_soup_and_one_after_the_other_are_two_answers():
    later = (0.1 + 0.073, b"second" * 10, 1)
    soup = said(link_of(Scripted((0.1, ANSWER, 1), later)))
    assert soup[:70] == ANSWER[:70]
    assert ANSWER not in soup
    assert b"second" * 10 not in soup
    clean = said(link_of(Scripted((0.1, ANSWER[:13], 1), later)))
    assert clean == ANSWER[:13] + b"second" * 10


def test_who_talks_over_a_station_is_noted_and_not_understood():
    stations = Scripted()
    link = link_of(stations)
    link.write(b"#010\r")
    link.sleep(5 * BYTE + 0.1 + 20.5 * BYTE)
    heard = link.read(0.0)
    assert heard == ANSWER[: len(heard)]
    link.write(b"#020\r")
    heard += b"".join(data for _, data in listen(link, 1.0))
    assert heard[:20] == ANSWER[:20]
    assert 5 <= len(ANSWER) - len(heard) <= 6  # the receiver is off while its own side sends
    assert len(link.line.notes) == 1
    assert "while a station was talking" in link.line.notes[0]


def test_a_fault_can_be_kept_to_the_first_answers_or_to_one_station():
    stations = Scripted((0.1, b"one", 1), (0.2, b"two", 2))
    link = link_of(stations, faults={"truncate": "1", "first": "2"})
    assert [said(link) for _ in range(3)] == [b"ot", b"ot", b"onetwo"]
    assert said(link_of(stations, faults={"truncate": "1", "only": "2"})) == b"onet"


def test_fast_takes_no_time_but_that_of_slow():
    link = link_of(fast=True)
    link.write(b"#010\r")
    assert b"".join(data for _, data in listen(link, 0.001)) == ANSWER
    slow = link_of(fast=True, faults={"slow": "2"})
    slow.write(b"#010\r")
    assert listen(slow, 1.9) == []
    assert b"".join(data for _, data in listen(slow, 0.2)) == ANSWER


def test_faults_say_what_is_wrong_with_their_values():
    for values, says in [
        ({"rain": ""}, "no such fault: rain"),
        ({"truncate": "x"}, "whole number"),
        ({"flip": "2"}, "0 to 1"),
        ({"slow": "soon"}, "number from 0"),
        ({"echo-only": "loud"}, "clean or inverted"),
    ]:
        with pytest.raises(ValueError, match=says):
            parse(values)


def test_the_text_of_a_fault_names_its_default():
    assert all(DEFAULTS[name] in text for name, text in FAULTS.items())
