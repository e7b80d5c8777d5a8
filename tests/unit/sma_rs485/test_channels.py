"""Channel lists and the values read with them; expected values from the sheet and from a real WR20-004's list."""

import csv
import struct

import pytest
from hypothesis import given, settings, strategies as st

from pv_exec.box.errors import Corrupt, StaleList
from pv_exec.drivers.sma_rs485 import channels, profile
from pv_exec.drivers.sma_rs485.channels import Analog, Counter, Digital, Status
from tests.captures.sma_rs485.frames import (
    HERE,
    MINIMAL_LIST,
    MINIMAL_VALUES,
    WR20_SAYS,
    WR20_TEXTS,
    WR20_VALUES,
    wr20_list,
)

LIST = wr20_list()
WR20 = channels.parse(LIST)


def single(raw: bytes, ntype: int = 0x0101, gain: float = 1.0, offset: float = 0.0) -> channels.Value:
    (value,) = channels.decode([Analog(1, 0x0901, ntype, 0, "X", "", gain, offset)], 0x090F, raw)
    return value


def test_the_list_of_the_minimal_device():
    gain = struct.unpack("<f", bytes.fromhex("f6cd8b37"))[0]
    assert channels.parse(MINIMAL_LIST) == (
        Analog(1, 0x0901, 0x0101, 0, "Uac", "V", 1.0, 0.0),
        Analog(2, 0x0901, 0x0101, 0, "Pac", "W", 1.0, 0.0),
        Counter(1, 0x0904, 0x0102, 0, "E-Total", "kWh", gain),
        Status(1, 0x0908, 0x0100, 0, "Status", ("Stop", "Warten", "Mpp")),
    )
    assert [
        v.text or v.number for v in channels.decode(channels.parse(MINIMAL_LIST), 0x090F, MINIMAL_VALUES)
    ] == [
        235,
        594,
        pytest.approx(17867.1, abs=0.05),
        "Mpp",
    ]


def test_the_list_of_a_wr20_is_built_again_byte_for_byte():
    assert len(LIST) == 5564
    assert len(WR20) == 114
    assert channels.build(WR20) == LIST
    assert channels.gaps(WR20) == ""
    per_ctype = {ctype: sum(c.ctype == ctype for c in WR20) for ctype in dict.fromkeys(c.ctype for c in WR20)}
    assert per_ctype == {
        0x0401: 51, 0x0408: 3, 0x0901: 19, 0x0904: 5, 0x0908: 2, 0x2901: 1, 0x2902: 3, 0x2904: 30,
    }  # fmt: skip


def test_the_list_of_a_wr20_says_what_its_table_says():
    with (HERE / "wr20-004.csv").open(newline="") as table:
        for channel, row in zip(WR20, csv.DictReader(table), strict=True):
            assert (f"{channel.ctype:04x}", str(channel.number)) == (row["ctype"], row["idx"])
            assert (f"{channel.ntype:04x}", f"{channel.level:04x}") == (row["ntype"], row["level"])
            assert channel.name == row["name"]
            match channel:
                case Analog():
                    assert (channel.unit, struct.pack("<ff", channel.gain, channel.offset).hex()) == (
                        row["unit"],
                        row["gain_hex"] + row["ofs_hex"],
                    )
                case Counter():
                    assert (channel.unit, struct.pack("<f", channel.gain).hex()) == (
                        row["unit"],
                        row["gain_hex"],
                    )
                case Digital():
                    assert f"{channel.zero}|{channel.other}" == row["texts"]
                case Status():
                    assert "|".join(channel.texts) == row["texts"]


def test_status_texts():
    texts = {c.name: c.texts for c in WR20 if isinstance(c, Status) and c.ctype == 0x0908}
    assert texts == WR20_TEXTS


