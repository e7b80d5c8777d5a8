"""What a long conversation says on stderr: remarks as lines, progress as a bar on a terminal and as a line now and then elsewhere."""

import os
from collections.abc import Callable
from typing import TextIO

from pv_exec.model import Progress

EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal, such as a log."""

BAR = 20
NARROW = 80
"""Columns where the terminal does not say."""


class Teller:
    """Tells a person how far something is. `now`: seconds of any clock that does not jump."""

    def __init__(self, out: TextIO, now: Callable[[], float], *, width: int | None = None) -> None:
        """`width`: columns of the terminal, 0: none; without it what `out` is."""
        self.out = out
        self.now = now
        self.width = _width(out) if width is None else width
        self.shown = 0
        """Columns that the bar takes."""
        self.told: float | None = None

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._write(f"pv-setup: {text}\n")

    def progress(self, what: Progress) -> None:
        """The bar, or a line when it is time for one; a total of 0 is a remark."""
        if not what.total:
            self.say(what.text)
            self.told = None
            return
        done = min(max(what.done, 0), what.total)
        if self.width:
            filled = BAR * done // what.total
            text = f"[{'#' * filled}{'.' * (BAR - filled)}] {done}/{what.total} {what.text}"[: self.width - 1]
            self._write("\r" + text.ljust(self.shown))
            self.shown = len(text)
        elif self.told is None or done == what.total or self.now() - self.told >= EVERY:
            self.say(f"{done} of {what.total}, {what.text}")
            self.told = self.now()

    def clear(self) -> None:
        """Take the bar away."""
        if self.shown:
            self._write("\r" + " " * self.shown + "\r")
            self.shown = 0

    def _write(self, text: str) -> None:
        """A log that is full or closed is no reason to stop learning. What an inverter calls itself moves no cursor."""
        plain = "".join(char if char.isprintable() or char in "\r\n" else "?" for char in text)
        try:
            self.out.write(plain)
            self.out.flush()
        except OSError:
            pass


def _width(out: TextIO) -> int:
    if not out.isatty():
        return 0
    try:
        return os.get_terminal_size(out.fileno()).columns or NARROW
    except OSError:
        return NARROW
