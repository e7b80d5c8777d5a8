"""Damaged frames with a CRC, beyond what can be enumerated: errors of four to sixteen bits, sampled, against theory.

By theory one error in 65,536 passes. `python -m tests.unit.kaco.test_damage_rate 36400000` is the manual's figure.
"""

import random
import sys

from tests.captures.kaco.frames import CRCED
from tests.unit.kaco.test_damage_crc import DIGITS, Flips, believed, crc_passes, damaged, syndromes


def rate(tries: int) -> tuple[int, int]:
    """How many of so many errors pass the CRC, and how many are believed (one seed: the same in every run)."""
    dice = random.Random(1)
    frames = [(f.frame, len(f.frame) - 5, syndromes(f.frame[1:-5])) for f in CRCED]
    passed = wrong = 0
    for _ in range(tries):
        frame, at, syndrome = frames[dice.randrange(len(frames))]
        flipped = dice.sample(
            range(len(syndrome) + 32), 4 + dice.randrange(13)
        )  # of the text and the four digits
        if (change := _change(frame, at, syndrome, flipped)) == 0:
            flips: Flips = tuple((1 + n // 8, 1 << n % 8) for n in flipped)
            if crc_passes(damaged(frame, flips)):
                passed += 1
                wrong += len(believed(frame, [flips]))
        assert change is None or change < 1 << 16
    return passed, wrong


def _change(frame: bytes, at: int, syndrome: list[int], flipped: list[int]) -> int | None:
    """The xor of what the text's CRC and the printed one become; None where a digit becomes none."""
    change = 0
    printed = bytearray(frame[at : at + 4])
    for n in flipped:
        if n < len(syndrome):
            change ^= syndrome[n]
        else:
            place, bit = divmod(n - len(syndrome), 8)
            printed[place] ^= 1 << bit
    if set(printed) - set(DIGITS):
        return None
    return change ^ int(frame[at : at + 4], 16) ^ int(printed, 16)


def test_more_than_three_flipped_bits_pass_as_rarely_as_theory_says():
    tries = 200_000
    passed, wrong = rate(tries)
    assert passed <= 4 * tries / 65536  # 3 are expected
    assert wrong == 0


if __name__ == "__main__":
    print(*rate(int(sys.argv[1])))
