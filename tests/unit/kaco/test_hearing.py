"""What else is on a bus: echoes, NULs, noise, late answers, two units on one address, cut frames, garbage."""

import itertools

import pytest
from hypothesis import given, settings, strategies as st

from pv_exec.box.errors import AddressConflict, Corrupt
from pv_exec.drivers.kaco import codec
from tests.captures.kaco.frames import COUNTED, CRCED, INVERTED_ECHOES, RS232_LINE, SUMMED, TYPES

FRAME = next(f.frame for f in SUMMED if f.origin == "CAP 6400xi")  # of address 2, type and CR behind it
ANSWER = codec.Live(2).answer(FRAME, ended=False)
LATE = next(f.frame for f in SUMMED if f.origin == "CAP 8000xi")  # of address 4
TOTALS = COUNTED[0].frame  # of nobody: it has no header


def inverted_echo(request: bytes) -> bytes:
    """A request's bit stream with reversed polarity, as a UART at rest hears it: a start bit is the first low level.

    8N1, lowest bit first. The inverted line is low at rest; a receiver waits for a falling edge.
    """
    bits = [1] * 12
    for byte in request:
        bits += [0, *((byte >> n) & 1 for n in range(8)), 1]
    bits += [1] * 24
    line = [1 - bit for bit in bits]
    heard, at = bytearray(), 0
    while at < len(line) - 10:
        if line[at] == 1 and line[at + 1] == 0:
            heard.append(sum(line[at + 2 + n] << n for n in range(8)))
            at += 9  # into the stop bit, whatever it is
        else:
            at += 1
    return bytes(heard)


@pytest.mark.parametrize(("request_bytes", "recorded"), INVERTED_ECHOES)
def test_the_inverted_echo_of_the_model_is_the_recorded_one(request_bytes, recorded):
    assert inverted_echo(request_bytes) == bytes.fromhex(recorded)


@pytest.mark.parametrize(("address", "start"), [(2, "6eb6"), (10, "6e67f65600"), (20, "6eb3f65600")])
def test_the_inverted_echo_of_other_addresses(address, start):
    assert inverted_echo(b"#%02d0\r" % address).startswith(bytes.fromhex(start))


def test_no_inverted_echo_of_any_request_looks_like_the_start_of_an_answer():
    for address in range(1, 100):
        for command in "01234589s":
            echo = inverted_echo(f"#{address:02d}{command}\r".encode())
            assert len(echo) == 5
            assert not set(echo) & set(b"\n\r*")


@pytest.mark.parametrize(
    "before",
    [
        codec.Live(2).request,
        inverted_echo(codec.Live(2).request),
        b"\0\0\0",
        b"\xff\xfe\x80",
        b"\n",
        b"\n\n*0",
        b"\x0a\x2a\x99",
        LATE,
        TOTALS,
        TYPES[0][1],
        CRCED[1].frame,
        LATE[:40],
        CRCED[1].frame[:40],
    ],
)
def test_what_comes_before_the_answer_is_passed_over(before):
    assert codec.Live(2).answer(before + FRAME, ended=True) == ANSWER


@pytest.mark.parametrize(
    "after",
    [b"\0", b"\0\0\0\0\0\0\0\0\0\0", LATE, LATE[:30], TOTALS, b"\r\n", b"\xf5\x80\xfe", CRCED[1].frame],
)
def test_what_comes_behind_the_answer_is_let_be(after):
    assert codec.Live(2).answer(FRAME + after, ended=True) == ANSWER


@pytest.mark.parametrize("frame", [LATE, CRCED[1].frame])
def test_late_answers_alone_are_corrupt_and_say_whose_they_are(frame):
    query = codec.Live(2)
    assert not query.begun(frame)  # the right one may still come
    assert query.answer(frame, ended=False) is None
    with pytest.raises(Corrupt, match=r"answer of address [34] to a question to 2"):
        query.answer(frame, ended=True)


def test_an_answer_to_another_command_is_corrupt():
    with pytest.raises(Corrupt, match="to another command"):
        codec.Live(1).answer(b"\n*019 3600xi \xae\r", ended=True)


@pytest.mark.parametrize("alone", [b"", b"\0\0", codec.Live(2).request, inverted_echo(codec.Live(2).request)])
def test_echo_alone_is_silence(alone):
    query = codec.Live(2)
    assert not query.begun(alone)
    assert query.answer(alone, ended=True) is None


def test_a_lost_start_is_a_corrupt_answer_and_not_a_silent_unit():
    heard = FRAME[5:]  # "*020" went missing, as K485 has seen
    assert codec.Live(2).begun(heard)
    with pytest.raises(Corrupt, match="text without the start"):
        codec.Live(2).answer(heard, ended=True)


