"""Packets in both framings: every worked example and the whole session, both ways, and what streams do to them."""

import pytest
from hypothesis import given, settings, strategies as st

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.sma_rs485 import channels, codec, frames
from pv_exec.drivers.sma_rs485.messages import (
    COMMANDS,
    FRAMINGS,
    NAMES,
    CfgNetadr,
    Configured,
    Data,
    Device,
    Framing,
    GetCinfo,
    GetData,
    GetNet,
    Packet,
    Part,
    SearchDev,
    SynOnline,
)
from tests.captures.sma_rs485.frames import (
    EXAMPLES,
    MINIMAL_LIST,
    SERIAL,
    TIME,
    WR20,
    WR20_VALUES,
    Example,
    session,
    wr20_list,
)

SESSION = session()
LIST = wr20_list()

WORDS = st.integers(0, 0xFFFF)
BYTES = st.integers(0, 0xFF)
FRAMING = st.sampled_from(FRAMINGS)
PACKETS = st.builds(
    Packet, WORDS, WORDS, st.sampled_from([0x00, 0x80, 0x40, 0x10, 0x90]), BYTES, st.sampled_from(sorted(COMMANDS)),
    st.one_of(st.binary(max_size=40), st.binary(min_size=255, max_size=255),
              st.lists(st.sampled_from([0x11, 0x12, 0x13, 0x7D, 0x7E, 0x68, 0x16, 0x00]), max_size=30).map(bytes)),
)  # fmt: skip


def _id(example: Example) -> str:
    return example.name


@pytest.mark.parametrize("example", EXAMPLES, ids=_id)
def test_a_worked_example_decodes(example):
    taken = frames.take(example.frame, example.framing)
    assert taken.packets == (example.packet,)
    assert (taken.broken, taken.lost) == ((), 0)
    said: object
    if example.packet.ctrl & 0x40:
        said = codec.parse_answer(example.packet)
    else:
        said = codec.parse_request(example.packet)
    assert said == example.means


@pytest.mark.parametrize("example", EXAMPLES, ids=_id)
def test_a_worked_example_is_sent_again_byte_for_byte(example):
    packet: Packet | None
    match example.means:
        case Device():
            packet = codec.device_answer(example.packet.command, example.means)
        case Configured():
            packet = codec.configured_answer(example.means)
        case Part():
            packet = codec.part_answer(9, 1, example.means.data)
        case Data():
            packet = codec.part_answer(11, 1, codec.payload(example.means))
        case _:
            packet = codec.request(example.means)
    assert packet is not None
    assert packet == example.packet
    assert frames.encode(packet, example.framing) == example.frame


def test_the_session_is_whole():
    assert len(SESSION) == 51
    sent = [len(r.data) for r in SESSION if r.by_master]
    heard = [len(r.data) for r in SESSION if not r.by_master]
    assert (len(sent), sum(sent), len(heard), sum(heard)) == (26, 406, 25, 6061)


@pytest.mark.parametrize("recorded", SESSION, ids=lambda r: f"{r.seconds} {r.command} {r.counter}")
def test_a_frame_of_the_session_decodes_and_is_sent_again(recorded):
    taken = frames.take(recorded.data, "smanet")
    (packet,) = taken.packets
    assert taken.lost == 0
    assert NAMES[packet.command] == recorded.command
    assert packet[:4] == (recorded.source, recorded.destination, recorded.ctrl, recorded.counter)
    assert len(packet.data) == recorded.length
    assert frames.encode(packet, "smanet") == recorded.data


