"""Every recorded frame says what its source says it does, and is sent again byte for byte."""

from typing import Literal

import pytest
from hypothesis import given, strategies as st

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco import checks, codec
from tests.captures.kaco.frames import (
    COUNTED,
    CRCED,
    FIRMWARE,
    SUMMED,
    TRIO,
    TYPES,
    Counted,
    Crced,
    Summed,
)
from tests.unit.test_crc import bitwise

SERIAL = b"\n*03s 8.6TL00000042 %04X\r" % bitwise(
    b"*03s 8.6TL00000042 "
)  # an invented one, in the shape of CAP


FAMILY: dict[str, Literal["00", "000xi", "xp"]] = {"00": "00", "000xi": "000xi", "xp": "xp", "xp wide": "xp"}


def _summed_query(fixture: Summed) -> codec.Live | codec.Sub:
    if fixture.shape == "000xi":
        return codec.Sub(fixture.address, int(fixture.command))
    return codec.Live(fixture.address)


def _expected(fixture: Summed, kind: str | None) -> codec.Measured:
    return codec.Measured(
        fixture.address,
        fixture.command,
        FAMILY[fixture.shape],
        *fixture.values,
        type=kind,
        energy_total=fixture.energy_total,
    )


def _whole(fixture: Summed) -> bytes:
    """The frame with the CR that two sources do not show."""
    return fixture.frame if fixture.type is None or fixture.frame.endswith(b"\r") else fixture.frame + b"\r"


@pytest.mark.parametrize("fixture", SUMMED, ids=lambda f: f.origin)
def test_a_summed_frame_says_what_its_source_says(fixture):
    complete = fixture.type is not None
    heard = _whole(fixture) + fixture.after
    assert _summed_query(fixture).answer(heard, ended=not complete) == _expected(fixture, fixture.type)


@pytest.mark.parametrize(
    "fixture", [f for f in SUMMED if not f.frame.endswith(b"\r")], ids=lambda f: f.origin
)
def test_a_type_without_its_cr_is_not_taken(fixture):
    query = _summed_query(fixture)
    assert query.answer(fixture.frame, ended=False) is None
    assert query.answer(fixture.frame, ended=True) == _expected(fixture, None)


@pytest.mark.parametrize("fixture", SUMMED, ids=lambda f: f.origin)
def test_a_summed_frame_is_sent_as_it_was_recorded(fixture):
    answer = _expected(fixture, fixture.type)
    assert codec.encode_answer(answer, zeros=fixture.shape == "xp wide") == _whole(fixture)


def _generic(fixture: Crced) -> codec.Generic:
    return codec.Generic(
        fixture.address,
        fixture.elements,
        fixture.type,
        fixture.status,
        tuple(codec.String(*s) for s in fixture.strings),
        tuple(codec.Phase(*p) for p in fixture.phases),
        fixture.p_dc,
        fixture.p_ac,
        fixture.cos_phi,
        fixture.sign,  # type: ignore[arg-type]
        None,
        fixture.temperature,
        fixture.energy_today,
    )


@pytest.mark.parametrize("fixture", CRCED, ids=lambda f: f.origin)
def test_a_generic_frame_says_what_its_source_says_and_is_sent_as_it_was_recorded(fixture):
    assert codec.Live(fixture.address).answer(fixture.frame, ended=False) == _generic(fixture)
    assert codec.encode_answer(_generic(fixture)) == fixture.frame


def _totals(fixture: Counted) -> codec.Totals:
    hours = [(h * 60 + m) / 60 for h, m in fixture.hours]
    return codec.Totals(fixture.address, *fixture.counters, *hours)


@pytest.mark.parametrize("fixture", COUNTED, ids=lambda f: f.origin)
def test_totals_say_what_their_source_says(fixture):
    address = fixture.address or 1
    for headed in (None, fixture.address is not None):
        query = codec.TotalsOf(address, fixture.counters[1], headed)
        assert query.answer(fixture.frame, ended=False) == _totals(fixture)


@pytest.mark.parametrize("fixture", [f for f in COUNTED if f.reencodes], ids=lambda f: f.origin)
def test_totals_are_sent_as_they_were_recorded(fixture):
    zeros = b"0000" in fixture.frame
    assert codec.encode_answer(_totals(fixture), hours_zeros=zeros) == fixture.frame