def test_a_missing_field_is_corrupt():
    with pytest.raises(Corrupt, match=r"checksum|at their places"):
        codec.Live(2).answer(FRAME.replace(b"  1.65", b""), ended=True)


def test_a_unit_in_rs232_mode_is_told():
    assert codec.Live(1).begun(RS232_LINE)
    with pytest.raises(Corrupt, match="RS232"):
        codec.Live(1).answer(RS232_LINE, ended=True)


@pytest.mark.parametrize(
    ("query", "heard"),
    [
        (codec.TypeOf(1), TYPES[5][1] + TYPES[6][1]),  # CAP: 086L32 and 6400xi, both at 01
        (codec.TypeOf(1), TYPES[6][1] + b"\0\0" + TYPES[5][1]),
        (codec.Live(2), FRAME + FRAME),
        (codec.Live(2), FRAME + b"\n*020"),
        (codec.Live(2), FRAME + bytes(range(0x80, 0x80 + 63))),  # CAP: some seventy clean bytes, then soup
        (codec.TotalsOf(3, None), COUNTED[4].frame + TOTALS),
        (codec.TotalsOf(3, None), TOTALS + COUNTED[4].frame),
        (codec.TotalsOf(3, None), TOTALS + TOTALS),
    ],
)
def test_two_units_on_one_address_are_a_conflict(query, heard):
    with pytest.raises(AddressConflict):
        query.answer(heard, ended=True)


@pytest.mark.parametrize("text", [b"*00", b"*33"])
def test_an_answer_of_an_address_that_nobody_asks_is_not_taken(text):
    # KRTU has lines of an XP500 with 00; 0 is no address of a menu, so nothing says which unit spoke.
    frame = b"\n" + text + FRAME[4:57]
    frame += bytes((sum(frame[1:]) & 0xFF,)) + FRAME[58:]
    with pytest.raises(Corrupt, match=f"answer of address {int(text[1:])} to a question to 1"):
        codec.Live(1).answer(frame, ended=True)


def test_more_than_any_answer_without_an_answer_is_corrupt():
    assert codec.Live(1).answer(b"\xff" * 512, ended=False) is None
    with pytest.raises(Corrupt, match="513 bytes"):
        codec.Live(1).answer(b"\xff" * 513, ended=False)


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        (FRAME.replace(b"\xa5", b"\x9d"), "checksum 9D, computed A5"),
        (
            FRAME.replace(b"671", b"971").replace(b"635", b"335"),
            "406.8 V × 1.65 A is 671 W, the frame says 971 W",
        ),
        (FRAME.replace(b"1.65", b"1.56"), "406.8 V × 1.56 A is 635 W, the frame says 671 W"),
        (FRAME.replace(b"2.80", b"0.82"), "228.7 V × 0.82 A is 188 VA, the frame says 635 W"),
        (FRAME[:30], r"cut short after 30 bytes: \n*020   4 406.8  1.65   671 22"),
    ],
)
def test_reasons_are_sentences(heard, reason):
    with pytest.raises(Corrupt) as caught:
        codec.Live(2).answer(heard, ended=True)
    assert caught.value.what == reason


def with_sum(target: int) -> tuple[codec.Measured, bytes]:
    """A believable frame whose true sum is `target`: power from dusk to noon and energy from few digits to many reach all."""
    powers = [
        (" 99.9  0.00     0", (99.9, 0.0, 0), "    0", 0),
        ("350.3  0.17    59", (350.3, 0.17, 59), "   32", 32),
        ("390.9  0.78   304", (390.9, 0.78, 304), "  264", 264),
        ("448.4 12.95  5806", (448.4, 12.95, 5806), " 5555", 5555),
    ]
    for (dc, dc_values, ac, p_ac), status, energy in itertools.product(
        powers, (4, 11, 107), range(0, 99999, 7)
    ):
        i_ac = 23.6 if p_ac > 1000 else 1.29
        text = f"*010 {status:3d} {dc} 236.5 {i_ac:5.2f} {ac}  29 {energy:6d} "
        if sum(text.encode()) & 0xFF == target:
            answer = codec.Measured(
                1, "0", "00", status, *dc_values, 236.5, i_ac, p_ac, 29, energy, type="6400xi"
            )
            return answer, b"\n" + text.encode() + bytes((target,)) + b" 6400xi\r"
    raise AssertionError(f"no frame with sum {target:02X}")