def test_the_session_speaks_from_both_sides():
    """Each request of YASDI is one of ours, byte for byte, and each answer is what our station would have said."""
    asked: list[object] = []
    for recorded in SESSION:
        (packet,) = frames.take(recorded.data, "smanet").packets
        if recorded.by_master:
            request = codec.parse_request(packet)
            assert request is not None
            assert codec.request(request) == packet
            asked.append(request)
            continue
        expected: Packet | None
        match asked[-1]:
            case GetNet(start=True):
                expected = codec.device_answer(6, WR20)
            case CfgNetadr(serial, address):
                expected = codec.configured_answer(Configured(address, serial))
            case GetCinfo(address, after):
                expected = codec.part_answer(9, address, LIST, after)
            case GetData(address):
                values = WR20_VALUES.replace(
                    bytes.fromhex("52 02 ac"), bytes.fromhex("53 02 ac")
                )  # Pac 595 W
                values = values.replace(
                    bytes.fromhex("58 81 e6 3f"), bytes.fromhex("bc 81 e6 3f")
                )  # 100 later
                time = next(r.time for r in reversed(asked) if isinstance(r, SynOnline))
                if time == 0x6B0419E8:
                    expected = codec.part_answer(11, address, codec.payload(Data(0x090F, 0, time, 1, values)))
                else:
                    said = codec.parse_answer(packet)
                    assert isinstance(said, Data)
                    assert (said.time, said.base, len(said.values)) == (time, 1, 60)
                    continue
            case other:
                pytest.fail(f"an answer to {other}")
        assert expected == packet
    assert asked[:2] == [GetNet(start=True), CfgNetadr(SERIAL, 1)]
    assert asked[2:24] == [GetCinfo(1, after) for after in (0, *range(21, 0, -1))]


def test_stuffed_counters_are_in_the_session():
    follow_ups = {r.counter: r.data for r in SESSION if r.by_master and r.command == "GET_CINFO"}
    for counter in (0x11, 0x12, 0x13):
        assert bytes((0x7D, counter ^ 0x20, 0x09)) in follow_ups[counter]
        assert len(follow_ups[counter]) == 16


# -- streams -----------------------------------------------------------------------------------------------------------


@given(PACKETS, FRAMING)
def test_every_packet_comes_back(packet, framing):
    sent = frames.encode(packet, framing)
    assert frames.take(sent, framing).packets == (packet,)
    assert len(sent) >= frames.wire_length(len(packet.data), framing)


@pytest.mark.parametrize("example", EXAMPLES, ids=_id)
def test_two_chunks_cut_anywhere(example):
    for cut in range(len(example.frame) + 1):
        first = frames.take(example.frame[:cut], example.framing)
        second = frames.take(first.rest + example.frame[cut:], example.framing)
        assert first.packets + second.packets == (example.packet,)
        assert first.lost == second.lost == 0


@settings(max_examples=200)
@given(st.lists(PACKETS, min_size=1, max_size=4), FRAMING, st.integers(1, 70))
def test_chunks_of_any_size_give_the_same_packets(packets, framing, size):
    stream = b"".join(frames.encode(packet, framing) for packet in packets)
    found: list[Packet] = []
    rest = b""
    for at in range(0, len(stream), size):
        taken = frames.take(rest + stream[at : at + size], framing)
        found += taken.packets
        rest = taken.rest
        assert len(rest) <= 538
    assert found == packets


@given(st.binary(max_size=40), PACKETS, PACKETS)
def test_sunnynet_finds_its_way_again_after_any_noise(noise, first, second):
    stream = noise + frames.encode(first, "sunnynet") + noise + frames.encode(second, "sunnynet")
    found = frames.take(stream, "sunnynet", ended=True).packets
    assert set(found) <= {first, second} or 0x68 in noise + first.data + second.data
    if 0x68 not in noise:
        assert found == (first, second)


def test_sunnynet_steps_over_false_starts():
    frame = frames.encode(EXAMPLES[0].packet, "sunnynet")
    for noise in (
        b"\x68",
        b"\x68\x68",
        b"\x68\x01",
        b"\x68\x68\x68",
        b"\x68\x05\x05\x67",
        b"\x68\xff\xfe\x68",
    ):
        assert frames.take(noise + frame, "sunnynet", ended=True).packets == (EXAMPLES[0].packet,)
    promises = b"\x68\xff\xff\x68"  # 269 bytes that never come
    assert frames.take(promises + frame, "sunnynet").packets == ()
    assert frames.take(promises + frame, "sunnynet", ended=True).packets == (EXAMPLES[0].packet,)


