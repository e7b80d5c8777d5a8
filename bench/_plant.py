"""A real pty bus at real speed whose simulator tells what it did, and pv-read as a process on it."""

import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pv_exec.sim import plant as stations
from pv_exec.sim.line import Stations
from pv_exec.sim.serve import JITTER, Pty, serve, signals
from pv_exec.sim.uart import BITS
from tests.plant import NOON, Plant

INVERTERS = "1:8000xi,2:5000xi,3:390TL,4:3600xi,5:6400xi,6:8000xi,7:50kH3P,8:5000xi,9:2500xi,10:390TL"
"""What a bus of ten is made of; a bus of three is its beginning."""

GAP = 1.0
"""Seconds from question to question that the sheet demands (AN) and the default configuration keeps."""


class Exchange(NamedTuple):
    """A request and its answers, as the simulator heard and gave them."""

    at: float
    """CLOCK_MONOTONIC at which the request was heard, s."""
    asked: int
    """Bytes of the request."""
    delay: float
    """Seconds from its end to the first byte of the answer."""
    answered: int
    """Bytes of the answer, 0: silence."""
    baud: int

    @property
    def takes(self) -> float:
        """Seconds on the wire, from the first bit of the request to the last of the answer."""
        return self.delay + (self.asked + self.answered) * BITS / self.baud


class _Telling:
    """Stations that write down each exchange."""

    def __init__(self, inner: Stations, out: int) -> None:
        self.BAUD = inner.BAUD
        self.inner = inner
        self.out = out

    @property
    def notes(self) -> Sequence[str]:
        return self.inner.notes

    def hear(self, data: bytes, now: float) -> Sequence[tuple[float, bytes, int]]:
        answers = self.inner.hear(data, now)
        delay, answer, _ = answers[0] if answers else (0.0, b"", 0)
        exchange = Exchange(now, len(data), delay, len(answer), self.BAUD)
        os.write(self.out, json.dumps(exchange).encode() + b"\n")
        return answers


class Bus:
    """`count` inverters on a pty, and the configuration that reads them: the defaults, but for the trust in the clock."""

    def __init__(self, plant: Plant, heard: int) -> None:
        self.plant = plant
        self._heard = os.fdopen(heard, "rb", buffering=0)

    def exchanges(self) -> list[Exchange]:
        """What passed since this was last asked."""
        return [Exchange(*json.loads(line)) for line in (self._heard.read(1 << 16) or b"").splitlines()]


def env() -> dict[str, str]:
    """The environment of an installed program: compiled modules are used, and made where they are missing."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@contextlib.contextmanager
def bus(count: int, *, fast: bool = False) -> Iterator[Bus]:
    """Serve a bus from a process of its own; real speed unless `fast`, which also asks without a gap worth the name."""
    with tempfile.TemporaryDirectory() as directory:
        plant = Plant(Path(directory))
        addresses = f"inverters = {list(range(1, count + 1))}"
        plant.configure(addresses, bus='gap = "50ms"' if fast else "")
        heard, told = os.pipe()
        os.set_blocking(heard, False)
        ready, readied = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                _serve(plant.port, count, fast, told, readied)
            finally:
                os._exit(0)
        try:
            os.close(told)
            os.close(readied)
            if not os.read(ready, 1):
                raise RuntimeError("the simulator did not start")
            os.close(ready)
            yield Bus(plant, heard)
        finally:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _serve(port: str, count: int, fast: bool, told: int, readied: int) -> None:
    inverters = ",".join(INVERTERS.split(",")[:count])
    at = datetime.fromisoformat(NOON).timestamp()
    line = stations.build("kaco", inverters, at=at, fast=fast, jitter=JITTER)
    line.stations = _Telling(line.stations, told)

    def ready(_: str) -> None:
        os.write(readied, b"x")

    with signals() as stop:
        serve(line, Pty(port), ready=ready, stop=stop)
    for note in line.notes:
        print(f"the simulator complains: {note}")
