"""Starts pv-sim as a user does, and stops it for certain."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = [sys.executable, "-m", "pv_exec.cli.sim"]
NOON = "2026-06-21T10:00:00Z"


class Served:
    """A running `pv-sim serve`: its address, and after `stop()` its exit status and what it said."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address
        self.notes = ""
        self.status: int | None = None

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.status is None:
            self.process.send_signal(number)
            _, self.notes = self.process.communicate(timeout=10)
            self.status = self.process.returncode


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": CHECKOUT}


@contextlib.contextmanager
def serving(*arguments: str, driver: str = "kaco") -> Iterator[Served]:
    process = subprocess.Popen(
        [*COMMAND, "serve", driver, *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    served = Served(process, process.stdout.readline().strip())
    try:
        assert served.address, process.communicate(timeout=10)
        yield served
        served.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def read(fd, length, seconds=3.0):
    """So many bytes, or what came until nothing did for so long."""
    heard = b""
    while len(heard) < length and select.select([fd], [], [], seconds)[0]:
        data = os.read(fd, 4096)
        if not data:
            break
        heard += data
    return heard


def ask(opened, request, length, seconds=3.0):
    opened.write(request)
    return read(opened.fileno(), length, seconds)