def test_the_values_of_a_wr20():
    values = channels.decode(WR20, 0x090F, WR20_VALUES)
    assert len(values) == len(WR20_SAYS)
    for value, (name, raw, number, unit, text) in zip(values, WR20_SAYS, strict=True):
        assert (value.channel.name, value.raw, value.text) == (name, (raw,), text)
        assert getattr(value.channel, "unit", "") == unit
        assert value.number is not None
        if name in {"E-Total", "h-Total"}:
            assert value.number == pytest.approx(number, abs=0.05)
        else:
            assert value.number == number


def test_yasdi_says_the_same_of_its_totals():
    # YASDI printed 17867.136 kWh for the raw number 100 later (facts: the proof)
    values = {v.channel.name: v for v in channels.decode(WR20, 0x090F, WR20_VALUES)}
    number = values["E-Total"].number
    assert number is not None
    assert round(number, 2) == 17867.13
    assert number + 100 * 1.6666e-5 == pytest.approx(17867.136, abs=0.0006)


# -- what is in an answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "channel", "length", "count"),
    [
        (0x090F, 0, 73, 26),  # 13 + 19 words, 5 dwords, 2 bytes
        (0x0901, 7, 15, 1),
        (0x0904, 0, 33, 5),
        (0x090F, 1, 13 + 2 + 4 + 1, 3),  # channel 1 of each class
        (0x040F, 0, 5 + 51 * 4 + 3, 54),
        (0x290F, 0, 13 + 2 + 3 * 2 + 30, 34),
        (0x110F, 0, 13, 0),
    ],
)
def test_lengths(mask, channel, length, count):
    assert len(channels.select(WR20, mask, channel)) == count
    assert channels.answer_length(WR20, mask, channel) == length


def test_test_channels_are_not_among_the_spot_values():
    names = [c.name for c in channels.select(WR20, 0x090F)]
    assert names == [row[0] for row in WR20_SAYS]
    assert channels.select(WR20, 0x0901, 7)[0].name == "Pac"


def test_the_answer_of_the_swr_700_of_1997():
    """15 words, 5 dwords, 2 bytes: 65 data bytes."""
    listed: list[channels.Channel] = [
        *(Analog(n, 0x0901, 0x0101, 0, f"a{n}", "", 1.0, 0.0) for n in range(1, 16)),
        *(Counter(n, 0x0904, 0x0102, 0, f"c{n}", "", 1.0) for n in range(1, 6)),
        *(Status(n, 0x0908, 0x0100, 0, f"s{n}", ("a", "b")) for n in (1, 2)),
    ]
    assert channels.answer_length(listed, 0x090F) == 65


def test_another_length_of_values_is_a_stale_list():
    for values in (b"", WR20_VALUES[:-1], WR20_VALUES + b"\0", MINIMAL_VALUES):
        with pytest.raises(StaleList, match="bytes of values"):
            channels.decode(WR20, 0x090F, values)


@pytest.mark.parametrize(
    ("ntype", "width", "depth"),
    [
        (0x0100, 1, 1),
        (0x0101, 2, 1),
        (0x0102, 4, 1),
        (0x0104, 4, 1),
        (0x0105, 8, 1),
        (0x0001, 2, 1),  # depth 0 is one value
        (0x0309, 6, 3),  # the array flag plays no part
        (0x0302, 12, 3),
        (0xFF00, 255, 255),
    ],
)
def test_widths(ntype, width, depth):
    channel = Analog(1, 0x0901, ntype, 0, "X", "", 1.0, 0.0)
    assert (channels.width(channel), channels.depth(channel)) == (width, depth)


def test_arrays():
    channel = Analog(1, 0x0901, 0x0309, 0, "X", "V", 0.1, 0.0)
    (value,) = channels.decode([channel], 0x090F, bytes.fromhex("01 00 ff ff 0a 00"))
    assert value.raw == (1, 0xFFFF, 10)
    assert value.numbers == (0.1, None, 1.0)
    assert value.number == 0.1


