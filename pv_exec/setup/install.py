"""Putting the drop-in in its place, and telling what keeps Telegraf's own user from using it."""

import contextlib
import os
import pwd
import stat
from typing import NamedTuple

from pv_exec import links
from pv_exec.box.errors import DENIED, PvError
from pv_exec.run.plan import BusPlan
from pv_exec.setup.telegraf import MARK

USER = "telegraf"
"""The user of Telegraf's own packages and unit."""

DROP_IN = "/etc/telegraf/telegraf.d/pv-exec.conf"
"""Telegraf's unit reads every *.conf of that directory."""

UNIT = "/etc/systemd/system/telegraf.service.d/pv-exec.conf"


class NotInstalled(PvError):
    """The drop-in was not written, and what was there is as it was."""

    exit_status = DENIED


def write(path: str, text: str, *, force: bool) -> bool:
    """Replace `path` whole or not at all; False where it said so already. Raises NotInstalled.

    A file that is not ours (its first line tells) stays unless `force`. A symbolic link stays one.
    """
    path = os.path.realpath(path)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            old = file.read()
    except FileNotFoundError:
        old = None
    except OSError as error:
        raise NotInstalled(f"{path} cannot be read: {error.strerror}", _remedy(error)) from error
    if old == text:
        return False
    if old is not None and not old.startswith(MARK) and not force:
        raise NotInstalled(f"{path} was not written by pv-setup", "look at it, and use --force to replace it")
    fresh = f"{path}.{os.getpid()}.new"  # Telegraf reads *.conf only
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                os.fchmod(fd, 0o644)  # whatever the umask: Telegraf is another user
                file.write(text)
                file.flush()
                os.fsync(fd)
            os.rename(fresh, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
    except OSError as error:
        raise NotInstalled(f"{path} cannot be written: {error.strerror}", _remedy(error)) from error
    return True


def _remedy(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "install Telegraf first, or name another file behind --write"
    if isinstance(error, PermissionError):
        return "run it as root, with sudo"
    return ""


class User(NamedTuple):
    """Whose rights count."""

    name: str
    uid: int
    groups: frozenset[int]


def user(name: str) -> User | None:
    """A user with his groups, None where there is none of that name."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(name, entry.pw_uid, frozenset(os.getgrouplist(name, entry.pw_gid)))


def obstacle(who: User, path: str, want: int) -> str:
    """The first directory or file on the way to `path` that denies `want` (os.R_OK…) to a user; "" where none does.

    By the mode bits: an access list or a capability may say otherwise. Where it cannot be told, nothing is denied.
    """
    path = os.path.realpath(path)
    steps = [path]
    while steps[-1] != "/":
        steps.append(os.path.dirname(steps[-1]))
    for step in reversed(steps):
        try:
            found = os.stat(step)
        except OSError:
            return ""
        if not _permits(who, found, want if step == path else os.X_OK):
            return step
    return ""


def _permits(who: User, found: os.stat_result, want: int) -> bool:
    if who.uid == 0:
        return True
    shift = 6 if found.st_uid == who.uid else 3 if found.st_gid in who.groups else 0
    return (found.st_mode >> shift) & want == want


def advice(config: str, command: str, places: list[str], name: str = USER) -> list[str]:
    """Sentences about what Telegraf's user may not do and what cures it; none where all is well or there is no such user.

    `places`: the devices of the buses.
    """
    who = user(name)
    if who is None:
        return []
    said = []
    for path, want, what in ((command, os.R_OK | os.X_OK, "run"), (config, os.R_OK, "read")):
        if wall := obstacle(who, path, want):
            at = "" if wall == os.path.realpath(path) else f": {wall} is closed to it"
            said.append(f"the user {name} may not {what} {path}{at}")
    groups = sorted({group for place in places if (group := _group_wanted(who, place))})
    if groups:
        said += [
            f"the user {name} may not open {', '.join(places)}; give the service the group, in {UNIT}:",
            "    [Service]",
            f"    SupplementaryGroups={' '.join(groups)}",
            "  then: systemctl daemon-reload && systemctl restart telegraf",
        ]
    return said


def _group_wanted(who: User, place: str) -> str:
    """The group that would let a user open a device, "" where he may already."""
    try:
        found = os.stat(place)
    except OSError:
        return ""
    if not stat.S_ISCHR(found.st_mode) or _permits(who, found, os.R_OK | os.W_OK):
        return ""
    import grp

    try:
        return grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        return str(found.st_gid)


def devices(buses: tuple[BusPlan, ...]) -> list[str]:
    """The devices that buses name and that are there now."""
    found = []
    for bus in buses:
        with contextlib.suppress(PvError):
            place = links.locate(bus.port, bus.others)
            if links.scheme(place) == "serial" and os.path.exists(place):
                found.append(place)
    return found
