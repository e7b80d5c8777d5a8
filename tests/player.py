"""A pty that answers known requests with recorded bytes: no codec, no simulator, nothing of ours to share a mistake with."""

import os
import select
import threading
import tty
from collections.abc import Mapping


class Player:
    """Answers each request (ending with CR) that is in `answers` with its bytes, and is silent to all others."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self.answers = answers
        self.heard: list[bytes] = []
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.stop, self._stop = os.pipe()
        self.thread = threading.Thread(target=self._play, daemon=True)
        self.thread.start()

    def _play(self) -> None:
        rest = b""
        while True:
            ready, _, _ = select.select([self.master, self.stop], [], [])
            if self.stop in ready:
                return
            rest += os.read(self.master, 1024)
            while b"\r" in rest:
                request, rest = rest.split(b"\r", 1)
                self.heard.append(request + b"\r")
                os.write(self.master, self.answers.get(request + b"\r", b""))

    def close(self) -> None:
        os.write(self._stop, b"x")
        self.thread.join()
        for fd in (self.master, self.slave, self.stop, self._stop):
            os.close(fd)