@pytest.mark.parametrize(("ntype", "ones"), [(0x0100, 1), (0x0101, 2), (0x0102, 4), (0x0104, 4), (0x0105, 8)])
def test_all_ones_are_absent(ntype, ones):
    value = single(b"\xff" * ones, ntype)
    assert value.numbers == (None,)
    assert single(b"\x00" * ones, ntype).number == 0
    status = channels.decode([Status(1, 0x0908, 0x0100, 0, "S", ("a",))], 0x090F, b"\xff")[0]
    assert (status.number, status.text) == (None, None)


def test_numbers_are_unsigned():
    assert single(b"\x00\x80").number == 32768  # what YASDI showed in its run X
    assert single(b"\xfe\xff").number == 65534


@pytest.mark.parametrize(
    ("raw", "gain_hex", "offset_hex", "number"),
    [
        (4999, "0ad7233c", "00000000", 49.99),  # 49.98999888… without rounding
        (4988, "6f12833a", "0000a0c0", -0.012),
        (172, "6f12833a", "00000000", 0.172),
        (405, "cdcccc3d", "00000000", 40.5),
        (3, "0000803e", "00000000", 0.75),  # gain 0.25
        (7, "0000803f", "0000003f", 7.5),  # offset 0.5
        (7, "00002041", "00000000", 70.0),
    ],
)
def test_scaling(raw, gain_hex, offset_hex, number):
    gain, offset = struct.unpack("<ff", bytes.fromhex(gain_hex + offset_hex))
    assert single(raw.to_bytes(2, "little"), gain=gain, offset=offset).number == number
    channel = Analog(1, 0x0901, 0x0101, 0, "X", "", gain, offset)
    assert channels.raw_of(channel, number) == raw


def test_a_total_in_watt_hours_keeps_its_last_digit():
    gain = struct.unpack("<f", bytes.fromhex("6f12833a"))[0]  # 0.001, as a float32 0.0010000000475
    counter = Counter(1, 0x0904, 0x0102, 0, "E-Total", "kWh", gain)
    for raw in (17867136, 999999999, 4294967294):
        (value,) = channels.decode([counter], 0x090F, raw.to_bytes(4, "little"))
        assert value.number == raw / 1000


@pytest.mark.parametrize(
    ("gain", "places"),
    [(1.0, 0), (10.0, 0), (0.1, 1), (0.01, 2), (0.001, 3), (0.25, 2), (2.5, 1), (0.5, 1), (0.0, 0),
     (1.6666e-5, 5), (1 / 60000, 5), (2.7778e-4, 4), (1 / 3600, 4), (-0.01, 2), (60.0, 0)],
)  # fmt: skip
def test_decimals_of_a_gain(gain, places):
    assert channels.decimals(struct.unpack("<f", struct.pack("<f", gain))[0]) == places


def test_parameters_are_not_scaled():
    listed = [c for c in WR20 if c.ctype == 0x0401][:2]  # SMA-SN, a dword, and Upv-Start, a float
    values = channels.decode(listed, 0x040F, bytes.fromhex("40763777") + struct.pack("<f", 0.2))
    assert [v.number for v in values] == [2000123456, 0.2]


def test_a_status_beyond_its_texts_is_its_code_alone():
    status = Status(1, 0x0908, 0x0100, 0, "S", ("a", "b"))
    digital = Digital(1, 0x0902, 0x0100, 0, "D", "no", "yes")
    said = [
        (v.number, v.text)
        for raw in (0, 1, 2, 200)
        for v in channels.decode([status, digital], 0x090F, bytes((raw, raw)))
    ]
    assert said == [
        (0, "a"), (0, "no"), (1, "b"), (1, "yes"), (2, None), (2, "yes"), (200, None), (200, "yes"),
    ]  # fmt: skip


def test_raw_values_come_back():
    encoded = b"".join(
        channels.encode_raw(c, (row[1],))
        for c, row in zip(channels.select(WR20, 0x090F), WR20_SAYS, strict=True)
    )
    assert encoded == WR20_VALUES
    with pytest.raises(ValueError, match="Upv-Ist"):
        channels.encode_raw(channels.select(WR20, 0x090F)[0], (0x10000,))


# -- lists that are none -----------------------------------------------------------------------------------------------


