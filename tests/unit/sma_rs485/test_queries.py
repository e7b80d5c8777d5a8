"""What is heard after a question: echo, noise, late and lost packets, a second master, two devices on one address."""

import itertools

import pytest
from hypothesis import given, settings, strategies as st

from pv_exec.box.errors import AddressConflict, AnswerError, Corrupt, StaleList
from pv_exec.conversation import Query
from pv_exec.drivers.sma_rs485 import codec, frames
from pv_exec.drivers.sma_rs485.messages import (
    FRAMINGS,
    Configured,
    Data,
    Device,
    Framing,
    GetCinfo,
    GetData,
    GetNet,
    Packet,
    Part,
)
from tests.captures.sma_rs485.frames import EXAMPLES, SERIAL, TIME, WR20, WR20_VALUES, session, wr20_list

BY_NAME = {example.name: example.frame for example in EXAMPLES}
WR20_ANSWER = BY_NAME["GET_DATA, answer of a WR20: four bytes stuffed"]
FOUR = BY_NAME["GET_DATA, answer of four channels"]
LIST = wr20_list()
SAID = Data(0x090F, 0, TIME, 1, WR20_VALUES)
LIVE = codec.DataOf(1, 73, TIME)

QUERIES: list[Query] = [
    LIVE,
    LIVE._replace(framing="sunnynet"),
    codec.DataOf(1, None, None),
    codec.DataOf(1, 300, TIME).behind(Part(1, b"\x0f\x09\x00")),
    codec.DeviceOf(SERIAL),
    codec.ConfiguredOf(SERIAL, 2),
    codec.ListOf(1),
    codec.ListOf(1, 19),
    codec.ListOf(1, framing="sunnynet"),
]
"""This list is also what holds the queries to the Protocol, for mypy."""


def part(after: int, address: int = 1, framing: Framing = "smanet") -> bytes:
    packet = codec.part_answer(9, address, LIST, after)
    assert packet is not None
    return frames.encode(packet, framing)


def test_the_questions_are_those_of_the_sheet():
    assert LIVE.request == BY_NAME["GET_DATA, all spot values"]
    assert LIVE._replace(mask=0x0901, channel=7).request == BY_NAME["GET_DATA, Pac"]
    assert LIVE._replace(framing="sunnynet").request == BY_NAME["GET_DATA, SunnyNet"]
    assert codec.DeviceOf(SERIAL).request == BY_NAME["SEARCH_DEV"]
    assert codec.ConfiguredOf(SERIAL, 2).request == BY_NAME["CFG_NETADR"]
    assert codec.ListOf(1).request == BY_NAME["GET_CINFO"]
    assert codec.ListOf(1, 21).request == BY_NAME["GET_CINFO, follow-up 21"]
    assert codec.ListOf(1, 19).request == BY_NAME["GET_CINFO, follow-up 19: stuffed"]
    assert [q.silent_tries for q in (LIVE, codec.ListOf(1), codec.ConfiguredOf(SERIAL, 2))] == [2, 3, 2]
    assert codec.DeviceOf(SERIAL).silent_tries == 1


def test_the_answers_are_those_of_the_sheet():
    assert LIVE.answer(WR20_ANSWER, ended=False) == SAID
    assert codec.DeviceOf(SERIAL).answer(BY_NAME["SEARCH_DEV, answer"], ended=False) == WR20
    assert codec.ConfiguredOf(SERIAL, 2).answer(BY_NAME["CFG_NETADR, answer"], ended=False) == Configured(
        2, SERIAL
    )
    assert codec.ListOf(1).answer(part(0), ended=False) == Part(21, LIST[:255])


def heard_by(query: Query, data: bytes, size: int) -> object:
    """Hand it over in pieces, as ask() does: the answer comes with its last byte, never before."""
    for end in range(size, len(data) + size, size):
        if query.begun(data[:end]):
            answer = query.answer(data[:end], ended=False)
            if answer is not None:
                assert end >= len(data)
                return answer
    return None


@pytest.mark.parametrize("size", [1, 2, 3, 16, 32, 64, 300])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_chunks_of_any_size(size, framing):
    answer = frames.encode(frames.take(WR20_ANSWER, "smanet").packets[0], framing)
    query = LIVE._replace(framing=framing)
    for before in (b"", query.request, b"\xaa\xaa", query.request + b"\0\0\x55"):
        assert heard_by(query, before + answer, size) == SAID
    assert heard_by(codec.ListOf(1, 19, framing), part(19, framing=framing), size) == Part(
        18, LIST[3 * 255 : 4 * 255]
    )


