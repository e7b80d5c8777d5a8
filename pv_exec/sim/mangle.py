"""Answers damaged the way lines damage them: bits and bytes changed, lost, too many, cut, merged, late. Seeded; knows no protocol.

Stands between a family's stations and the line, and is told nothing of either; with it tests and benchmarks count
what a reader believes of it.
"""

import random
from collections.abc import Callable, Sequence

from pv_exec.sim.line import Stations

KINDS = ("bits", "bytes", "digits", "burst", "lost", "added", "cut", "merged", "late", "old")
"""`old` is an earlier answer of any station; `digits` look like an answer most, each digit being one again."""

OLD = 16
"""How many earlier answers are remembered, to be merged or to come late."""


class Mangled:
    """The stations of a line, some of whose answers are damaged: a `share` of them (0…1), in the ways of `kinds`.

    `watch` is told of each: the answer, and what is said in its place.
    """

    def __init__(
        self,
        stations: Stations,
        *,
        seed: int,
        share: float = 0.7,
        kinds: Sequence[str] = KINDS,
        watch: Callable[[bytes, bytes], None] = lambda _answer, _said: None,
    ) -> None:
        self.BAUD = stations.BAUD
        self.kinds = kinds
        self.watch = watch
        self.stations = stations
        self.share = share
        self.dice = random.Random(seed)
        self.old: list[bytes] = []
        self.done: dict[str, int] = {}
        """Kind of damage → how many answers had it."""

    @property
    def notes(self) -> Sequence[str]:
        return self.stations.notes

    def hear(self, data: bytes, now: float) -> Sequence[tuple[float, bytes, int]]:
        """As the stations; a damaged answer begins when it would have, and never says what a station did not say."""
        said: list[tuple[float, bytes, int]] = []
        for delay, answer, station in self.stations.hear(data, now):
            self.old = [*self.old[-OLD + 1 :], answer]
            if self.dice.random() >= self.share:
                said.append((delay, answer, station))
                continue
            kind = self.dice.choice(self.kinds)
            self.done[kind] = self.done.get(kind, 0) + 1
            if kind == "late":
                said.append((delay + self.dice.choice((0.5, 0.9, 1.1, 1.7)), answer, station))
            elif kind == "old":  # of another question or another station, in its place or before it
                said.append((delay, self.dice.choice(self.old), station))
                if self.dice.random() < 0.5:
                    said.append((delay + 0.2, answer, station))
            else:
                damaged = self._damaged(kind, answer)
                self.watch(answer, damaged)
                said.append((delay, damaged, station))
        return said

    def _damaged(self, kind: str, answer: bytes) -> bytes:
        dice = self.dice
        size = len(answer)
        bad = bytearray(answer)
        match kind:
            case "bits":
                for _ in range(dice.randint(1, 8)):
                    bad[dice.randrange(size)] ^= 1 << dice.randrange(8)
            case "bytes":
                for _ in range(dice.randint(1, 6)):
                    bad[dice.randrange(size)] = dice.randrange(256)
            case "digits":  # what looks like an answer most: every place that holds a digit holds one again
                places = [at for at, byte in enumerate(answer) if 0x30 <= byte <= 0x39]
                for at in dice.sample(places, min(len(places), dice.randint(1, 4))):
                    bad[at] = 0x30 + dice.randrange(10)
            case "burst":
                at, length = dice.randrange(size), dice.randint(2, 24)
                bad[at : at + length] = dice.randbytes(len(bad[at : at + length]))
            case "lost":
                at = dice.randrange(size)
                del bad[at : at + dice.randint(1, 12)]
            case "added":
                at = dice.randrange(size + 1)
                bad[at:at] = dice.randbytes(dice.randint(1, 8))
            case "cut":
                del bad[dice.randrange(size) :]
            case _:  # "merged": the beginning of one and the end of another, at the same place or anywhere
                other, at = dice.choice(self.old), dice.randrange(size)
                bad[at:] = other[at if dice.random() < 0.5 else dice.randrange(len(other)) :]
        return bytes(bad)