def test_a_list_cut_anywhere_is_corrupt_or_shorter():
    whole = {len(channels.build(WR20[:n])) for n in range(1, len(WR20) + 1)}
    for cut in range(len(LIST)):
        if cut in whole:
            listed = channels.parse(LIST[:cut])
            assert listed == WR20[: len(listed)]
        else:
            with pytest.raises(Corrupt, match="channel list"):
                channels.parse(LIST[:cut])


def test_a_list_without_one_of_its_packets_is_found_out():
    for lost in range(21):  # without its last packet it is merely cut
        torn = LIST[: lost * 255] + LIST[(lost + 1) * 255 :]
        try:
            reason = channels.gaps(channels.parse(torn))
        except Corrupt as error:
            reason = error.what
        assert reason


@pytest.mark.parametrize(
    ("at", "put", "reason"),
    [
        (0, b"\x00", "entry 1 of the channel list has no number or no name"),
        (1, b"\x00", "no class"),
        (3, b"\x03", "unknown width"),
        (7, b"\x01", "a name that is no text"),
        (7, b" " * 15, "no number or no name"),
        (23, b"\x07", "a unit that is no text"),
        (31, b"\x00\x00\xc0\x7f", "no number"),
        (35, b"\x00\x00\x80\x7f", "no number"),
        (39, b"\x01", "one channel twice"),
        (136, b"\x31\x00", "ends inside its entry 4"),
    ],
)
def test_what_no_list_can_say(at, put, reason):
    bad = MINIMAL_LIST[:at] + put + MINIMAL_LIST[at + len(put) :]
    with pytest.raises(Corrupt, match=reason):
        channels.parse(bad)


def test_an_empty_list_is_corrupt():
    # YASDI ends its detection with zero channels and calls that OK
    with pytest.raises(Corrupt, match="empty"):
        channels.parse(b"")


def test_gaps():
    assert "0901/2 (Pac) where number 1 belongs" in channels.gaps(channels.parse(MINIMAL_LIST[39:]))


def test_texts_may_be_short_or_filled_with_zeros():
    head = MINIMAL_LIST[113 : 113 + 23]
    for texts, said in (
        (b"Stop\0Mpp\0", ("Stop", "Mpp")),
        (b"Stop\0Mpp", ("Stop", "Mpp")),
        (b"", ()),
        (b"Stop\0\0Mpp\0", ("Stop", "", "Mpp")),
    ):
        (status,) = channels.parse(head + len(texts).to_bytes(2, "little") + texts)
        assert isinstance(status, Status)
        assert status.texts == said
    name = b"Uac" + bytes(13)
    (channel,) = channels.parse(MINIMAL_LIST[:7] + name + MINIMAL_LIST[23:39])
    assert channel == channels.parse(MINIMAL_LIST)[0]


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=40).map(lambda b: MINIMAL_LIST[:39] + b)))
def test_arbitrary_bytes_are_a_list_or_corrupt(data):
    try:
        listed = channels.parse(data)
    except Corrupt as error:
        reason = error.what
    else:
        reason = "none"
        channels.answer_length(listed, 0x090F)
        channels.gaps(listed)
    assert reason


@settings(max_examples=300)
@given(st.data())
def test_arbitrary_values_are_read(data):
    gain = data.draw(st.floats(width=32, allow_nan=False, allow_infinity=False))
    offset = data.draw(st.floats(width=32, allow_nan=False, allow_infinity=False))
    ntype = data.draw(st.sampled_from([0x0100, 0x0101, 0x0102, 0x0104, 0x0105, 0x0309, 0x0204]))
    channel = Analog(1, 0x0901, ntype, 0, "X", "", gain, offset)
    raw = data.draw(st.binary(min_size=channels.width(channel), max_size=channels.width(channel)))
    (value,) = channels.decode([channel], 0x090F, raw)
    assert all(number is None or abs(number) < float("inf") for number in value.numbers)


