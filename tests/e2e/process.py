"""A part's process: started with its output in a file, waited for with a bound, ended for certain."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T], what: str, *, within: float = 20.0, alive: Callable[[], None] | None = None
) -> T:
    """The first true value of `condition`, asked every 20 ms; AssertionError after `within` seconds.

    `alive` is called before each try and may raise: a dead server is told at once, not after the bound.
    """
    end = time.monotonic() + within
    while True:
        if alive is not None:
            alive()
        if value := condition():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.02)


def free_port() -> int:
    """A loopback TCP port that was free a moment ago; whoever listens on it then proves it with `listens`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(pid: int, port: int) -> bool:
    """Process `pid` itself holds the socket that listens on TCP `port`: not a stranger's server."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table) as lines:
            # "sl local_address rem_address st … inode": st 0A is LISTEN, the port is hexadecimal (proc(5)).
            for fields in map(str.split, lines):
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                return True
    return False


class Process:
    """One run of a program in a process group of its own; stdout and stderr go to the file `log_path`, appended."""

    def __init__(
        self, command: Sequence[str], log_path: str, *, env: Mapping[str, str] | None = None, cwd: str = "/"
    ):
        self.command = command
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self.log_start = log.tell()
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self.popen.pid

    def log(self) -> str:
        """What this run has said so far."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def running(self) -> None:
        """AssertionError, with the end of the log, when it has ended."""
        status = self.popen.poll()
        assert status is None, f"{self.command[0]} ended with {status}:\n{self.log()[-3000:]}"

    def wait_for(self, condition: Callable[[], T], what: str, *, within: float = 20.0) -> T:
        """As the function of this name; the process must stay alive, and the log is in the message."""
        try:
            return wait_for(condition, what, within=within, alive=self.running)
        except AssertionError as error:
            error.add_note(f"--- {self.command[0]} said:\n{self.log()[-3000:]}")
            raise

    def wait_log(self, text: str, *, within: float = 20.0) -> None:
        self.wait_for(lambda: text in self.log(), f"{text!r} in the log", within=within)

    def signal(self, number: int) -> None:
        if self.popen.poll() is None:
            os.kill(self.pid, number)

    def end(self, *, within: float = 20.0) -> int:
        """SIGTERM and wait; the exit status. AssertionError when it had to be killed."""
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.command[0]} did not stop within {within} s of SIGTERM:\n{self.log()[-3000:]}"
            ) from None

    def kill(self) -> None:
        """SIGKILL to the whole group, also what the program left behind in it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()