def test_an_answer_begins_with_its_header_and_not_before():
    for query in QUERIES:
        echo = query.request
        for noise in (
            b"",
            echo,
            echo[:-1],
            b"\x7e",
            b"\x68",
            bytes(40),
            echo + b"\0",
            b"\xff\x03\x40\x41",
            b"r",
        ):
            assert not query.begun(noise)
    for cut in range(len(WR20_ANSWER)):
        # 7E FF 03 40 41, source, destination, ctrl, counter, command
        assert LIVE.begun(WR20_ANSWER[:cut]) == (cut >= 12)


def test_a_late_or_foreign_answer_begins_nothing():
    others = b"".join(
        BY_NAME[name]
        for name in ("GET_NET, answer", "CFG_NETADR, answer", "GET_CINFO, answer of four channels")
    )
    for cut in range(len(others)):
        assert not LIVE.begun(others[:cut])
    assert LIVE.answer(others, ended=True) is None


def test_what_lost_its_start_begins_by_its_length():
    assert not LIVE.begun(WR20_ANSWER[20:40])
    assert LIVE.begun(WR20_ANSWER[20:60])
    with pytest.raises(Corrupt, match="71 bytes that are no packet"):
        LIVE.answer(WR20_ANSWER[20:], ended=True)


# -- whose answer ------------------------------------------------------------------------------------------------------

ANSWER = frames.take(WR20_ANSWER, "smanet").packets[0]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(
    "packet",
    [
        ANSWER._replace(source=2),
        ANSWER._replace(source=0x0101),
        ANSWER._replace(destination=1),
        ANSWER._replace(ctrl=0x00),
        ANSWER._replace(ctrl=0xC0),
        ANSWER._replace(command=9),
        ANSWER._replace(data=b"\x0f\x04" + ANSWER.data[2:]),
        ANSWER._replace(data=ANSWER.data[:2] + b"\x07" + ANSWER.data[3:]),
    ],
    ids=["source", "string", "not to us", "no answer", "to a group", "command", "mask", "channel"],
)
def test_nobody_elses_answer_counts(packet, framing):
    query = LIVE._replace(framing=framing)
    stranger = frames.encode(packet, framing)
    assert query.answer(stranger, ended=True) is None  # silence: ask() says so
    assert query.answer(stranger + frames.encode(ANSWER, framing), ended=False) == SAID


def test_values_of_another_moment_are_corrupt():
    with pytest.raises(Corrupt, match="Unix time 1718000000, not of the moment asked for"):
        codec.DataOf(1, 73, TIME + 1).answer(WR20_ANSWER, ended=True)
    assert codec.DataOf(1, 73, TIME + 1).answer(WR20_ANSWER, ended=False) is None
    assert codec.DataOf(1, 73, None).answer(WR20_ANSWER, ended=False) == SAID


def test_another_length_is_a_stale_list_and_no_damage():
    with pytest.raises(StaleList, match="22 bytes of values where the channel list has 73") as caught:
        LIVE.answer(FOUR, ended=True)
    assert not isinstance(caught.value, Corrupt)
    assert codec.DataOf(1, 22, TIME).answer(FOUR, ended=False) is not None
    for length in (0, 12, 14, 72, 74):
        with pytest.raises(StaleList):
            codec.DataOf(1, length, TIME).answer(WR20_ANSWER, ended=True)


def test_a_late_answer_of_another_moment_is_no_stale_list():
    late = codec.payload(Data(0x090F, 0, TIME - 60, 1, b"123"))
    packet = codec.part_answer(11, 1, late)
    assert packet is not None
    assert LIVE.answer(frames.encode(packet, "smanet") + WR20_ANSWER, ended=False) == SAID
    with pytest.raises(Corrupt, match="not of the moment"):
        LIVE.answer(frames.encode(packet, "smanet"), ended=True)


def test_two_sets_are_corrupt():
    packet = ANSWER._replace(data=ANSWER.data[:3] + b"\x02\x00" + ANSWER.data[5:])
    with pytest.raises(Corrupt, match="2 sets"):
        LIVE.answer(frames.encode(packet, "smanet"), ended=True)


def test_parameters_carry_no_time():
    packet = codec.part_answer(11, 1, codec.payload(Data(0x040F, 0, None, None, b"1234")))
    assert packet is not None
    assert packet.data == bytes.fromhex("0f 04 00 01 00") + b"1234"
    query = codec.DataOf(1, 9, TIME, mask=0x040F)
    assert query.answer(frames.encode(packet, "smanet"), ended=False) == Data(0x040F, 0, None, None, b"1234")


