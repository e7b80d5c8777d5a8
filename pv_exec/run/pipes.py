"""Records between the processes of a run: length-prefixed marshal, so that a cut one is dropped and never believed."""

import marshal
import os
from collections.abc import Iterator
from typing import Any

HEAD = 4
CHUNK = 65536

Record = tuple[Any, ...]
"""A word that says what it is, then plain values: marshal knows no NamedTuple."""


def send(fd: int, *record: Any) -> bool:
    """Write one record; False when nobody reads any more or the pipe of a hung reader is full: nobody ever waits."""
    body = marshal.dumps(record)
    data = len(body).to_bytes(HEAD, "little") + body
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        return False
    return True


class Inbox:
    """The reading end of a pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.rest = b""
        self.ended = False

    def receive(self) -> Iterator[Record]:
        """What has come in whole; call it when poll() says so. `ended` is set when the writer is gone."""
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return
        self.ended = not data
        self.rest += data
        while len(self.rest) >= HEAD:
            end = HEAD + int.from_bytes(self.rest[:HEAD], "little")
            if len(self.rest) < end:
                return
            body, self.rest = self.rest[HEAD:end], self.rest[end:]
            yield marshal.loads(body)  # noqa: S302 -- written by our own child, over a pipe nobody else can open
