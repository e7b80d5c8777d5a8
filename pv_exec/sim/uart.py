"""What a UART makes of a line: bytes as bit levels at 8N1 and back, for echoes of the wrong polarity and for collisions."""

from collections.abc import Callable, Iterable

BITS = 10
"""Bit times of one byte at 8N1: start, eight data bits, stop."""


def levels(data: bytes) -> list[int]:
    """Return the line's levels, one per bit time: start bit 0, data from the lowest bit, stop bit 1."""
    return [level for byte in data for level in (0, *(byte >> bit & 1 for bit in range(8)), 1)]


def received(line: Iterable[int]) -> bytes:
    """Return what a receiver reads from levels, idle (1) before and staying at the last level after.

    A byte begins where the level falls. A stop bit of 0 is a framing error: the byte is still handed over, as the
    kernel does with a raw port, and the next one can only begin after the line was high again.
    """
    bits = list(line)
    last = bits[-1] if bits else 1
    bits += [last] * BITS
    out = bytearray()
    before = 1
    at = 0
    ends = len(bits) - BITS
    while at < ends:
        if before and not bits[at]:
            out.append(sum(bits[at + 1 + bit] << bit for bit in range(8)))
            at += BITS - 1
        before = bits[at]
        at += 1
    return bytes(out)


def inverted(data: bytes) -> bytes:
    r"""Return what a receiver reads when the bits of `data` come with the wrong polarity.

    That is what adapters with a hanging receiver were recorded to say before an answer: `#010\r\n` comes back as
    6e d6 f6 56 eb 00 (K485's test data; ours reproduces its four prefixes).
    """
    return received([1 - level for level in levels(data)])


def overlaid(first: bytes, second: bytes, bits_later: int, coin: Callable[[], int]) -> bytes:
    """Return what is read when two stations drive the line at once, the second so many bit times after the first.

    Where they disagree neither wins for sure, and `coin` gives the level. Until then the first comes through clean,
    as in the recorded collision of two units on one address (CAP).
    """
    one = levels(first)
    two = levels(second)
    line = one[:bits_later] + [1] * (bits_later - len(one))
    both = one[bits_later:]
    line += [a if a == b else coin() for a, b in zip(both, two, strict=False)]
    line += both[len(two) :] + two[len(both) :]
    return received(line)