def test_two_different_answers_are_two_devices():
    twin = frames.encode(ANSWER._replace(data=ANSWER.data[:-2] + b"\x06\x00"), "smanet")
    with pytest.raises(AddressConflict, match="address 1"):
        LIVE.answer(WR20_ANSWER + twin, ended=False)
    with pytest.raises(AddressConflict):
        LIVE.answer(FOUR + WR20_ANSWER, ended=False)  # one of them with another list
    assert LIVE.answer(WR20_ANSWER + WR20_ANSWER, ended=False) == SAID  # the same one twice


def test_a_search_finds_its_serial_number_alone():
    other = codec.device_answer(2, Device(4, 2000999999, "WR33-008"))
    query = codec.DeviceOf(SERIAL)
    assert query.answer(frames.encode(other, "smanet"), ended=True) is None
    both = frames.encode(other, "smanet") + BY_NAME["SEARCH_DEV, answer"]
    assert query.answer(both, ended=False) == WR20
    assert query.answer(BY_NAME["GET_NET, answer"], ended=True) is None


def test_an_address_is_set_when_the_device_says_so_from_there():
    query = codec.ConfiguredOf(SERIAL, 2)
    for answer in (Configured(1, SERIAL), Configured(2, SERIAL + 1)):
        sent = frames.encode(codec.configured_answer(answer), "smanet")
        assert query.answer(sent, ended=True) is None


def test_another_master_than_0():
    query = codec.DataOf(1, 73, TIME, master=9)
    assert frames.take(query.request, "smanet").packets == (Packet(9, 1, 0, 0, 11, b"\x0f\x09\x00"),)
    assert query.answer(WR20_ANSWER, ended=True) is None
    assert query.answer(frames.encode(ANSWER._replace(destination=9), "smanet"), ended=False) == SAID


def told(query: Query, heard: bytes) -> str:
    """What a driver learns at the end."""
    try:
        answer = query.answer(heard, ended=True)
    except AnswerError as error:
        return type(error).__name__
    return "silence" if answer is None else "answer"


# -- damage and silence ------------------------------------------------------------------------------------------------


def test_a_wrong_checksum_is_corrupt_only_when_nothing_better_came():
    bad = WR20_ANSWER.replace(b"\x52\x02", b"\x50\x02")
    assert LIVE.begun(bad)
    assert LIVE.answer(bad, ended=False) is None
    assert LIVE.answer(bad + WR20_ANSWER, ended=False) == SAID
    with pytest.raises(Corrupt, match="wrong checksum"):
        LIVE.answer(bad, ended=True)


def test_every_cut_end_is_corrupt_and_every_cut_start_no_value():
    for cut in range(12, len(WR20_ANSWER) - 1):
        with pytest.raises(Corrupt):
            LIVE.answer(WR20_ANSWER[:cut], ended=True)
    for cut in range(2, len(WR20_ANSWER)):
        assert told(LIVE, WR20_ANSWER[cut:]) in {"silence", "Corrupt"}


@pytest.mark.parametrize(
    ("heard", "query"),
    [
        (WR20_ANSWER[1:], LIVE),
        (WR20_ANSWER[:-1], LIVE),
        (WR20_ANSWER[:-1] + LIVE.request, LIVE),
        (LIVE.request[:-1] + WR20_ANSWER, LIVE),
        (LIVE.request + WR20_ANSWER[1:], LIVE),
        (b"noise" + WR20_ANSWER[1:], LIVE),
        (b"\x7e\x7e" + WR20_ANSWER + b"\x7e", LIVE),
    ],
)
def test_flags_missing_or_shared(heard, query):
    assert query.answer(heard, ended=True) == SAID


def test_a_bus_that_never_falls_silent_ends():
    with pytest.raises(Corrupt, match="bytes without an answer"):
        LIVE.answer(b"\x41" * 5000, ended=False)
    talk = BY_NAME["GET_NET, answer"] * 200
    with pytest.raises(Corrupt, match="bytes without an answer"):
        LIVE.answer(talk, ended=False)


def test_echo_and_nuls_alone_are_silence():
    for query in QUERIES:
        for heard in (b"", query.request, b"\0" * 30, query.request[3:], query.request + b"\0\xaa\x55"):
            assert query.answer(heard, ended=True) is None


# -- packets of several ------------------------------------------------------------------------------------------------


def test_a_list_is_fetched_packet_by_packet():
    """Every packet comes late once, twice once, and is lost once."""
    after, whole, asked = 0, b"", []
    while True:
        query = codec.ListOf(1, after)
        asked.append(query.request)
        late = part(after + 1) if 0 < after < 21 else b""
        assert query.answer(late, ended=False) is None
        got = query.answer(late + part(after) * 2, ended=False)
        assert got is not None
        whole += got.data
        after = got.counter
        if not after:
            break
    assert whole == LIST
    assert asked == [r.data for r in session() if r.by_master and r.command == "GET_CINFO"]


