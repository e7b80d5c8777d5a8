"""Every byte of a bus with its direction and time, as JSON lines; the same file replays against a driver.

A file is a bug report, a regression test and a fixture unchanged: `{"t": 0.0213, "tx": "23 30 31 30 0d"}`,
`{"t": 0.2961, "rx": "0a 2a …"}`, seconds since the first line of its run; a line with `"trace"` begins a run. Every line
names its bus, as the buses of a run write at the same time.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pv_exec.box.errors import PvError
from pv_exec.conversation import Link

VERSION = 1


class Recorder:
    """A link that writes down what passes through it. One write() a line, appended, so that buses can share a file."""

    def __init__(self, link: Link, path: str, now: Callable[[], float], **about: str | float) -> None:
        """Raises PvError when the file cannot be opened; a full disk later costs the trace alone."""
        self.link = link
        self.now = now
        self.whose = {"bus": about["bus"]} if "bus" in about else {}
        self.start = now()
        try:
            self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise PvError(f"the trace file {path} cannot be written: {error.strerror}") from error
        self._note({"trace": VERSION, **about})

    def write(self, data: bytes) -> None:
        self._note({"t": round(self.now() - self.start, 6), "tx": data.hex(" "), **self.whose})
        self.link.write(data)

    def read(self, seconds: float) -> bytes:
        data = self.link.read(seconds)
        if data:
            self._note({"t": round(self.now() - self.start, 6), "rx": data.hex(" "), **self.whose})
        return data

    def close(self) -> None:
        self.link.close()
        os.close(self.fd)

    def _note(self, what: dict[str, str | float]) -> None:
        try:
            os.write(self.fd, json.dumps(what, ensure_ascii=False).encode() + b"\n")
        except OSError:
            pass  # a full disk must not cost the reading


class Passed(NamedTuple):
    """Bytes that passed: when (s), whether we sent them, which."""

    t: float
    sent: bool
    data: bytes


class Run(NamedTuple):
    """One run on one bus as a trace file holds it."""

    about: dict[str, str | float]
    passed: tuple[Passed, ...]


def load(lines: Iterable[str]) -> Iterator[Run]:
    """Read the runs of a trace file, several buses interleaved; a line without a bus belongs to the run begun last.

    Lines that are none of a trace are passed over: a full disk or a power cut leaves half of one.
    """
    open_runs: dict[str, tuple[dict[str, str | float], list[Passed]]] = {}
    latest = ""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        match entry:
            case {"trace": _}:
                latest = str(entry.get("bus"))
                if latest in open_runs:
                    about, passed = open_runs.pop(latest)
                    yield Run(about, tuple(passed))
                open_runs[latest] = (entry, [])
            case {"t": int() | float() as t, "tx": str(data)} | {"t": int() | float() as t, "rx": str(data)}:
                try:
                    moment = Passed(t, "tx" in entry, bytes.fromhex(data))
                except ValueError:
                    continue
                whose = str(entry["bus"]) if "bus" in entry else latest
                open_runs.setdefault(whose, ({}, []))[1].append(moment)
    for about, passed in open_runs.values():
        yield Run(about, tuple(passed))


class Replay:
    """A link that answers as the recorded line did, in virtual time: `now()` is its clock.

    A question other than the recorded one is answered with silence and kept in `unexpected`, as a changed reader asks other things.
    """

    def __init__(self, passed: Iterable[Passed]) -> None:
        self.rest = list(passed)
        self.clock = 0.0
        self.shift = 0.0
        self.unexpected: list[bytes] = []

    def now(self) -> float:
        """Seconds of virtual time."""
        return self.clock

    def write(self, data: bytes) -> None:
        for index, entry in enumerate(self.rest):
            if entry.sent:
                if entry.data == data:
                    self.shift = self.clock - entry.t
                    del self.rest[: index + 1]
                    return
                break
        self.unexpected.append(data)

    def read(self, seconds: float) -> bytes:
        until = self.clock + max(seconds, 0.0)
        if self.rest and not self.rest[0].sent and self.rest[0].t + self.shift <= until:
            entry = self.rest.pop(0)
            self.clock = max(self.clock, entry.t + self.shift)
            return entry.data
        self.clock = until
        return b""

    def close(self) -> None:
        self.rest.clear()
