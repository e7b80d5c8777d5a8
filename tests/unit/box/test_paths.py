import os
import stat

import pytest
from hypothesis import given, strategies as st

from pv_exec.box import paths

VARIABLES = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME")


@pytest.fixture(autouse=True)
def bare(monkeypatch, place):
    """No variable set, and no system's place to write in."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    os.mkdir(f"{place}/system", 0o700)
    monkeypatch.setattr(paths, "SYSTEM_STATE", f"{place}/system/file/pv-exec")
    monkeypatch.setattr(paths, "SYSTEM_RUNTIME", f"{place}/system/file/pv-exec")
    with open(f"{place}/system/file", "w", encoding="ascii"):
        pass


def both():
    return paths.state_directory(), paths.runtime_directory()


def test_what_is_configured_is_taken_whatever_it_is(monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/elsewhere")
    assert paths.state_directory("/nowhere/at/all") == "/nowhere/at/all"
    assert paths.runtime_directory("/nowhere/at/all") == "/nowhere/at/all"


def test_then_what_systemd_gives(monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/solar")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/telegraf:/run/pv-exec")
    assert both() == ("/var/lib/solar", "/run/pv-exec")


def test_then_the_systems_place_where_it_can_be_written(monkeypatch, place):
    monkeypatch.setattr(paths, "SYSTEM_STATE", f"{place}/lib")
    monkeypatch.setattr(paths, "SYSTEM_RUNTIME", f"{place}/run")
    assert both() == (f"{place}/lib", f"{place}/run")


def test_then_a_persons_own(monkeypatch, place):
    monkeypatch.setenv("HOME", place)
    monkeypatch.setenv("XDG_RUNTIME_DIR", place)
    assert both() == (f"{place}/.local/state/pv-exec", f"{place}/pv-exec")
    monkeypatch.setenv("XDG_STATE_HOME", f"{place}/xdg")
    assert paths.state_directory() == f"{place}/xdg/pv-exec"


@pytest.mark.parametrize("home", [None, "", "relative", "/nonexistent", "/proc"])
def test_without_a_home_it_is_tmp(monkeypatch, home, ordinary):
    if home is not None:
        monkeypatch.setenv("HOME", home)
        monkeypatch.setenv("XDG_RUNTIME_DIR", home)
    said = ordinary(lambda: " ".join((*both(), str(os.geteuid()))))
    state, runtime, uid = said.split()
    assert (state, runtime) == (f"/tmp/pv-exec-{uid}/state", f"/tmp/pv-exec-{uid}/runtime")


def test_the_runtime_directory_of_another_user_is_not_ours(monkeypatch, place, ordinary):
    os.mkdir(f"{place}/1000", 0o777)
    os.chmod(f"{place}/1000", 0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{place}/1000")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert paths.runtime_directory() == "/tmp/pv-exec-4711/runtime"


def test_a_directory_is_made_for_its_owner_alone(place):
    old = os.umask(0)
    try:
        assert paths.ensure(f"{place}/a/b") == ""
    finally:
        os.umask(old)
    assert [mode(f"{place}/a"), mode(f"{place}/a/b")] == [0o700, 0o700]
    assert paths.ensure(f"{place}/a/b") == ""


def test_the_systems_place_and_all_below_is_the_groups_whatever_the_umask(monkeypatch, place):
    monkeypatch.setattr(paths, "SYSTEM_STATE", f"{place}/lib")
    old = os.umask(0o077)
    try:
        assert paths.ensure(f"{place}/lib") == ""
        paths.write_kept(f"{place}/lib", "roof", "lists", b"x", durable=True)
    finally:
        os.umask(old)
    assert mode(f"{place}/lib") == mode(f"{place}/lib/kept") == mode(f"{place}/lib/kept/roof") == 0o2770
    assert mode(f"{place}/lib/kept/roof/lists") == 0o660


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_what_is_wrong_is_said(place, ordinary):
    with open(f"{place}/file", "w", encoding="ascii"):
        pass
    os.symlink("nowhere", f"{place}/dangling")
    os.chmod(f"{place}/system", 0o755)
    assert paths.ensure(f"{place}/file") == f"{place}/file is no directory"
    assert paths.ensure(f"{place}/file/below").startswith(f"{place}/file")
    assert "no directory" in paths.ensure(f"{place}/dangling") or "No such file" in paths.ensure(
        f"{place}/dangling"
    )
    assert paths.ensure("/proc/pv-exec").startswith("/proc/pv-exec: ")
    if os.getuid() == 0:
        assert ordinary(lambda: paths.ensure(f"{place}/x")) == f"{place}/x: Permission denied"
        assert (
            ordinary(lambda: paths.ensure(f"{place}/system"))
            == f"{place}/system cannot be written by this user"
        )


def test_a_directory_that_is_there_may_be_reached_by_a_link(place):
    os.mkdir(f"{place}/data")
    os.symlink(f"{place}/data", f"{place}/link")
    assert paths.ensure(f"{place}/link") == ""


def open_to_all(place):
    os.mkdir(f"{place}/tmp")
    os.chmod(f"{place}/tmp", 0o1777)
    return f"{place}/tmp"


def test_a_link_laid_in_a_directory_of_everybody_is_refused(place):
    tmp = open_to_all(place)
    os.mkdir(f"{place}/victim")
    os.symlink(f"{place}/victim", f"{tmp}/mine")
    assert paths.ensure(f"{tmp}/mine/state") == f"{tmp}/mine is no directory"
    assert os.listdir(f"{place}/victim") == []


def test_a_strangers_directory_in_a_directory_of_everybody_is_refused(place, ordinary):
    if os.getuid() != 0:
        pytest.skip("only root can make a directory of another user")
    tmp = open_to_all(place)
    os.mkdir(f"{tmp}/mine")
    os.chmod(f"{tmp}/mine", 0o777)
    os.chown(f"{tmp}/mine", 4711, 4711)
    wrong = f"{tmp}/mine belongs to another user (uid 4711)"
    assert paths.ensure(f"{tmp}/mine/state") == wrong
    assert ordinary(lambda: paths.ensure(f"{tmp}/mine/state")) == wrong
    assert os.listdir(f"{tmp}/mine") == []


def test_root_steps_down_to_the_owner(place):
    if os.getuid() != 0:
        pytest.skip("only root can step down")
    assert paths.owner(place) is None
    assert paths.owner(f"{place}/missing") is None
    os.chown(place, 65534, 4711)
    assert paths.owner(place) == (65534, 4711)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        paths.step_down(place)
        paths.replace(f"{place}/file", b"", durable=False)
        os.write(
            writing,
            repr((os.getresuid(), os.getresgid(), 4711 in os.getgroups(), 0 in os.getgroups())).encode(),
        )
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 999).decode() == "((65534, 65534, 65534), (4711, 4711, 4711), True, False)"
    assert os.stat(f"{place}/file").st_uid == 65534
    os.close(reading)
    os.close(writing)


def test_an_ordinary_user_has_nothing_to_step_down_to(ordinary):
    assert ordinary(lambda: str(paths.owner("/"))) == "None"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("roof", "roof"),
        ("Dach süd", "Dach%20s%C3%BCd"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E."),
        (".", "%2E"),
        ("", "%"),
        ("tcp://10.0.0.1:23", "tcp%3A%2F%2F10.0.0.1%3A23"),
        ("100%", "100%25"),
        ("\0", "%00"),
    ],
)
def test_a_word_is_safe_and_can_be_read_back(text, word):
    assert paths.word(text) == word
    assert paths.unword(word) == text


@given(st.text(max_size=15))  # 15 characters are 180 of a word at most
def test_any_text_has_a_word_of_its_own(text):
    word = paths.word(text)
    assert word
    assert word.isascii()
    assert "/" not in word
    assert not word.startswith(".")
    assert paths.unword(word) == text


@given(st.text(min_size=100, max_size=400))
def test_a_word_is_never_too_long_for_a_name(text):
    assert len(paths.word(text)) <= paths.LONGEST_WORD
    assert paths.word(text) != paths.word(text + "x")


def test_what_is_kept_can_be_read(place):
    for directory in (f"{place}/state", f"{place}/runtime"):
        assert paths.ensure(directory) == ""
    assert paths.read_kept(f"{place}/state", "Dach/süd") == {}
    paths.write_kept(f"{place}/state", "Dach/süd", "channels.2000123456", b"\0\xff", durable=True)
    paths.write_kept(f"{place}/state", "Dach/süd", "channels.2000123456", b"second", durable=True)
    paths.write_kept(f"{place}/state", "Dach/süd", "totals", b"", durable=True)
    paths.write_kept(f"{place}/runtime", "Dach/süd", "misses", b"3", durable=False)
    assert paths.read_kept(f"{place}/state", "Dach/süd") == {"channels.2000123456": b"second", "totals": b""}
    assert paths.read_kept(f"{place}/runtime", "Dach/süd") == {"misses": b"3"}
    assert paths.read_kept(f"{place}/state", "Dach") == {}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "Ü", "a b", "x" * 101, "a\n"])
def test_only_simple_words_are_kept(place, name):
    with pytest.raises(ValueError, match=r"^"):
        paths.write_kept(place, "roof", name, b"", durable=False)


def test_what_cannot_be_read_is_left_out(place):
    paths.write_kept(place, "roof", "good", b"1", durable=False)
    os.mkdir(f"{place}/kept/roof/directory")
    with open(f"{place}/kept/roof/.good.123", "wb") as file:
        file.write(b"half")
    with open(f"{place}/kept/roof/large", "wb") as file:
        file.truncate(paths.LARGEST_KEPT + 1)
    assert paths.read_kept(place, "roof") == {"good": b"1"}


def test_a_file_is_replaced_whole_or_not_at_all(place, monkeypatch):
    paths.replace(f"{place}/file", b"old", durable=False)
    parts: list[int] = []

    def full(fd, data):
        if parts:
            raise OSError(28, "No space left on device")
        parts.append(1)
        return real(fd, data[:2])

    real = os.write
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        paths.replace(f"{place}/file", b"newer", durable=True)
    monkeypatch.undo()
    with open(f"{place}/file", "rb") as file:
        assert file.read() == b"old"
    assert sorted(os.listdir(place)) == ["file", "system"]


def test_a_half_written_file_of_a_killed_namesake_is_in_nobodys_way(place):
    with open(f"{place}/.file.{os.getpid()}", "wb") as file:
        file.write(b"half of something longer")
    paths.replace(f"{place}/file", b"new", durable=False)
    with open(f"{place}/file", "rb") as file:
        assert file.read() == b"new"


def test_durable_means_the_file_and_then_its_directory(place, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    paths.replace(f"{place}/file", b"x", durable=False)
    assert synced == []
    paths.write_kept(place, "roof", "name", b"x", durable=True)
    assert synced == [place, f"{place}/kept", f"{place}/kept/roof/.name.{os.getpid()}", f"{place}/kept/roof"]
