"""Damaged frames with a CRC: all errors of up to three bits and all bursts of up to 16, enumerated by syndrome.

A CRC is linear: flipping bits of the text flips the CRC by the xor of those bits' syndromes, whatever the text. So the
errors that pass are found by looking syndromes up, and only these are decoded. CRC-16/X-25 itself misses none of them;
what passes does so because the CRC is printed: a flip in one of its four ASCII digits is another value, or no digit.
"""

from collections import defaultdict
from itertools import combinations, product
from math import comb
from typing import NamedTuple

import pytest

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco import codec
from pv_exec.wire.crc import crc16_x25
from tests.captures.kaco.frames import CRCED

DIGITS = b"0123456789ABCDEF"
FRAMES = {
    **{f.origin: f.frame for f in CRCED},
    # Nobody has recorded these two; the layouts are WIO's and JAVA's.
    "NOE 17, invented": codec.encode_answer(
        codec.Generic(
            1, 17, "125TL", 4, (codec.String(696.7, 1.03),), (codec.Phase(229.5, 1.61),) * 3,
            720, 709.5, 0.957, "c", 50.02, 35.6, 307729,
        )
    ),
    "NOE 11, invented": codec.encode_answer(
        codec.Generic(1, 11, "Prot", 4, tokens=("0", "0", "229.5", "229.1", "230.3", "50.0", "31.2", "0"))
    ),
}  # fmt: skip
"""Every recorded frame, and one of each layout that nobody has recorded."""

Flips = tuple[tuple[int, int], ...]
"""(offset in the frame, mask) of every damaged byte."""


class Found(NamedTuple):
    """One row of the manual's table."""

    tried: int
    passed_crc: int
    believed: int


UP_TO_THREE_BITS = {
    "UART 050L32, worked example": Found(191_837_972, 17, 1),
    "CAP 086L32": Found(191_837_972, 17, 0),
    "CAP 086L32 dusk": Found(191_837_972, 51, 1),
    "WIO 3X24": Found(187_478_200, 17, 0),
    "KRTU 200TL": Found(187_478_200, 0, 0),
    "KRTU 200L32": Found(191_837_972, 17, 0),
    "KRTU 390TL": Found(282_279_308, 20, 0),
    "KRTU 390TL, grid fault": Found(288_001_000, 20, 1),
    "KRTU 600TL, status above 120": Found(293_799_492, 20, 0),
    "KRTU 50kH3P": Found(104_537_716, 18, 0),
    "KRTU 50kH3P, self-test": Found(104_537_716, 0, 0),
    "NOE 17, invented": Found(126_425_848, 22, 1),
    "NOE 11, invented": Found(14_197_700, 3, 0),
}
"""Errors of one to three bits in the whole frame, how many pass the CRC, how many the formats and checks as well."""

BURSTS = {
    "UART 050L32, worked example": Found(33_881_063, 0, 0),
    "CAP 086L32": Found(33_881_063, 0, 0),
    "CAP 086L32 dusk": Found(33_881_063, 0, 0),
    "WIO 3X24": Found(33_618_927, 0, 0),
    "KRTU 200TL": Found(33_618_927, 0, 0),
    "KRTU 200L32": Found(33_881_063, 0, 0),
    "KRTU 390TL": Found(38_599_511, 0, 0),
    "KRTU 390TL, grid fault": Found(38_861_647, 0, 0),
    "KRTU 600TL, status above 120": Found(39_123_783, 0, 0),
    "KRTU 50kH3P": Found(27_589_799, 0, 0),
    "KRTU 50kH3P, self-test": Found(27_589_799, 0, 0),
    "NOE 17, invented": Found(29_424_751, 0, 0),
    "NOE 11, invented": Found(13_958_727, 0, 0),
}

BELIEVED = {
    # status 4 became 5, and 3.3 V at an input without current 1.3 V
    "UART 050L32, worked example": [
        b"\n*03n 20 050L32 5  384.1  1.26   488    1.3  0.00     0  227.5  0.97  226.3  0.95  227.1  0.93   488   459 1.000  33.1   4964 CF9F\r"
    ],
    # the type lost its end, and one phase gained four amperes of reactive current
    "CAP 086L32 dusk": [
        b"\n*03n 20 086L3r 4  482.8  0.16    79  489.2  0.16    79  228.8  4.68  229.9  0.71  230.3  0.65   158   181 1.000  37.1  46580 5CAD\r"
    ],
    # 581.1 V became 585.1 V, and a dead phase carries 0.08 A
    "KRTU 390TL, grid fault": [
        b"\n*01n 23 390TL 48  585.1  0.00     0  578.2  0.00     0  580.0  0.00     0    1.2  0.08    1.9  0.00    2.0  0.00     0     0 1.000  28.9      0 00EB\r"
    ],
    # 125TL became 325TL, and 229.5 V 239.5 V
    "NOE 17, invented": [
        b"\n*01n 17 325TL 4  696.7  1.03  229.5  1.61  229.5  1.61  239.5  1.61   720   709.5 50.02 0.957c  35.6 307729 7E8A\r"
    ],
}
"""What no check can tell from a real answer."""


