"""Where files of a run live, whose they are, and how they are written.

In the system's place the directories belong to the group pv-exec (2770) and the processes run with umask 007; a person's
are 0700. Choosing a place looks at names and rights only: nothing here waits for a disk before `ensure` or a write.
"""

import os
import stat

SYSTEM_STATE, SYSTEM_RUNTIME = "/var/lib/pv-exec", "/run/pv-exec"
GROUP = "pv-exec"
LONGEST_WORD = 180
"""Of 255 bytes a name may have; the rest is for what is added before and after a word."""
LARGEST_KEPT = 1 << 20
"""Bytes; nothing that is learned comes near, so a larger file is none of ours."""


def state_directory(configured: str | None = None) -> str:
    """Where durable files go: configured, $STATE_DIRECTORY, the system's, ~/.local/state, /tmp/pv-exec-UID.

    The first two are taken as they are (`ensure` says what is wrong with them), of the others the first that is usable.
    Never fails; no home directory is fine.
    """
    home = os.environ.get("HOME", "")
    persons = _absolute(os.environ.get("XDG_STATE_HOME")) or (
        f"{home}/.local/state" if _absolute(home) else ""
    )
    return configured or _given("STATE_DIRECTORY") or _first(SYSTEM_STATE, persons, "state")


def runtime_directory(configured: str | None = None) -> str:
    """Where files of this boot go: configured, $RUNTIME_DIRECTORY, the system's, $XDG_RUNTIME_DIR, /tmp/pv-exec-UID.

    $XDG_RUNTIME_DIR counts only if it is ours: `su` passes on the one of the user before.
    """
    persons = _absolute(os.environ.get("XDG_RUNTIME_DIR"))
    try:
        if persons and os.stat(persons).st_uid != os.geteuid():
            persons = ""
    except OSError:
        persons = ""
    return configured or _given("RUNTIME_DIRECTORY") or _first(SYSTEM_RUNTIME, persons, "runtime")


def _given(variable: str) -> str:
    """The variable of systemd; of several directories (the unit is not ours alone) the one called pv-exec, else the first."""
    places = [place for place in os.environ.get(variable, "").split(":") if _absolute(place)]
    return next(
        (place for place in places if os.path.basename(place) == "pv-exec"), places[0] if places else ""
    )


def _absolute(path: str | None) -> str:
    return path if path and path.startswith("/") else ""


def _first(system: str, persons: str, last: str) -> str:
    for place in (system, f"{persons}/pv-exec" if persons else ""):
        if place and _usable(place):
            return place
    return f"/tmp/pv-exec-{os.geteuid()}/{last}"  # noqa: S108 ensure() checks whose it is


def _usable(place: str) -> bool:
    """Whether it is a directory we can write in, or could be made one."""
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    return os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK, effective_ids=True)


def ensure(directory: str) -> str:
    """Makes the directory if need be; "" when it can be written in, else why not, as one part of a sentence.

    Root steps down (step_down) before it calls this. Below a directory that everybody can write in (/tmp) the way must be
    ours or root's and no symbolic link: whoever made it could else read what we write, or have us write elsewhere.
    """
    mine = f"/tmp/pv-exec-{os.geteuid()}"  # noqa: S108 checked below
    path = "/" if directory.startswith("/") else "."
    try:
        for name in filter(None, directory.split("/")):
            shared = bool(os.stat(path).st_mode & stat.S_IWOTH)
            path = os.path.join(path, name)
            made = _made(path, system=path in (SYSTEM_STATE, SYSTEM_RUNTIME))
            if shared and not made:
                found = os.lstat(path)
                if not stat.S_ISDIR(found.st_mode):
                    return f"{path} is no directory"
                if found.st_uid not in (0, os.geteuid()):
                    return f"{path} belongs to another user (uid {found.st_uid})"
                if path == mine and found.st_mode & 0o077:
                    os.chmod(path, 0o700)
        if not os.path.isdir(path):
            return f"{path} is no directory"
        if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
            read_only = os.statvfs(path).f_flag & os.ST_RDONLY
            return (
                f"{path} is on a read-only file system"
                if read_only
                else f"{path} cannot be written by this user"
            )
    except OSError as error:
        return f"{path}: {error.strerror}"
    return ""


def _made(path: str, *, system: bool = False) -> bool:
    """Makes one directory if it is missing: as open as the one around it, 2770 in the system's place, else 0700."""
    if os.path.lexists(path):
        return False
    around = os.stat(os.path.dirname(path) or ".").st_mode
    group = system or (around & stat.S_ISGID and around & stat.S_IWGRP)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:  # another process was faster
        return False
    if system and os.geteuid() == 0:
        import grp  # once in the life of a box

        try:
            os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
        except KeyError:
            pass
    if group:
        os.chmod(path, 0o2770)  # noqa: S103 the group is who it is for
    return True


