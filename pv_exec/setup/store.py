"""What is learned goes to the disk at once and whole, whatever ends the process; and what may end it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pv_exec.box import clock, lock, paths
from pv_exec.box.errors import DENIED, Locked, PvError
from pv_exec.config import Config
from pv_exec.conversation import Keep
from pv_exec.run import memory
from pv_exec.run.worker import as_owner_of

DISK_WITHIN = 5.0
"""Seconds to wait for another process that writes the state directory; a write takes milliseconds."""

STEP = 0.05

BLOCK = 4096
"""Bytes that need room on a disk; a short file may find it beside its name."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotKept(PvError):
    """Nothing that is learned could be kept."""

    exit_status = DENIED


class Stopped(BaseException):
    """A person or the system wants this to end; like KeyboardInterrupt no Exception, so that nobody mistakes it for a fault."""

    def __init__(self, number: int) -> None:
        self.number = number


class Store:
    """What is kept of one bus: on the disk, and a copy in the runtime directory that a read prefers."""

    def __init__(self, settings: Config, bus: str) -> None:
        """Raises NotKept where the state directory cannot be written: a minute of learning would be lost."""
        self.bus = bus
        self.runtime = paths.runtime_directory(settings.paths.runtime)
        self.state = paths.state_directory(settings.paths.state)
        with as_owner_of(self.runtime):
            self.why_not = paths.ensure(self.runtime)
            why = paths.ensure(self.state)
            if why:
                raise NotKept(f"what is learned cannot be kept: {why}", "see [paths] of the configuration")
            self.kept = memory.load(self.runtime, self.state, bus)
            self._write(Keep("learning", bytes(BLOCK)))  # a full disk is told now
            self._forget("learning")

    def keep(self, step: Keep) -> None:
        """Write at once, whole or not at all, also when a signal comes. Raises NotKept."""
        with _undisturbed(), as_owner_of(self.runtime):
            self.kept[step.name] = step.data
            self._write(step)

    def _write(self, step: Keep) -> None:
        try:
            if step.durable:
                held = self._disk()
                try:
                    paths.write_kept(self.state, self.bus, step.name, step.data, durable=True)
                finally:
                    held.release()
            if not self.why_not:
                paths.write_kept(self.runtime, self.bus, step.name, step.data, durable=False)
        except OSError as error:
            raise NotKept(
                f"what is learned cannot be kept: {error.strerror}: {error.filename or self.state}"
            ) from error

    def _disk(self) -> lock.Lock:
        """The lock under which runs write the disk (run/keeper.py): a hung card must not collect hung processes."""
        until = clock.boottime() + DISK_WITHIN
        while True:
            try:
                return lock.take(self.runtime, memory.DISK_LOCK)
            except Locked as error:
                if clock.boottime() >= until:
                    raise NotKept(f"the state directory is being written: {error}") from error
            time.sleep(STEP)

    def _forget(self, name: str) -> None:
        for directory in (self.state, self.runtime):
            try:
                os.unlink(f"{directory}/kept/{paths.word(self.bus)}/{name}")
            except OSError:
                pass  # a file that nobody reads


@contextmanager
def _undisturbed() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a terminal that goes away raise Stopped."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    heeded = [number for number in STOPS if signal.getsignal(number) != signal.SIG_IGN]  # nohup means it
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