def syndromes(text: bytes) -> list[int]:
    """What flipping each bit of `text` does to its CRC, in the order of the line: bytes in order, lowest bit first."""

    def step(crc: int) -> int:
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
        return crc

    row = [step(1 << bit) for bit in range(8)]
    rows = []
    for _ in text:
        rows.append(row)
        row = [step(crc) for crc in row]
    return [crc for row in reversed(rows) for crc in row]


def digit_flips(printed: bytes, at: int, most: int) -> dict[int, dict[int, list[Flips]]]:
    """count of flipped bits → change of the CRC's value → the flips in its digits that make it and leave digits."""
    choices = []
    for place, digit in enumerate(printed):
        shift = 12 - 4 * place
        choices.append([(0, 0, None)] + [
            (
                (digit ^ other).bit_count(),
                (DIGITS.index(digit) ^ DIGITS.index(other)) << shift,
                (at + place, digit ^ other),
            )
            for other in DIGITS
            if other != digit
        ])  # fmt: skip
    found: dict[int, dict[int, list[Flips]]] = {n: defaultdict(list) for n in range(1, most + 1)}
    for chosen in product(*choices):
        bits = sum(c[0] for c in chosen)
        if 0 < bits <= most:
            delta = chosen[0][1] ^ chosen[1][1] ^ chosen[2][1] ^ chosen[3][1]
            found[bits][delta].append(tuple(c[2] for c in chosen if c[2]))
    return found


def bit(n: int) -> tuple[int, int]:
    """The n-th bit of the text, which begins behind the LF."""
    return 1 + n // 8, 1 << n % 8


def three_bits(frame: bytes) -> tuple[int, list[Flips]]:
    """Number of errors of one to three bits in the whole frame, and those whose CRC passes."""
    text, at = frame[1:-5], len(frame) - 5
    syndrome = syndromes(text)
    where = {s: n for n, s in enumerate(syndrome)}
    assert len(where) == len(syndrome), "two bits of the text alone"
    assert 0 not in where, "one bit of the text alone"
    assert not any(a ^ b in where for a, b in combinations(syndrome, 2)), "three bits of the text alone"
    digits = digit_flips(frame[at : at + 4], at, 2)
    passed: list[Flips] = []
    for bits in (1, 2):
        for delta, flips in digits[bits].items():
            if delta in where:
                passed += [(bit(where[delta]), *f) for f in flips]
    for delta, flips in digits[1].items():
        for n, s in enumerate(syndrome):
            other = where.get(s ^ delta, -1)
            if other > n:
                passed += [(bit(n), bit(other), *f) for f in flips]
    # A byte damaged into a CR ends the frame early: these few are simply decoded.
    for place, byte in enumerate(frame[1:-1], 1):
        mask = byte ^ 0x0D
        if mask.bit_count() == 3:
            passed.append(((place, mask),))
        elif mask.bit_count() == 2:
            passed += [
                ((place, mask), (o, 1 << b)) for o in range(1, len(frame) - 1) for b in range(8) if o != place
            ]
        else:
            assert mask.bit_count() > 3
    n = 8 * len(frame)
    return n + comb(n, 2) + comb(n, 3), [f for f in passed if crc_passes(damaged(frame, f))]


def bursts(frame: bytes, longest: int = 16) -> tuple[int, list[Flips]]:
    """Number of bursts of two to `longest` bits in the order of the line, and those whose CRC passes."""
    text, at = frame[1:-5], len(frame) - 5
    syndrome = syndromes(text)
    for n in range(len(syndrome) - longest + 1):
        assert independent(syndrome[n : n + longest]), "a burst in the text alone"
    digit_of = {}
    for first, second in product(DIGITS, DIGITS):
        mask = (first ^ frame[at]) | (second ^ frame[at + 1]) << 8
        digit_of[mask] = (DIGITS.index(first) ^ DIGITS.index(frame[at])) << 12 | (
            DIGITS.index(second) ^ DIGITS.index(frame[at + 1])
        ) << 8
    passed: list[Flips] = []
    for in_text in range(1, longest):
        tail = syndrome[-in_text:]
        masks = defaultdict(list)
        for mask, delta in digit_of.items():
            if 0 < mask < 1 << longest - in_text:
                masks[delta].append(mask)
        for pattern in range(1, 1 << in_text, 2):  # its first bit is set
            crc = 0
            for n in range(in_text):
                if pattern >> n & 1:
                    crc ^= tail[n]
            for mask in masks.get(crc, ()):
                first = len(syndrome) - in_text
                flips: dict[int, int] = defaultdict(int)
                for n in range(in_text):
                    if pattern >> n & 1:
                        place, bit_mask = bit(first + n)
                        flips[place] |= bit_mask
                for place in (0, 1):
                    if mask >> 8 * place & 0xFF:
                        flips[at + place] = mask >> 8 * place & 0xFF
                passed.append(tuple(flips.items()))
    # A burst that makes a byte a CR ends the frame early, where no syndrome helps: four digits must stand before it.
    for place in range(7, len(frame) - 1):
        made = frame[place] ^ 0x0D
        if frame[place - 5 : place - 4] == b" " and not set(frame[place - 4 : place - 2]) - set(DIGITS):
            for before in range(1 << longest - made.bit_length()):
                two = before << made.bit_length()
                flipped = ((place - 2, two & 0xFF), (place - 1, two >> 8), (place, made))
                passed.append(tuple(f for f in flipped if f[1]))
    n = 8 * len(frame)
    tried = sum(1 << length - 2 for length in range(2, longest + 1) for _ in range(n - length + 1))
    return tried, [f for f in passed if crc_passes(damaged(frame, f))]


