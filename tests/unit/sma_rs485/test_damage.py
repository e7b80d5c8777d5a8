"""Damaged answers to GET_DATA: all errors of up to three bits and all bursts of up to 16, enumerated by syndrome.

SMA-Net: errors are made on the line, where the packet is stuffed. Those that leave every flag and escape what it is are
linear: the CRC sees as many flipped bits as the line had, and misses none of them. The others make or destroy a 7D or
7E, and so cut the frame or move all that follows by a byte. They are enumerated one by one, and what else must flip for
the CRC to pass is found by looking syndromes up. All that passes is decoded.

SunnyNet has a sum of bytes: two bits that cancel out pass it. These are counted, not enumerated by decoding.
"""

import random
from collections.abc import Iterator
from itertools import combinations, product
from math import comb
from typing import NamedTuple

import pytest

from pv_exec.box.errors import AnswerError
from pv_exec.drivers.sma_rs485 import channels, codec, frames
from pv_exec.drivers.sma_rs485.messages import Data, Part
from tests.captures.sma_rs485.frames import EXAMPLES, TIME, session, wr20_list

FLAG, ESCAPE = 0x7E, 0x7D
HEAD = b"\xff\x03\x40\x41"
GOOD = 0xF0B8

BY_NAME = {example.name: example.frame for example in EXAMPLES}
WR20 = BY_NAME["GET_DATA, answer of a WR20: four bytes stuffed"]
ANSWERS = {
    "WR20, worked example": (WR20, codec.DataOf(1, 73, TIME)),
    "WR20, recorded": (session()[-1].data, codec.DataOf(1, 73, 0x6B0419E8)),
    "four channels, worked example": (
        BY_NAME["GET_DATA, answer of four channels"],
        codec.DataOf(1, 22, TIME),
    ),
}

Flips = tuple[tuple[int, int], ...]
"""(offset in the frame, mask) of every damaged byte, in order."""


class Found(NamedTuple):
    """One row of the manual's table."""

    tried: int
    passed: int
    """Some frame in it passes the CRC."""
    right: int
    """The start flag alone was hit: the answer is whole, and is taken."""
    stale: int
    """Taken for a sound answer of another length."""
    parts: int
    """Taken for the first of several packets; the next one is asked for, which a sound device does not have."""
    believed: int
    """A wrong value."""


UP_TO_THREE_BITS = {
    "WR20, worked example": Found(66_448_656, 331, 92, 174, 0, 0),
    "WR20, recorded": Found(68_639_084, 391, 92, 202, 1, 0),
    "four channels, worked example": Found(4_322_636, 92, 92, 0, 0, 0),
}
"""Errors of one to three bits anywhere in the frame, flags included."""

BURSTS = {
    "WR20, worked example": Found(23_657_759, 58, 10, 46, 0, 1),
    "WR20, recorded": Found(23_919_895, 77, 10, 66, 0, 1),
    "four channels, worked example": Found(9_240_279, 14, 10, 3, 0, 0),
}
"""Bursts of two to 16 bits in the order of the line (bytes in order, lowest bit first). `passed`, `right` and `stale`
count one for all that differ only in bytes behind the piece that passes, or in the flag."""

BELIEVED = {
    # AC 00 7C 7D 33 became 26 63 7D 7D 33: an escape is made in front of another, which so is data
    "WR20, worked example": [((40, 138), (41, 99), (42, 1))],
    "WR20, recorded": [((40, 138), (41, 99), (42, 1))],
}
"""What no check can tell from a real answer: Zac 25.382 Ohm and dZac 8.149 Ohm instead of 0.172 and -0.012."""


# -- a second reader, which checks nothing but the CRC -----------------------------------------------------------------


