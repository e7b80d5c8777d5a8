"""Ways to the inverters, by the scheme of the port: a device or a glob of devices, or `tcp://host:port`.

What a port is called in the configuration is settled here: which device a glob means, and the key of the lock, which
belongs to the device and never to a name of it.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterable

from pv_exec.box.errors import LinkError, PortMissing
from pv_exec.conversation import Link, Wire

LINKS = {"serial": "pv_exec.links.serial_port", "tcp": "pv_exec.links.tcp"}
"""Scheme → module with `open_link(place, wire)`; nothing is imported until a bus asks for it."""


class PortUnclear(LinkError):
    """A glob fits several devices and nothing tells which is meant."""

    state = "config"


def scheme(port: str) -> str:
    """The kind of a port: what stands before `://`, else `serial`."""
    head, colon, _ = port.partition("://")
    return head if colon else "serial"


def opener(port: str) -> Callable[[str, Wire], Link]:
    """Import the module for a port (before the fork, so that its cost is paid once) and return its `open_link`.

    Raises LinkError where something it stands on is not installed.
    """
    path = LINKS[scheme(port)]
    try:
        __import__(path)
    except ModuleNotFoundError as error:
        raise LinkError(
            f"{port} cannot be opened: the Python module {error.name} is not installed",
            "sudo apt install python3-serial, or pip install pyserial" if error.name == "serial" else "",
        ) from error
    found: Callable[[str, Wire], Link] = sys.modules[path].open_link
    return found


def locate(port: str, taken: Iterable[str] = (), last: str = "") -> str:
    """The device or address that a configured port means now.

    `taken`: ports that other buses name, which a glob never takes. `last`: the port (by its by-path name) that
    answered last. Raises PortMissing when nothing fits, PortUnclear when several do.
    """
    if scheme(port) != "serial" or not any(char in port for char in "*?["):
        return port
    import glob  # only where there is one to settle

    theirs = {os.path.realpath(other) for other in taken}
    found = {
        os.path.realpath(path): path
        for path in sorted(glob.glob(port))
        if os.path.realpath(path) not in theirs
    }
    if not found:
        raise PortMissing(
            f"{port} fits no device", "plug the adapter in, or list the ports with: ls -l /dev/serial/by-path"
        )
    if len(found) == 1:
        return next(iter(found.values()))
    if os.path.realpath(last) in found:
        return found[os.path.realpath(last)]
    names = ", ".join(steady_name(path) for path in found.values())
    raise PortUnclear(
        f"{port} fits {len(found)} devices: {names}", "name one of them, best by its /dev/serial/by-path name"
    )


def steady_name(path: str) -> str:
    """The /dev/serial/by-path name of a device, which stays over reboots and re-plugging, else the path itself."""
    import glob  # once a port was found by a glob

    real = os.path.realpath(path)
    for link in sorted(glob.glob("/dev/serial/by-path/*")):
        if os.path.realpath(link) == real:
            return link
    return path


def lock_key(place: str) -> str:
    """What a lock on this place is filed under: the device's number where there is one, else the address itself."""
    if scheme(place) == "serial":
        try:
            info = os.stat(place)
        except OSError:
            pass
        else:
            if stat.S_ISCHR(info.st_mode):
                return f"tty-{os.major(info.st_rdev)}-{os.minor(info.st_rdev)}"
        place = os.path.realpath(place)
    return "".join(char if char.isalnum() else "-" for char in place.lower()).strip("-")
