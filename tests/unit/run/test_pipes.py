"""Records between processes: whole ones arrive, cut ones never."""

import os

import pytest
from hypothesis import given, strategies as st

from pv_exec.run.pipes import Inbox, send

value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
records = st.lists(st.lists(value, max_size=4).map(tuple), max_size=6)


@pytest.fixture
def pipe():
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass


def written(said):
    reader, writer = os.pipe()
    for record in said:
        assert send(writer, *record)
    os.close(writer)
    data = b""
    while more := os.read(reader, 65536):
        data += more
    os.close(reader)
    return data


def received(pieces):
    reader, writer = os.pipe()
    inbox, heard = Inbox(reader), []
    for piece in pieces:
        os.write(writer, piece)
        heard += list(inbox.receive())
    os.close(writer)
    while not inbox.ended:
        heard += list(inbox.receive())
    os.close(reader)
    return heard


@given(records, st.lists(st.integers(1, 40), max_size=30))
def test_records_arrive_as_they_were_in_whatever_pieces(said, sizes):
    data, pieces = written(said), []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    pieces.append(data)
    assert received([piece for piece in pieces if piece]) == said


def test_a_cut_record_is_dropped_and_those_before_it_arrive():
    said = [("outcome", "1", {"ac_power_w": 635.0}), ("end",)]
    whole, first = written(said), len(written(said[:1]))
    for cut in range(len(whole)):
        assert received([whole[:cut]] if cut else []) == (said[:1] if cut >= first else [])


def test_nothing_there_is_no_end(pipe):
    inbox = Inbox(pipe[0])
    assert list(inbox.receive()) == []
    assert not inbox.ended
    os.close(pipe[1])
    assert list(inbox.receive()) == []
    assert inbox.ended


def test_nobody_reading_is_told_and_not_raised(pipe):
    os.close(pipe[0])
    assert send(pipe[1], "x") is False


def test_a_full_pipe_of_a_hung_reader_is_told_and_not_waited_for(pipe):
    os.set_blocking(pipe[1], False)
    sent = 0
    while send(pipe[1], b"x" * 1000):
        sent += 1
    assert 10 < sent < 10_000
