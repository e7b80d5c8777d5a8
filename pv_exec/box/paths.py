"""Where files of a run live, whose they are, and how they are written."""


def state_directory(configured: str | None = None) -> str:
    """Where durable files go; the first usable place, never fails."""
    raise NotImplementedError


def runtime_directory(configured: str | None = None) -> str:
    """Where files of this boot go; the first usable place, never fails."""
    raise NotImplementedError


def ensure(directory: str) -> str:
    """Makes it if need be; "" when usable, else why not (a sentence part)."""
    raise NotImplementedError


def owner(directory: str) -> tuple[int, int] | None:
    """(uid, gid) root has to step down to before it writes in `directory`; None: nothing to do."""
    raise NotImplementedError


def step_down(directory: str) -> None:
    """Becomes the owner of `directory` for good, if this process is root and the owner is not."""
    raise NotImplementedError


def word(text: str) -> str:
    """A file name for any text (percent-encoded UTF-8)."""
    raise NotImplementedError


def unword(name: str) -> str:
    """The text behind a `word`."""
    raise NotImplementedError


def replace(path: str, data: bytes, *, durable: bool) -> None:
    """Writes a file so that a reader sees the old or the new, whole; OSError passes."""
    raise NotImplementedError


def read_kept(directory: str, bus: str) -> dict[str, bytes]:
    """What was kept for a bus, by name; {} where there is nothing or it cannot be read."""
    raise NotImplementedError


def write_kept(directory: str, bus: str, name: str, data: bytes, *, durable: bool) -> None:
    """Keeps `data` for a bus; OSError passes, ValueError for a name that is no simple word."""
    raise NotImplementedError