def owner(directory: str) -> tuple[int, int] | None:
    """(uid, gid) that root has to step down to before it writes in this directory; None when there is nothing to do."""
    if os.geteuid() != 0:
        return None
    try:
        found = os.stat(directory)
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid else None


def step_down(directory: str) -> None:
    """Becomes the owner of the directory for good if this process is root and the owner is not; OSError passes.

    With the owner's own groups: a device that only root can open is then denied, as it will be to the owner every day.
    """
    ids = owner(directory)
    if ids is None:
        return
    import pwd  # only for root

    uid, gid = ids
    try:
        user = pwd.getpwuid(uid)
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
    except KeyError:
        groups = []
    os.setgroups([*groups, gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def word(text: str) -> str:
    """A file name for any text: letters, digits, - and _ stay, and inner dots; everything else is %XX of its UTF-8.

    Other texts, other words; never empty, hidden, or a path. A text too long for a name keeps its begin and gets a
    checksum, which `unword` cannot undo.
    """
    safe = "".join(
        chr(byte)
        if (chr(byte).isalnum() and byte < 0x80) or byte in b"-_" or (byte == 0x2E and n)
        else f"%{byte:02X}"
        for n, byte in enumerate(text.encode("utf-8", "surrogatepass"))
    )
    if len(safe) > LONGEST_WORD:
        import zlib  # nobody names a bus like this

        data = text.encode("utf-8", "surrogatepass")
        return f"{safe[: LONGEST_WORD - 20]}%{zlib.crc32(data):08x}%{zlib.adler32(data):08x}"
    return safe or "%"


def unword(name: str) -> str:
    """The text behind a word; ValueError for one that was too long, or is none."""
    if name == "%":
        return ""
    head, *parts = name.split("%")
    data = head.encode("ascii") + b"".join(
        bytes([int(part[:2], 16)]) + part[2:].encode("ascii") for part in parts
    )
    return data.decode("utf-8", "surrogatepass")


def mode_in(directory: str) -> int:
    """The mode of a new file there: for the group too where the directory is the group's, whatever the umask says."""
    return 0o660 if os.stat(directory).st_mode & stat.S_IWGRP else 0o600


def replace(path: str, data: bytes, *, durable: bool) -> None:
    """Writes a whole file or none: a reader sees the old or the new one, after a power cut too if `durable`.

    durable: fsync of the file and of its directory. Any OSError passes, and the old file is then as it was.
    """
    directory, name = os.path.split(path)
    fresh = f"{directory}/.{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(fresh, flags, 0o600)
    except FileExistsError:  # of a process that was killed here and had our number
        os.unlink(fresh)
        fd = os.open(fresh, flags, 0o600)
    try:
        try:
            os.fchmod(fd, mode_in(directory))
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise
    if durable:
        sync_directory(directory)


def sync_directory(directory: str) -> None:
    """Makes names durable: a file is not there after a power cut before its directory is on disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def subdirectory(directory: str, *names: str, durable: bool = False) -> str:
    """A directory below a state or runtime directory, made as open as that is; OSError passes."""
    for name in names:
        around, directory = directory, f"{directory}/{name}"
        if _made(directory) and durable:
            sync_directory(around)
    return directory


def read_kept(directory: str, bus: str) -> dict[str, bytes]:
    """What was kept for a bus in a state or runtime directory, by name; {} where nothing is or nothing can be read."""
    kept: dict[str, bytes] = {}
    place = f"{directory}/kept/{word(bus)}"
    try:
        names = os.listdir(place)
    except OSError:
        return kept
    for name in names:
        if _is_simple(name):
            try:
                with open(f"{place}/{name}", "rb") as file:
                    data = file.read(LARGEST_KEPT + 1)
            except OSError:
                continue
            if len(data) <= LARGEST_KEPT:
                kept[name] = data
    return kept


def write_kept(directory: str, bus: str, name: str, data: bytes, *, durable: bool) -> None:
    """Keeps `data` for a bus, atomically. OSError passes; ValueError for a name that is no simple word."""
    if not _is_simple(name) or len(data) > LARGEST_KEPT:
        raise ValueError(name)
    place = subdirectory(directory, "kept", word(bus), durable=durable)
    replace(f"{place}/{name}", data, durable=durable)


_INNER = "-_."
_SIMPLE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789" + _INNER)


def _is_simple(name: str) -> bool:
    """Lower-case letters, digits, - _ and inner dots; nothing hidden, which half-written files are."""
    return 0 < len(name) <= 100 and name[0] not in _INNER and set(name) <= _SIMPLE