def independent(vectors: list[int]) -> bool:
    """Whether no xor of some of them is zero."""
    basis: list[int] = []
    for vector in vectors:
        reduced = vector
        for b in basis:
            reduced = min(reduced, reduced ^ b)
        if not reduced:
            return False
        basis.append(reduced)
    return True


def damaged(frame: bytes, flips: Flips) -> bytes:
    out = bytearray(frame)
    for place, mask in flips:
        out[place] ^= mask
    return bytes(out)


def crc_passes(frame: bytes) -> bool:
    """As a reader that checks nothing but the CRC: four digits before the first CR that fit what stands before them."""
    line = frame[1 : frame.index(b"\r")]
    if len(line) < 5 or set(line[-4:]) - set(DIGITS):
        return False
    crc = 0xFFFF
    for byte in line[:-4]:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return int(line[-4:], 16) == crc ^ 0xFFFF


def believed(frame: bytes, flips: list[Flips]) -> list[bytes]:
    """The damaged frames that still give an answer."""
    query = codec.Live(int(frame[2:4]))
    found = []
    for f in flips:
        bad = damaged(frame, f)
        try:
            answer = query.answer(bad, ended=True)
        except Corrupt:
            continue
        assert answer is not None
        found.append(bad)
    return found


def table() -> dict[str, tuple[Found, Found, list[bytes]]]:
    """Per frame: up to three bits, bursts, and what was believed."""
    rows = {}
    for name, frame in FRAMES.items():
        tried, passed = three_bits(frame)
        survivors = believed(frame, passed)
        burst_tried, burst_passed = bursts(frame)
        burst_survivors = believed(frame, burst_passed)
        rows[name] = (
            Found(tried, len(passed), len(survivors)),
            Found(burst_tried, len(burst_passed), len(burst_survivors)),
            survivors + burst_survivors,
        )
    return rows


@pytest.mark.parametrize("name", FRAMES)
def test_errors_of_up_to_three_bits(name):
    tried, passed = three_bits(FRAMES[name])
    survivors = believed(FRAMES[name], passed)
    assert Found(tried, len(passed), len(survivors)) == UP_TO_THREE_BITS[name]
    assert survivors == BELIEVED.get(name, [])


@pytest.mark.parametrize("name", FRAMES)
def test_bursts_of_up_to_sixteen_bits(name):
    tried, passed = bursts(FRAMES[name])
    assert Found(tried, len(passed), len(believed(FRAMES[name], passed))) == BURSTS[name]


@pytest.mark.parametrize("frame", [f.frame for f in CRCED], ids=[f.origin for f in CRCED])
def test_one_flipped_bit_never_gives_an_answer(frame):
    for n in range(8 * len(frame)):
        assert believed(frame, [((n // 8, 1 << n % 8),)]) == []


def test_the_search_finds_what_a_blunt_one_finds():
    # Every two bits of a short text with every bit of its CRC, one by one.
    frame = codec.encode_answer(codec.Generic(7, 5, "Q", 4, tokens=("0", "61")))
    at = len(frame) - 5
    text = [(1 + n // 8, 1 << n % 8) for n in range(8 * (at - 1))]
    blunt = set()
    for place, b in product(range(4), range(8)):
        for pair in combinations(text, 2):
            bad = damaged(frame, (*pair, (at + place, 1 << b)))
            printed = bad[at:-1]
            if (
                not set(printed) - set(DIGITS)
                and int(printed, 16) == crc16_x25(bad[1:at])
                and b"\r" not in bad[:-1]
            ):
                blunt.add(bad)
    found = {damaged(frame, f) for f in three_bits(frame)[1]}
    assert blunt
    assert blunt == {
        bad for bad in found if sum(a != b for a, b in zip(bad[at:], frame[at:], strict=True)) == 1
    }


if __name__ == "__main__":
    for row_name, row in table().items():
        print(row_name, len(FRAMES[row_name]), *row[:2])
        for survivor in row[2]:
            print("  ", survivor)
