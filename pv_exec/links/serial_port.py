"""A serial device: pyserial sets it up (raw, exclusive), the bytes pass by poll(), which needs no thread and no sleep."""

import errno
import os
import select
import stat

import serial

from pv_exec.box.errors import LinkError, Locked, PortDenied, PortMissing
from pv_exec.conversation import Wire

CHUNK = 4096


class SerialPort:
    """An open device. The exclusive open is a flock(), which ends with the process whatever happens."""

    def __init__(self, port: serial.Serial, place: str) -> None:
        self.port = port
        self.place = place
        self.fd: int = port.fileno()
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLIN)

    def write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self.fd, data) :]
        except OSError as error:
            raise PortMissing(f"{self.place} went away while it was written to ({error.strerror})") from error

    def read(self, seconds: float) -> bytes:
        try:
            if not self.poll.poll(max(seconds, 0.0) * 1000):
                return b""
            data = os.read(self.fd, CHUNK)
        except OSError as error:
            raise PortMissing(f"{self.place} went away while it was read ({error.strerror})") from error
        if not data:
            raise PortMissing(f"{self.place} hung up")
        return data

    def close(self) -> None:
        try:
            self.port.close()
        except OSError:
            pass  # a pulled adapter cannot be closed, and need not be


def open_link(place: str, wire: Wire) -> SerialPort:
    """Open a device raw and exclusively with the family's line settings. Raises PortMissing, PortDenied, Locked."""
    try:
        port = serial.Serial(place, wire.baudrate, timeout=0, exclusive=True)
    except (OSError, ValueError) as error:
        raise _cause(place, error) from error
    return SerialPort(port, place)


def foreseen(place: str) -> LinkError | None:
    """What `open_link` would raise, as far as name and rights tell; opens nothing, which could disturb a running reader."""
    try:
        mode = os.stat(place).st_mode
    except OSError as error:
        return _cause(place, error)
    if not stat.S_ISCHR(mode):
        return _cause(place, OSError(errno.ENOTTY, os.strerror(errno.ENOTTY)))
    if not os.access(place, os.R_OK | os.W_OK, effective_ids=True):
        return _cause(place, OSError(errno.EACCES, os.strerror(errno.EACCES)))
    return None


def _cause(place: str, error: Exception) -> LinkError:
    number = getattr(error, "errno", None)
    if number is None and isinstance(error.__context__, OSError):
        number = error.__context__.errno  # pyserial words the failed flock anew and drops its number
    try:
        mode = os.stat(place).st_mode
    except OSError:
        mode = 0
    if number in (errno.EACCES, errno.EPERM):
        return PortDenied(f"{place} may not be opened by uid {os.geteuid()}", _permit(place))
    if number in (errno.EAGAIN, errno.EBUSY):
        return Locked(f"{place} is held by another program", f"find it with: fuser -v {place}")
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO):
        return PortMissing(
            f"{place} is not there", "plug the adapter in, or list the ports with: ls -l /dev/serial/by-path"
        )
    if mode and not stat.S_ISCHR(mode):
        return PortMissing(
            f"{place} is no serial port but a {_kind(mode)}", "name a device such as /dev/ttyUSB0"
        )
    return PortMissing(f"{place} cannot be set up as a serial port ({error})")


def _kind(mode: int) -> str:
    return "directory" if stat.S_ISDIR(mode) else "socket" if stat.S_ISSOCK(mode) else "file"


def _permit(place: str) -> str:
    import grp
    import pwd

    try:
        group = grp.getgrgid(os.stat(place).st_gid).gr_name
        user = pwd.getpwuid(os.geteuid()).pw_name
    except (OSError, KeyError):
        return "add the user to the device's group"
    return f"add the user to the device's group: sudo usermod -aG {group} {user} (for Telegraf: SupplementaryGroups={group})"