def test_training_bytes_and_echo():
    for framing in FRAMINGS:
        echo = frames.encode(codec.request(GetCinfo(1)), framing)
        answer = Packet(1, 0, 0x40, 0, 9, MINIMAL_LIST)
        stream = b"\xaa\xaa" + echo + b"\x55\x55\0\xaa\xaa" + frames.encode(answer, framing) + b"\x55\x55"
        taken = frames.take(stream, framing, ended=True)
        assert taken.packets == (Packet(0, 1, 0, 0, 9), answer)
        assert taken.lost == 0


def test_a_broken_packet_is_told_from_noise():
    example = next(e for e in EXAMPLES if e.name.startswith("GET_DATA, answer of four"))
    bad = example.frame.replace(b"\x52\x02", b"\x53\x02")
    taken = frames.take(bad, "smanet")
    assert taken.packets == ()
    assert [b.packet[:5] for b in taken.broken] == [(1, 0, 0x40, 0, 11)]
    sunny = frames.encode(example.packet, "sunnynet").replace(b"\x52\x02", b"\x53\x02")
    taken = frames.take(sunny, "sunnynet", ended=True)
    assert taken.packets == ()
    assert [b.reason for b in taken.broken] == ["a wrong checksum"]


@settings(max_examples=300)
@given(st.binary(max_size=300), FRAMING, st.booleans())
def test_arbitrary_bytes_raise_nothing(stream, framing, ended):
    taken = frames.take(stream, framing, ended=ended)
    frames.head(taken.rest, framing)
    for packet in taken.packets:
        codec.parse_request(packet)
        try:
            codec.parse_answer(packet)
        except Corrupt:
            continue


@given(PACKETS.map(lambda p: p._replace(ctrl=0x40)))
def test_any_answer_is_said_or_corrupt(packet):
    try:
        codec.parse_answer(packet)
    except Corrupt as error:
        reason = error.what
    else:
        reason = "none"
    assert reason


# -- what is never sent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", FRAMINGS)
def test_only_seven_commands_can_be_sent(framing: Framing):
    sendable = set()
    for command in range(256):
        for ctrl in (0x00, 0x80, 0x10, 0x90):
            try:
                frames.encode(Packet(0, 1, ctrl, 0, command, b"\x0f\x04\x01\x01\x00\x00\x00"), framing)
            except ValueError:
                continue
            sendable.add(command)
    assert sendable == {0x01, 0x02, 0x03, 0x06, 0x09, 0x0A, 0x0B}


@given(
    st.one_of(
        st.builds(GetNet, st.booleans()),
        st.builds(SearchDev, st.integers(0, 2**32 - 1)),
        st.builds(CfgNetadr, st.integers(0, 2**32 - 1), st.integers(1, 0xFFFF)),
        st.builds(GetCinfo, WORDS, BYTES),
        st.builds(SynOnline, st.integers(0, 2**32 - 1)),
        st.builds(GetData, WORDS, WORDS, BYTES, BYTES),
        st.builds(GetData, WORDS, st.none(), st.none(), st.integers(1, 255)),
    ),
    FRAMING,
)
def test_requests_come_back_and_write_nothing(asked, framing):
    packet = codec.request(asked)
    assert packet.command in {0x01, 0x02, 0x03, 0x06, 0x09, 0x0A, 0x0B}
    (heard,) = frames.take(frames.encode(packet, framing), framing).packets
    assert codec.parse_request(heard) == asked


@pytest.mark.parametrize(
    "asked",
    [
        CfgNetadr(SERIAL, 0),
        CfgNetadr(SERIAL, 0x10000),
        CfgNetadr(2**32, 1),
        SearchDev(-1),
        SynOnline(2**32),
        GetData(1, None, None),
        GetData(1, 0x10000, 0),
        GetData(1, 0x090F, 256),
        GetData(-1, 0x090F, 0),
        GetCinfo(0x10000),
        GetCinfo(1, 256),
    ],
)
def test_what_does_not_exist_cannot_be_asked(asked):
    with pytest.raises(ValueError, match=r"."):
        frames.encode(codec.request(asked), "smanet")


def test_a_master_gives_nobody_its_own_address():
    with pytest.raises(ValueError, match="address 7"):
        codec.request(CfgNetadr(SERIAL, 7), master=7)