def _row(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0x8408 if byte & 1 else byte >> 1
    return byte


TABLE = [_row(byte) for byte in range(256)]


class Piece(NamedTuple):
    """What stands between two flags, from its head on."""

    where: tuple[int, ...]
    """Offset in the frame of every byte, escapes left out."""
    register: int
    """GOOD if the CRC passes."""


def pieces(line: bytes) -> Iterator[Piece]:
    start = 0
    for end in (*(n for n, byte in enumerate(line) if byte == FLAG), len(line)):
        at = line.find(HEAD, start, end)
        if at >= 0:
            where = []
            register = 0xFFFF
            escaped = False
            for n in range(at, end):
                byte = line[n]
                if byte == ESCAPE and not escaped:
                    escaped = True
                    continue
                byte ^= 0x20 * escaped
                escaped = False
                where.append(n)
                register = (register >> 8) ^ TABLE[(register ^ byte) & 0xFF]
            if not escaped and len(where) >= 13:
                yield Piece(tuple(where), register)
        start = end + 1


SYNDROMES: list[list[int]] = [[TABLE[1 << bit] for bit in range(8)]]
"""What flipping a bit does to the register: by the bytes that follow, and the bit."""
while len(SYNDROMES) < 100:
    SYNDROMES.append([(s >> 8) ^ TABLE[s & 0xFF] for s in SYNDROMES[-1]])


def structural(old: int, new: int) -> bool:
    """A flag or an escape is made or destroyed."""
    return old != new and bool({old, new} & {FLAG, ESCAPE})


def damaged(frame: bytes, flips: Flips) -> bytes:
    line = bytearray(frame)
    for place, mask in flips:
        line[place] ^= mask
    return bytes(line)


# -- up to three bits --------------------------------------------------------------------------------------------------


def linear_errors_never_pass(frame: bytes) -> None:
    """One, two or three bits of a codeword."""
    (piece,) = pieces(frame)
    all_of = [SYNDROMES[len(piece.where) - 1 - n][bit] for n in range(len(piece.where)) for bit in range(8)]
    where = set(all_of)
    assert piece.register == GOOD
    assert len(where) == len(all_of), "two bits"
    assert 0 not in where, "one bit"
    assert not any(a ^ b in where for a, b in combinations(all_of, 2)), "three bits"


def repairs(piece: Piece, most: int) -> Iterator[dict[int, int]]:
    """Every further `most` bits or fewer with which the CRC of this piece passes: offset → mask."""
    target = piece.register ^ GOOD
    length = len(piece.where)
    bits = [
        (SYNDROMES[length - 1 - n][bit], piece.where[n], 1 << bit)
        for n in range(len(HEAD), length)
        for bit in range(8)
    ]
    if not target:
        yield {}
        return  # no one or two bits leave it good
    by_syndrome = {s: (place, mask) for s, place, mask in bits}
    if most >= 1 and target in by_syndrome:
        yield dict([by_syndrome[target]])
    if most >= 2:
        for syndrome, place, mask in bits:
            other = by_syndrome.get(syndrome ^ target)
            if other and other > (place, mask):
                together = {place: mask}
                together[other[0]] = together.get(other[0], 0) | other[1]
                yield together


def three_bits(frame: bytes) -> tuple[int, set[Flips]]:
    """Number of errors of one to three bits in the whole frame, and those whose CRC passes somewhere."""
    linear_errors_never_pass(frame)
    changes = [
        (place, mask, mask.bit_count())
        for place, old in enumerate(frame)
        for mask in range(1, 256)
        if mask.bit_count() <= 3 and structural(old, old ^ mask)
    ]
    chosen: list[tuple[tuple[int, int, int], ...]] = [(change,) for change in changes]
    light = [change for change in changes if change[2] == 1]
    chosen += [
        (a, b)
        for a, b in combinations([c for c in changes if c[2] <= 2], 2)
        if a[0] != b[0] and a[2] + b[2] <= 3
    ]
    chosen += [triple for triple in combinations(light, 3) if len({c[0] for c in triple}) == 3]
    passed = set()
    for some in chosen:
        base = tuple((place, mask) for place, mask, _ in some)
        line = damaged(frame, base)
        for piece in pieces(line):
            for more in repairs(piece, 3 - sum(weight for _, _, weight in some)):
                if any(
                    place in dict(base) or structural(line[place], line[place] ^ m)
                    for place, m in more.items()
                ):
                    continue  # that is another choice
                passed.add(tuple(sorted((*base, *more.items()))))
    n = 8 * len(frame)
    return n + comb(n, 2) + comb(n, 3), passed


# -- bursts ------------------------------------------------------------------------------------------------------------


class Solver:
    """Which of the columns xor to a target."""

    def __init__(self, columns: list[int]) -> None:
        self.basis: list[tuple[int, int]] = []
        self.null: list[int] = []
        for n, column in enumerate(columns):
            vector, combination = self._reduce(column, 1 << n)
            if vector:
                self.basis.append((vector, combination))
            else:
                self.null.append(combination)

    def _reduce(self, vector: int, combination: int) -> tuple[int, int]:
        for base, made_of in self.basis:
            if vector ^ base < vector:
                vector ^= base
                combination ^= made_of
        return vector, combination

    def solutions(self, target: int) -> list[int]:
        vector, combination = self._reduce(target, 0)
        if vector:
            return []
        found = [combination]
        for null in self.null:
            found += [f ^ null for f in found]
        return found


def kinds(old: int, allowed: int) -> Iterator[tuple[int, int]]:
    """(fixed mask, bits that may flip besides) of each way in which a byte may take part in a burst."""
    if old not in {FLAG, ESCAPE}:
        yield 0, allowed
    else:
        yield 0, 0
        ordinary = next(
            (m for m in range(1, 256) if not m & ~allowed and old ^ m not in {FLAG, ESCAPE}),
            0,
        )
        if ordinary:
            yield ordinary, allowed
    for new in (FLAG, ESCAPE):
        if old != new and not (old ^ new) & ~allowed:
            yield old ^ new, 0


def bursts(frame: bytes, longest: int = 16) -> tuple[int, set[Flips]]:
    """Number of bursts of two to `longest` bits, and those whose CRC passes somewhere (bits that play no part left)."""
    linear_errors_never_pass(frame)
    n = 8 * len(frame)
    passed: set[Flips] = set()
    for first in range(n):
        last = min(first + longest, n)
        allowed: dict[int, int] = {}
        for bit in range(first, last):
            allowed[bit // 8] = allowed.get(bit // 8, 0) | 1 << bit % 8
        places = list(allowed)
        for choice in product(*(list(kinds(frame[p], allowed[p])) for p in places)):
            fixed = tuple((p, mask) for p, (mask, _) in zip(places, choice, strict=True) if mask)
            line = damaged(frame, fixed)
            for piece in pieces(line):
                passed |= set(
                    _solved(frame, line, piece, first, dict(zip(places, (c[1] for c in choice), strict=True)))
                )
    tried = sum(1 << length - 2 for length in range(2, longest + 1) for _ in range(n - length + 1))
    return tried, passed


def _solved(frame: bytes, line: bytes, piece: Piece, first: int, free: dict[int, int]) -> Iterator[Flips]:
    length = len(piece.where)
    columns = [
        (SYNDROMES[length - 1 - n][bit], place, 1 << bit)
        for n, place in enumerate(piece.where)
        if n >= len(HEAD) and place in free
        for bit in range(8)
        if free[place] >> bit & 1
    ]
    for solution in Solver([c[0] for c in columns]).solutions(piece.register ^ GOOD):
        out = bytearray(line)
        for n, (_, place, mask) in enumerate(columns):
            if solution >> n & 1:
                out[place] ^= mask
        flips = tuple((n, a ^ b) for n, (a, b) in enumerate(zip(frame, out, strict=True)) if a != b)
        if not flips or lowest(flips) < first or not any(p.register == GOOD for p in pieces(bytes(out))):
            continue  # or a choice undone by the solution
        assert any(structural(frame[n], out[n]) for n, _ in flips), "a burst of 16 in a codeword"
        yield flips


def lowest(flips: Flips) -> int:
    place, mask = flips[0]
    return 8 * place + (mask & -mask).bit_length() - 1


# -- what a driver is told ---------------------------------------------------------------------------------------------


def judged(query: codec.DataOf, frame: bytes, tried: int, passed: set[Flips]) -> Found:
    right = query.answer(frame, ended=True)
    assert right is not None
    told = {"right": 0, "StaleList": 0, "Part": 0, "believed": 0}
    for flips in passed:
        try:
            answer = query.answer(damaged(frame, flips), ended=True)
        except AnswerError as error:
            word = type(error).__name__
        else:
            word = "silence" if answer is None else "right" if answer == right else "believed"
            word = "Part" if isinstance(answer, Part) else word
        told[word] = told.get(word, 0) + 1
    return Found(tried, len(passed), told["right"], told["StaleList"], told["Part"], told["believed"])


@pytest.mark.parametrize("name", ANSWERS)
def test_errors_of_up_to_three_bits(name):
    frame, query = ANSWERS[name]
    assert judged(query, frame, *three_bits(frame)) == UP_TO_THREE_BITS[name]


@pytest.mark.parametrize("name", ANSWERS)
def test_bursts_of_up_to_sixteen_bits(name):
    frame, query = ANSWERS[name]
    assert judged(query, frame, *bursts(frame)) == BURSTS[name]


@pytest.mark.parametrize("name", BELIEVED)
def test_what_is_believed_changes_two_impedances(name):
    frame, query = ANSWERS[name]
    listed = channels.parse(wr20_list())
    for flips in BELIEVED[name]:
        wrong, right = query.answer(damaged(frame, flips), ended=True), query.answer(frame, ended=True)
        assert isinstance(wrong, Data)
        assert isinstance(right, Data)
        pairs = zip(
            channels.decode(listed, 0x090F, right.values),
            channels.decode(listed, 0x090F, wrong.values),
            strict=True,
        )
        changed = {a.channel.name: (a.number, b.number) for a, b in pairs if a != b}
        assert changed == {"Zac": (0.172, 25.382), "dZac": (-0.012, 8.149)}


@pytest.mark.parametrize("name", ANSWERS)
def test_one_flipped_bit_never_gives_another_value(name):
    frame, query = ANSWERS[name]
    right = query.answer(frame, ended=True)
    taken = []
    for n in range(8 * len(frame)):
        try:
            answer = query.answer(damaged(frame, ((n // 8, 1 << n % 8),)), ended=True)
        except AnswerError:
            continue
        if answer is not None:
            assert answer == right
            taken.append(n)
    assert taken == list(range(8))  # the start flag, without which a frame is found as well


def test_the_searches_find_what_blunt_ones_find():
    # A short frame with an escape, an escape in reach and a flag in reach, and every damage decoded one by one.
    body = HEAD + bytes.fromhex("01 00 00 00 40 00 0b 7c 13 5e")
    register = 0xFFFF
    for byte in body:
        register = (register >> 8) ^ TABLE[(register ^ byte) & 0xFF]
    frame = b"\x7e" + body.replace(b"\x13", b"\x7d\x33") + (register ^ 0xFFFF).to_bytes(2, "little") + b"\x7e"
    assert frame == frames.encode(frames.take(frame, "smanet").packets[0], "smanet")

    def passes(flips: Flips) -> bool:
        return any(p.register == GOOD for p in pieces(damaged(frame, flips)))

    n = 8 * len(frame)
    blunt = set()
    for count in (1, 2):
        for some in combinations(range(n), count):
            masks: dict[int, int] = {}
            for bit in some:
                masks[bit // 8] = masks.get(bit // 8, 0) | 1 << bit % 8
            if passes(tuple(masks.items())):
                blunt.add(tuple(masks.items()))
    found = {f for f in three_bits(frame)[1] if sum(mask.bit_count() for _, mask in f) <= 2}
    assert found == blunt

    shorter = 9
    blunt = set()
    for first in range(8 * 5, n):
        for pattern in range(1, 1 << min(shorter, n - first), 2):
            masks = {}
            for bit in range(shorter):
                if pattern >> bit & 1:
                    masks[(first + bit) // 8] = masks.get((first + bit) // 8, 0) | 1 << (first + bit) % 8
            if passes(tuple(masks.items())):
                blunt.add(tuple(masks.items()))
    found = {f for f in bursts(frame, shorter)[1] if lowest(f) >= 8 * 5}
    assert found <= blunt
    whole = len(next(pieces(frame)).where)
    same_length = {
        f
        for f in blunt
        if any(len(p.where) == whole and p.register == GOOD for p in pieces(damaged(frame, f)))
    }
    assert same_length <= found  # others may differ in bits that play no part


# -- SunnyNet ----------------------------------------------------------------------------------------------------------


SUNNYNET = (
    frames.encode(frames.take(WR20, "smanet").packets[0], "sunnynet"),
    codec.DataOf(1, 73, TIME, framing="sunnynet"),
)


def sums(frame: bytes) -> list[tuple[int, int]]:
    """(bit of the frame, what flipping it does to sum minus sum field) of every bit that the sum guards."""
    found = []
    for n in range(4, len(frame) - 1):
        for bit in range(8):
            way = -1 if frame[n] >> bit & 1 else 1
            place = n - (len(frame) - 3)
            weight = way << bit if place < 0 else -way << (bit + 8 * place)
            found.append((8 * n + bit, weight))
    return found


def test_sunnynet_lets_two_cancelling_bits_through():
    frame, query = SUNNYNET
    assert len(frame) == 87
    bits = sums(frame)
    of_weight: dict[int, list[int]] = {}
    for bit, weight in bits:
        of_weight.setdefault(weight % 0x10000, []).append(bit)
    pairs = [(a, b, x + y) for (a, x), (b, y) in combinations(bits, 2)]
    passed = [(a, b) for a, b, total in pairs if total % 0x10000 == 0]
    three = [(a, b, c) for a, b, total in pairs for c in of_weight.get(-total % 0x10000, ()) if c > b]

    def believed(some: tuple[int, ...]) -> bool:
        """All of src, dst, counter, command, mask, channel, sets and time is checked, and ctrl but for two bits."""
        return all(bit >= 8 * 20 or bit in {68, 69} for bit in some) and any(
            8 * 20 <= bit < 8 * 84 for bit in some
        )

    assert (comb(8 * 87, 2), len(passed), sum(map(believed, passed))) == (241_860, 10_686, 7_217)  # 3 %
    assert (comb(8 * 87, 3), len(three), sum(map(believed, three))) == (55_950_280, 365_297, 201_246)  # 0.4 %
    right = query.answer(frame, ended=True)
    for a, b in random.Random(4).sample(passed, 300):
        flips: dict[int, int] = {}
        for bit in (a, b):
            flips[bit // 8] = flips.get(bit // 8, 0) | 1 << bit % 8
        try:
            answer = query.answer(damaged(frame, tuple(flips.items())), ended=True)
        except AnswerError:
            answer = None
        assert (answer is not None and answer != right) == believed((a, b))


def test_sunnynet_finds_every_single_bit():
    frame, query = SUNNYNET
    for n in range(8 * len(frame)):
        try:
            assert query.answer(damaged(frame, ((n // 8, 1 << n % 8),)), ended=True) is None
        except AnswerError:
            continue


if __name__ == "__main__":
    for row_name, (row_frame, row_query) in ANSWERS.items():
        print(row_name, len(row_frame))
        print("  3 bits", judged(row_query, row_frame, *three_bits(row_frame)))
        print("  bursts", judged(row_query, row_frame, *bursts(row_frame)))