def test_a_lost_packet_is_asked_for_by_the_same_question():
    assert codec.ListOf(1, 5).request == codec.ListOf(1, 5).request
    assert codec.ListOf(1, 5).answer(part(5), ended=False) == Part(4, LIST[17 * 255 : 18 * 255])


def test_only_the_packet_that_follows_counts():
    for after in range(22):
        query = codec.ListOf(1, 10)
        answer = query.answer(part(after), ended=True)
        counter = frames.take(part(after), "smanet").packets[0].counter
        assert (answer is not None) == (counter in {9, 0})  # 0: some Sunny Islands end early


def test_two_devices_with_different_lists_on_one_address_are_told():
    twin = frames.encode(Packet(1, 0, 0x40, 21, 9, LIST[:254]), "smanet")
    with pytest.raises(AddressConflict):
        codec.ListOf(1).answer(part(0) + twin, ended=False)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_values_of_more_than_one_packet(framing: Framing):
    said = Data(0x090F, 0, TIME, 1, bytes(range(256)) * 2)
    whole = codec.payload(said)
    query = codec.DataOf(1, len(whole), TIME, framing=framing)
    got: Data | Part | None = None
    asked = []
    while not isinstance(got, Data):
        (packet,) = frames.take(query.request, framing).packets
        asked.append(codec.parse_request(packet))
        sent = codec.part_answer(11, 1, whole, query.after)
        assert sent is not None
        got = query.answer(frames.encode(sent, framing), ended=False)
        assert got is not None
        if isinstance(got, Part):
            query = query.behind(got)
    assert got == said
    assert asked == [GetData(1, 0x090F, 0), GetData(1, None, None, 2), GetData(1, None, None, 1)]
    last = codec.part_answer(11, 1, whole, 1)
    assert last is not None
    with pytest.raises(StaleList):
        query._replace(length=len(whole) + 1).answer(frames.encode(last, framing), ended=True)


# -- broadcasts --------------------------------------------------------------------------------------------------------


def test_a_round_collects_everybody_once():
    second = Device(2, 2000123457, "WR12-061")
    third = Device(1, 2000123458, "WR33-008")  # the address of the first
    heard = b"\x41".join(
        (
            frames.encode(codec.request(GetNet(start=True)), "smanet"),
            frames.encode(codec.device_answer(6, second), "smanet"),
            b"\xaa\xaa" + BY_NAME["GET_NET_START, answer"] + b"\x55\x55",
            frames.encode(codec.device_answer(1, third), "smanet"),
            BY_NAME["GET_NET_START, answer"],
            frames.encode(codec.request(GetCinfo(1)), "smanet"),
        )
    )
    got = codec.devices(heard, "smanet")
    assert got.devices == (second, WR20, third)
    assert got.lost < 20
    assert codec.devices(heard, "sunnynet").devices == ()


def test_a_collision_shows_as_lost_bytes():
    answer = BY_NAME["GET_NET_START, answer"]
    mixed = bytes(a & b for a, b in itertools.zip_longest(answer, b"\xff" * 9 + answer, fillvalue=0xFF))
    got = codec.devices(mixed, "smanet")
    assert got.devices == ()
    assert got.lost > 20


# -- anything ----------------------------------------------------------------------------------------------------------

KNOWN = [e.frame for e in EXAMPLES] + [part(0), part(19), part(1), part(1, framing="sunnynet")]

PIECES = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(KNOWN),
    st.sampled_from(KNOWN).flatmap(lambda frame: st.integers(0, len(frame)).map(lambda cut: frame[:cut])),
    st.sampled_from(KNOWN).flatmap(lambda frame: st.integers(0, len(frame)).map(lambda cut: frame[cut:])),
    # sound frames with anything in them
    st.builds(
        frames.encode,
        st.builds(
            Packet, st.sampled_from([0, 1, 2]), st.sampled_from([0, 1]), st.just(0x40), st.sampled_from([0, 18, 20]),
            st.sampled_from([1, 2, 3, 6, 9, 11]), st.one_of(st.binary(max_size=30), st.just(b"\x0f\x09\x00")),
        ),
        st.sampled_from(FRAMINGS),
    ),
)  # fmt: skip


@settings(max_examples=400)
@given(st.sampled_from(QUERIES), st.lists(PIECES, max_size=8).map(b"".join), st.booleans())
def test_whatever_is_heard_gives_an_answer_or_an_error_a_driver_knows(query, heard, ended):
    query.begun(heard)
    try:
        query.answer(heard, ended=ended)
    except (Corrupt, AddressConflict, StaleList) as error:
        reason = error.what
    else:
        reason = "none"
    assert reason
    assert codec.devices(heard, "smanet").lost >= 0