@pytest.mark.parametrize(("origin", "frame", "address", "text"), FIRMWARE)
def test_firmware_both_ways(origin, frame, address, text):
    assert codec.FirmwareOf(address).answer(frame, ended=False) == codec.Firmware(address, text)
    assert codec.encode_answer(codec.Firmware(address, text)) == frame


@pytest.mark.parametrize(("origin", "frame", "address", "kind"), TYPES)
def test_type_both_ways(origin, frame, address, kind):
    assert codec.TypeOf(address).answer(frame, ended=False) == codec.TypeName(address, kind)
    assert codec.encode_answer(codec.TypeName(address, kind)) == frame


def test_serial_both_ways():
    assert codec.SerialOf(3).answer(SERIAL, ended=False) == codec.Serial(3, "8.6TL00000042")
    assert codec.encode_answer(codec.Serial(3, "8.6TL00000042")) == SERIAL


def test_trio_both_ways():
    assert codec.Live(12).answer(TRIO, ended=False) == codec.Trio(12)
    assert codec.encode_answer(codec.Trio(12)) == TRIO


ALL = [
    *((_summed_query(f), _whole(f)) for f in SUMMED),
    *((codec.Live(f.address), f.frame) for f in CRCED),
    *((codec.TotalsOf(f.address or 1, f.counters[1]), f.frame) for f in COUNTED),
    *((codec.FirmwareOf(a), frame) for _, frame, a, _ in FIRMWARE),
    *((codec.TypeOf(a), frame) for _, frame, a, _ in TYPES),
    (codec.SerialOf(3), SERIAL),
    (codec.Live(12), TRIO),
]


@pytest.mark.parametrize(("query", "frame"), ALL)
def test_no_prefix_is_an_answer_while_the_line_is_busy(query, frame):
    whole = query.answer(frame, ended=True)
    for cut in range(len(frame)):
        assert query.answer(frame[:cut], ended=False) is None
    if frame.endswith(b"\r"):
        assert query.answer(frame, ended=False) == whole


@pytest.mark.parametrize(("query", "frame"), ALL)
def test_a_frame_may_come_in_any_two_pieces_behind_any_echo(query, frame):
    whole = query.answer(frame, ended=True)
    for before in (b"", query.request, b"\0\0", bytes.fromhex("6ed6f65600")):
        heard = before + frame
        for cut in range(len(before), len(heard)):
            assert query.answer(heard[:cut], ended=False) is None
        assert query.answer(heard, ended=True) == whole


@pytest.mark.parametrize(("query", "frame"), ALL)
def test_a_frame_cut_at_any_length_is_never_another_answer(query, frame):
    whole = query.answer(frame, ended=True)
    for cut in range(len(frame)):
        heard = frame[:cut]
        try:
            answer = query.answer(heard, ended=True)
        except Corrupt:
            assert cut >= 2
            continue
        if answer is None:
            assert cut < 2
        else:  # a sum has come whole, and only the type behind it is cut
            assert isinstance(answer, codec.Measured)
            assert answer == whole._replace(type=None)


@pytest.mark.parametrize(("query", "frame"), ALL)
def test_an_answer_has_begun_with_its_header_at_the_latest_and_echo_and_noise_are_none(query, frame):
    assert query.begun(frame[:5]) or frame[1:2] == b" "
    assert query.begun(query.request + frame)
    assert not query.begun(query.request)
    assert not query.begun(b"")
    assert not query.begun(bytes(range(128, 256)))


@given(st.sampled_from(ALL), st.data())
def test_every_answer_in_random_pieces(case, data):
    query, frame = case
    whole = query.answer(frame, ended=True)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(frame) - 1), max_size=8)))
    for cut in cuts:
        assert query.answer(frame[:cut], ended=False) is None
    assert query.answer(frame, ended=True) == whole


def test_the_bench_counts_as_its_weak_reader_every_real_frame_of_family_00():
    frames = [_whole(f) for f in SUMMED if f.shape == "00"]
    assert len(frames) == 12
    assert all(checks.sum_and_length(frame) for frame in frames)
    assert not any(
        checks.sum_and_length(frame[:30] + b"9" + frame[31:]) for frame in frames if frame[30:31] != b"9"
    )