def test_a_station_hears_no_answers_no_unicast_broadcasts_and_nothing_unknown():
    for packet in (
        Packet(1, 0, 0x40, 0, 6),
        Packet(0, 1, 0x00, 0, 6),
        Packet(0, 0, 0x80, 0, 6, b"x"),
        Packet(0, 0, 0x80, 0, 2, b"123"),
        Packet(0, 0, 0x80, 0, 3, b"1234"),
        Packet(0, 0, 0x80, 0, 10),
        Packet(0, 0, 0x80, 0, 9),
        Packet(0, 1, 0x00, 0, 11),
        Packet(0, 1, 0x00, 0, 11, b"\x0f\x09"),
        Packet(0, 1, 0x00, 0, 12, b"\x0f\x04\x01\x01\x00\x00\x00"),
        Packet(0, 0, 0x80, 0, 40),
    ):
        assert codec.parse_request(packet) is None
    # a Sunny Beam sets bit 10, PERL repeats the data in a follow-up
    assert codec.parse_request(Packet(0, 0, 0x90, 0, 6)) == GetNet(start=True)
    assert codec.parse_request(Packet(0, 1, 0x10, 3, 11, b"\x0f\x09\x00")) == GetData(1, 0x090F, 0, 3)
    assert codec.parse_request(Packet(0, 1, 0x00, 3, 11)) == GetData(1, None, None, 3)


def test_types_are_stripped_of_zeros_and_blanks():
    for name, said in ((b"WR700\0\0\0", "WR700"), (b"WR700   ", "WR700"), (b"WR33-008", "WR33-008")):
        packet = Packet(3, 0, 0x40, 0, 6, SERIAL.to_bytes(4, "little") + name)
        assert codec.parse_answer(packet) == Device(3, SERIAL, said)
    logger = Packet(3, 0, 0x40, 0, 6, SERIAL.to_bytes(4, "little") + b"WR33-008" + bytes(14))
    assert codec.parse_answer(logger) == Device(3, SERIAL, "WR33-008")
    for length in (0, 4, 11, 13, 25, 27):
        with pytest.raises(Corrupt):
            codec.parse_answer(Packet(3, 0, 0x40, 0, 6, bytes(length)))


# -- packets of several ------------------------------------------------------------------------------------------------


def test_the_list_of_a_wr20_is_22_packets():
    assert len(LIST) == 5564
    counters, joined, after = [], b"", 0
    while True:
        packet = codec.part_answer(9, 1, LIST, after)
        assert packet is not None
        counters.append(packet.counter)
        joined += packet.data
        after = packet.counter
        if not after:
            break
    assert counters == list(range(21, -1, -1))
    assert joined == LIST
    assert len(packet.data) == 209
    assert codec.part_answer(9, 1, LIST, 22) is None


@given(st.binary(max_size=600), st.integers(3, 255))
def test_pieces_of_any_size_join(whole, size):
    joined, after, count = b"", 0, 0
    while True:
        packet = codec.part_answer(11, 5, whole, after, size=size)
        assert packet is not None
        again = codec.part_answer(11, 5, whole, after, size=size)
        assert again == packet  # the same request brings the same packet
        joined += packet.data
        count += 1
        after = packet.counter
        if not after:
            break
    assert joined == whole
    assert count == max(1, -(-len(whole) // size))


def test_an_answer_has_256_packets_at_most():
    whole = bytes(256 * 255)
    first = codec.part_answer(9, 1, whole)
    assert first is not None
    assert first.counter == 255
    with pytest.raises(ValueError, match="257 packets"):
        codec.part_answer(9, 1, whole + b"x")


def test_the_minimal_device():
    listed = channels.parse(MINIMAL_LIST)
    assert codec.part_answer(9, 1, channels.build(listed)) == Packet(1, 0, 0x40, 0, 9, MINIMAL_LIST)
    assert channels.answer_length(listed, 0x090F) == 22


def test_times_are_unix_seconds():
    assert codec.request(SynOnline(TIME)).data == bytes.fromhex("80 99 66 66")