NAMES = st.text("abcABC019-. |/ü", min_size=1, max_size=12).map(str.strip).filter(bool)
TEXTS = st.text("abcABC019-. /ü", max_size=12).map(str.strip)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
NTYPES = st.sampled_from([0x0100, 0x0101, 0x0102, 0x0104, 0x0105, 0x0309])
LEVELS = st.integers(0, 0xFFFF)
CHANNELS = st.lists(
    st.one_of(
        st.builds(Analog, st.integers(1, 255), st.sampled_from([0x0901, 0x0401]), NTYPES, LEVELS, NAMES, TEXTS.map(lambda t: t[:7].strip()), FLOATS, FLOATS),
        st.builds(Digital, st.integers(1, 255), st.just(0x0902), NTYPES, LEVELS, NAMES, TEXTS, TEXTS),
        st.builds(Counter, st.integers(1, 255), st.just(0x0904), NTYPES, LEVELS, NAMES, TEXTS.map(lambda t: t[:7].strip()), FLOATS),
        st.builds(Status, st.integers(1, 255), st.just(0x0908), NTYPES, LEVELS, NAMES, st.lists(TEXTS.filter(bool), max_size=4).map(tuple)),
    ),
    min_size=1, max_size=6, unique_by=lambda c: (c.ctype, c.number),
).map(tuple)  # fmt: skip


@given(CHANNELS)
def test_lists_come_back_from_bytes_and_from_text(listed):
    assert channels.parse(channels.build(listed)) == listed
    assert channels.parse(profile.from_text(profile.to_text(listed))) == listed


# -- kept and written --------------------------------------------------------------------------------------------------


def test_yasdis_own_files_are_taken():
    assert channels.kept(b"\x0a" + LIST) == LIST
    assert channels.keep(LIST) == b"\x0a" + LIST
    for file, reason in (
        (b"", "0A"),
        (b"\x03" + LIST, "0A"),
        (LIST, "0A"),
        (b"\x0a", "empty"),
        (b"\x0a" + LIST[:-1], "ends inside"),
    ):
        with pytest.raises(Corrupt, match=reason):
            channels.kept(file)


def test_a_list_as_text():
    text = profile.to_text(channels.parse(MINIMAL_LIST))
    assert text == (
        "ctype,number,ntype,level,name,unit,gain,offset,texts\n"
        "0901,1,0101,0000,Uac,V,1,0,\n"
        "0901,2,0101,0000,Pac,W,1,0,\n"
        "0904,1,0102,0000,E-Total,kWh,1.6666e-05,,\n"
        "0908,1,0100,0000,Status,,,,Stop|Warten|Mpp\n"
    )
    assert profile.from_text(text) == MINIMAL_LIST
    assert profile.from_text("# SUPLA's\n\n" + text) == MINIMAL_LIST
    assert profile.from_text(profile.to_text(WR20)) == LIST
    assert "0901,6,0101,0000,Fac,Hz,0.01,0,\n" in profile.to_text(WR20)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0901,1,0101,0000,Uac,V,1", "line 1 .* 7 columns instead of 9"),
        ("0901,x,0101,0000,Uac,V,1,0,", "line 1 .* invalid literal"),
        ("0901,1,0101,0000,Uac,V,one,0,", "line 1 .* could not convert"),
        ("0900,1,0101,0000,Uac,V,1,0,", "no class"),
        ("0902,1,0101,0000,Uac,,,,yes", "two texts"),
        ("0901,1,0101,0000,Uac of a very long name,V,1,0,", "does not fit"),
        ("0901,1,0101,0000,Uac,V,1e99,0,", "does not fit"),
        ("0901,1,0101,0000,Uac,V,nan,0,", "no number"),
        ("0901,300,0101,0000,Uac,V,1,0,", "does not fit"),
        ('0901,1,0101,0000,"Uac,V,1,0,', "line 1"),
        ("", "empty"),
    ],
)
def test_a_text_that_is_no_list_names_its_line(line, reason):
    with pytest.raises(Corrupt, match=reason):
        profile.from_text(line)
