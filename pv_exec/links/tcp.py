"""A serial server or bridge (ser2net, an ESP, `pv-sim serve --tcp`) that passes the bytes of the line over TCP."""

import select
import socket

from pv_exec.box.errors import PortMissing
from pv_exec.conversation import Wire

CHUNK = 4096
CONNECT_WITHIN = 3.0
"""Seconds for a bridge to take the connection; one on the same network answers in milliseconds."""


class TcpLine:
    """An open connection to a bridge."""

    def __init__(self, peer: socket.socket, place: str) -> None:
        self.peer = peer
        self.place = place
        self.poll = select.poll()
        self.poll.register(peer, select.POLLIN)

    def write(self, data: bytes) -> None:
        try:
            self.peer.sendall(data)
        except OSError as error:
            raise PortMissing(f"{self.place} broke the connection ({error.strerror or error})") from error

    def read(self, seconds: float) -> bytes:
        try:
            if not self.poll.poll(max(seconds, 0.0) * 1000):
                return b""
            data = self.peer.recv(CHUNK)
        except OSError as error:
            raise PortMissing(f"{self.place} broke the connection ({error.strerror or error})") from error
        if not data:
            raise PortMissing(
                f"{self.place} closed the connection", "a bridge often takes only one client at a time"
            )
        return data

    def close(self) -> None:
        self.peer.close()


def open_link(place: str, wire: Wire) -> TcpLine:  # noqa: ARG001 -- the bridge has the line settings
    """Connect to `tcp://host:port`. Raises PortMissing when nobody listens there."""
    host, _, port = place.removeprefix("tcp://").rpartition(":")
    try:
        peer = socket.create_connection((host.strip("[]"), int(port)), CONNECT_WITHIN)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, ValueError) as error:
        why = (
            "no answer" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or str(error)
        )
        raise PortMissing(
            f"{place} cannot be reached ({why})", "check the bridge's address, port and power"
        ) from error
    return TcpLine(peer, place)
