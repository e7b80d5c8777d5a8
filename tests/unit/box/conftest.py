"""An ordinary user for tests of rights, and a place such a user can reach."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

import pytest

NOBODY = 65534


@pytest.fixture
def place() -> Iterator[str]:
    """A directory below /tmp that every user may enter (pytest's own are closed to others)."""
    path = tempfile.mkdtemp(prefix="pv-exec-test-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def ordinary() -> Callable[[Callable[[], str]], str]:
    """Calls a function in a forked child that is no root (nobody, where the tests run as root) and hands back its text."""

    def call(function: Callable[[], str]) -> str:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.getuid() == 0:
                    os.setgroups([])
                    os.setresgid(NOBODY, NOBODY, NOBODY)
                    os.setresuid(NOBODY, NOBODY, NOBODY)
                assert os.getuid() != 0
                text = function()
            except BaseException as error:  # noqa: BLE001 the parent shows it
                text = f"raised {error!r}"
            os.write(writing, text.encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with open(reading, "rb") as pipe:
            return pipe.read().decode()

    return call