@pytest.mark.parametrize("target", [0x0A, 0x0D, 0x20, 0x00, 0x11, 0x13, 0xFF])
def test_a_sum_that_looks_like_something_else(target):
    answer, frame = with_sum(target)
    query = codec.Live(1)
    assert codec.encode_answer(answer) == frame
    assert query.answer(frame, ended=False) == answer
    for cut in range(len(frame)):
        assert query.answer(frame[:cut], ended=False) is None
    late = codec.Live(2).answer(frame + FRAME, ended=True)
    assert late == ANSWER


def test_a_generic_crc_in_lower_case_is_corrupt():
    frame = CRCED[0].frame
    with pytest.raises(Corrupt, match="no CRC"):
        codec.Live(3).answer(frame.replace(b"AF9F", b"af9f"), ended=True)


def test_an_unknown_layout_gives_type_status_last_value_and_the_tokens():
    answer = codec.Generic(3, 9, "99XX", 4, energy_today=1234, tokens=("1.0", "-2", "xyz", "7", "8", "1234"))
    assert codec.Live(3).answer(codec.encode_answer(answer._replace(elements=9)), ended=False) == answer
    protect = codec.Generic(3, 11, "Prot", 4, tokens=("0",) * 8)
    assert codec.Live(3).answer(codec.encode_answer(protect), ended=False) == protect


def test_totals_are_held_against_the_energy_of_command_0():
    assert codec.TotalsOf(1, 33801).answer(TOTALS, ended=False) is not None
    assert codec.TotalsOf(1, 33790).answer(TOTALS, ended=False) is not None
    for energy in (33802, 33750, 17249):
        with pytest.raises(Corrupt, match="energy today is 33801 Wh"):
            codec.TotalsOf(1, energy).answer(TOTALS, ended=False)


def test_a_known_shape_of_totals_refuses_the_other():
    with pytest.raises(Corrupt):
        codec.TotalsOf(1, 33801, headed=True).answer(TOTALS, ended=True)
    with pytest.raises(Corrupt):
        codec.TotalsOf(1, 20705, headed=False).answer(COUNTED[2].frame, ended=True)


QUERIES = [
    codec.Live(1),
    codec.Sub(1, 3),
    codec.TotalsOf(1, None),
    codec.TotalsOf(1, 5, headed=True),
    codec.TotalsOf(1, 5, headed=False),
    codec.TypeOf(1),
    codec.FirmwareOf(1),
    codec.SerialOf(1),
]

KNOWN = (
    [f.frame for f in SUMMED] + [f.frame for f in CRCED] + [f.frame for f in COUNTED] + [f[1] for f in TYPES]
)

PIECES = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(KNOWN),
    st.sampled_from(KNOWN).flatmap(lambda frame: st.integers(0, len(frame)).map(lambda cut: frame[:cut])),
    st.sampled_from(KNOWN).flatmap(lambda frame: st.integers(0, len(frame)).map(lambda cut: frame[cut:])),
    st.sampled_from(
        [b"\n*010", b"\n*01n", b"\n*014\r", b"\n*013", b"\n*01n 3 x 4 ", b"\n*019 ", b"\n ", b"\n*01b"]
    ),
)


@settings(max_examples=400)
@given(st.sampled_from(QUERIES), st.lists(PIECES, max_size=8).map(b"".join), st.booleans())
def test_whatever_is_heard_gives_an_answer_or_the_two_errors_a_driver_knows(query, heard, ended):
    query.begun(heard)
    try:
        query.answer(heard, ended=ended)
    except (Corrupt, AddressConflict) as error:
        reason = error.what
    else:
        reason = "none"
    assert reason


@given(st.binary(max_size=12))
def test_a_station_hears_exactly_one_request_or_nothing(data):
    request = codec.decode_request(data)
    if request is not None:
        assert data.rstrip(b"\r\n") == f"#{request.address:02d}{request.command}".encode()


def test_requests():
    assert codec.encode_request(1, "0") == b"#010\r"
    assert codec.encode_request(32, "s") == b"#32s\r"
    assert codec.decode_request(b"#010\r") == codec.Request(1, "0")
    assert codec.decode_request(b"#010\r\n") == codec.Request(1, "0")
    for data in (b"#010", b"010\r", b"#010\r#010\r", b"#0a0\r", b"\n#010\r", b"#10\r"):
        assert codec.decode_request(data) is None
    for address, command in [
        (0, "0"),
        (33, "0"),
        (-1, "0"),
        (1, "b"),
        (1, ""),
        (1, "01"),
        (1, "4"),
        (1, "n"),
    ]:
        with pytest.raises(ValueError, match="no request"):
            codec.encode_request(address, command)
