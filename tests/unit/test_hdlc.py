"""HDLC frames: stuffing, flags missing and shared, noise; expected bytes from the sheets on both SMA families."""

import pytest
from hypothesis import example, given, strategies as st

from pv_exec.wire import hdlc
from tests.unit.test_crc import bitwise

HEAD = b"\xff\x03\x40\x41"
CINFO = bytes.fromhex("7e ff 03 40 41 00 00 01 00 00 7d 33 09 71 80 7e")
BODY = bytes.fromhex("ff 03 40 41 00 00 01 00 00 13 09")
OTHER = bytes.fromhex("7e ff 03 40 41 00 00 00 00 80 00 06 d7 c0 7e")
OTHER_BODY = OTHER[1:-3]

BODIES = st.binary(max_size=60).map(lambda tail: HEAD + tail)
NOISE = st.binary(max_size=30).filter(lambda noise: HEAD not in noise)


@pytest.mark.parametrize(
    ("byte", "sent"),
    [
        (0x7E, b"\x7d\x5e"),
        (0x7D, b"\x7d\x5d"),
        (0x11, b"\x7d\x31"),
        (0x12, b"\x7d\x32"),
        (0x13, b"\x7d\x33"),
    ],
)
def test_five_bytes_are_stuffed(byte, sent):
    assert hdlc.stuff(bytes((1, byte, 2))) == b"\x01" + sent + b"\x02"
    assert hdlc.unstuff(b"\x01" + sent + b"\x02") == bytes((1, byte, 2))


def test_no_other_byte_is_stuffed():
    plain = bytes(set(range(256)) - {0x7E, 0x7D, 0x11, 0x12, 0x13})
    assert hdlc.stuff(plain) == plain


@given(st.binary())
def test_stuffed_data_holds_no_flag_and_comes_back(data):
    stuffed = hdlc.stuff(data)
    assert not set(stuffed) & {0x7E, 0x11, 0x12, 0x13}
    assert hdlc.unstuff(stuffed) == data
    assert len(stuffed) == len(data) + sum(byte in b"\x7e\x7d\x11\x12\x13" for byte in data)


def test_any_byte_behind_the_escape_is_turned():
    assert hdlc.unstuff(b"\x7d\x7d\x7d\x00\x7d") == b"\x5d\x20"
    assert hdlc.unstuff(b"\x7d\x0a\x41") == b"\x2a\x41"


def test_the_check_is_stuffed_too():
    # Found by trying: a body whose check holds a byte that must be stuffed (the other SMA family's head).
    for n in range(4096):
        body = b"\xff\x03\x60\x65" + n.to_bytes(2, "little")
        check = bitwise(body)
        if check & 0xFF in {0x7E, 0x7D} or check >> 8 in {0x7E, 0x7D, 0x13}:
            sent = hdlc.encode(body)
            assert len(sent) > len(body) + 4
            assert sent.count(b"\x7e") == 2
            assert hdlc.split(sent, body[:4]).frames == (body,)
            return
    pytest.fail("no such body")


def test_a_frame_as_the_sheet_has_it():
    assert hdlc.encode(BODY) == CINFO
    assert hdlc.split(CINFO, HEAD) == hdlc.Split((BODY,), (), b"\x7e")


@given(BODIES)
def test_frames_come_back(body):
    sent = hdlc.encode(body)
    check = hdlc.unstuff(sent[1:-1])[-2:]
    assert int.from_bytes(check, "little") == bitwise(body)
    assert hdlc.split(sent, HEAD).frames == (body,)


@given(st.lists(BODIES, min_size=1, max_size=4), st.booleans(), st.data())
def test_any_chunks_give_the_same_frames(bodies, shared, data):
    stream = b"".join(map(hdlc.encode, bodies))
    if shared:
        stream = stream.replace(b"\x7e\x7e", b"\x7e")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    found: list[bytes] = []
    rest = b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got = hdlc.split(rest + stream[start:end], HEAD)
        found += got.frames
        rest = got.rest
    assert found == bodies


@given(NOISE, NOISE)
@example(b"\xaa\xaa", b"\x55\x55")
@example(b"\x7e\x7e", b"\x7e")
@example(b"\x7d", b"\x7d")
def test_noise_and_training_bytes_around_frames(before, between):
    stream = before + CINFO + between + OTHER + before
    assert hdlc.split(stream, HEAD, ended=True).frames == (BODY, OTHER_BODY)


@given(NOISE.filter(lambda noise: not noise.endswith(b"\x7d")))
@example(b"")
@example(b"\xaa\xaa")
def test_a_frame_without_its_start_flag_is_found_behind_noise(noise):
    assert hdlc.split(noise + CINFO[1:], HEAD).frames == (BODY,)
    assert hdlc.split(OTHER + noise + CINFO[1:], HEAD).frames == (OTHER_BODY, BODY)


def test_a_frame_without_its_end_flag_is_closed_by_the_next_start():
    assert hdlc.split(CINFO[:-1] + OTHER, HEAD).frames == (BODY, OTHER_BODY)


def test_a_frame_without_its_end_flag_counts_when_the_line_falls_idle():
    got = hdlc.split(CINFO[:-1], HEAD)
    assert got == hdlc.Split((), (), CINFO[:-1])
    assert hdlc.split(got.rest, HEAD, ended=True).frames == (BODY,)


def test_the_end_flag_may_be_the_next_ones_start():
    assert hdlc.split(CINFO + OTHER[1:], HEAD).frames == (BODY, OTHER_BODY)


def test_what_is_broken_is_kept_as_it_was_heard():
    bad = CINFO.replace(b"\x09", b"\x0b")
    assert hdlc.split(bad + OTHER, HEAD) == hdlc.Split((OTHER_BODY,), (bad[1:-1],), b"\x7e")


def test_an_escape_before_the_flag_gives_the_frame_up():
    assert hdlc.split(CINFO[:-1] + b"\x7d\x7e", HEAD).frames == ()
    assert hdlc.split(CINFO[:-1] + b"\x7d", HEAD, ended=True).frames == ()


def test_a_frame_with_another_head_is_none():
    assert hdlc.split(OTHER, b"\xff\x03\x60\x65").frames == ()


@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_raise_nothing_and_are_not_lost(stream, ended):
    got = hdlc.split(stream, HEAD, ended=ended)
    pieces = b"".join(got.broken) + b"".join(got.frames) + got.rest.lstrip(b"\x7e")
    assert got.frames or pieces == stream.replace(b"\x7e", b"")
