"""What the drop-in says, by version and configuration, and where it is put."""

import os
import shlex
import tomllib

import pytest
from hypothesis import given, strategies as st

from pv_exec.box.errors import Usage
from pv_exec.run.plan import BusPlan
from pv_exec.setup import install, telegraf


def bus(name: str, *, interval: float = 60.0, deadline: float = 7.4) -> BusPlan:
    return BusPlan(name, "kaco", "/dev/ttyUSB0", (), None, interval, deadline)


def inputs(buses, *, target=None, command=("/usr/bin/pv-read",)):
    text = telegraf.render(buses, command, target, "/etc/pv-exec/config.toml")
    return tomllib.loads(text)["inputs"]["exec"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Telegraf 1.39.3 (git: HEAD@b2726314)", (1, 39, 3)),
        ("Telegraf 1.38.1-1", (1, 38, 1)),
        ("1.38", (1, 38, 0)),
        ("v1.40.0-rc1", (1, 40, 0)),
    ],
)
def test_versions_are_read_in_every_way_they_are_written(text, expected):
    assert telegraf.version(text) == expected


@pytest.mark.parametrize("text", ["", "new", "1", "Telegraf unknown"])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(Usage, match="is no version of Telegraf; such as --for"):
        telegraf.version(text)


@pytest.mark.parametrize(
    ("target", "commands", "log_stderr"),
    [
        ((1, 38, 0), ["/usr/bin/pv-read"], None),
        ((1, 38, 1), ["/usr/bin/pv-read"], True),
        ((1, 38, 99), ["/usr/bin/pv-read"], True),
        ((1, 39, 0), [["/usr/bin/pv-read"]], True),
        ((2, 0, 0), [["/usr/bin/pv-read"]], True),
        (None, [["/usr/bin/pv-read"]], True),
    ],
)
def test_commands_are_arrays_from_1_39_and_stderr_is_logged_from_1_38_1(target, commands, log_stderr):
    (one,) = inputs([bus("roof")], target=target)
    assert (one["commands"], one.get("log_stderr")) == (commands, log_stderr)


def test_buses_of_one_interval_share_an_input_and_need_no_name():
    assert inputs([bus("roof", deadline=7.4), bus("barn", deadline=5.0)]) == [
        {
            "alias": "pv",
            "commands": [["/usr/bin/pv-read"]],
            "interval": "1m",
            "timeout": "9s",
            "precision": "1ns",
            "data_format": "influx",
            "log_stderr": True,
        }
    ]


def test_buses_of_several_intervals_have_an_input_each_and_every_bus_is_in_one():
    found = inputs([bus("roof"), bus("hall", interval=300.0, deadline=12.0), bus("barn")])
    assert [(one["alias"], one["interval"], one["timeout"], one["commands"]) for one in found] == [
        ("pv-1m", "1m", "9s", [["/usr/bin/pv-read", "--bus", "roof", "--bus", "barn"]]),
        ("pv-5m", "5m", "13s", [["/usr/bin/pv-read", "--bus", "hall"]]),
    ]


@given(st.floats(0.5, 3600))
def test_the_timeout_comes_after_the_deadline_by_one_to_two_seconds(deadline):
    (group,) = telegraf.groups([bus("roof", deadline=deadline)])
    assert 1.0 <= group.timeout - deadline < 2.0


ODD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(ODD)
def test_an_argument_arrives_in_the_array_form_as_it_is(name):
    _, argument = inputs([bus("x")], command=("/usr/bin/pv-read", name))[0]["commands"][0]
    assert argument.replace("$$", "$") == name  # Telegraf makes $$ a $, and $NAME what the environment says


@given(ODD)
def test_an_argument_arrives_in_the_string_form_as_a_shell_splits_it(name):
    (command,) = inputs([bus("x")], command=("/usr/bin/pv-read", name), target=(1, 30, 0))[0]["commands"]
    assert shlex.split(command.replace("$$", "$")) == ["/usr/bin/pv-read", name]


def test_a_program_whose_path_looks_like_a_glob_is_no_glob():
    ((program,),) = inputs([bus("x")], command=(r"/opt/a[b]*?\/pv-read",))[0]["commands"]
    assert program == r"/opt/a\[b]\*\?\\/pv-read"


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "a\x1b[2Jb"])
def test_a_name_cannot_break_out_of_its_comment(name):
    text = telegraf.render([bus(name)], ["/usr/bin/pv-read"], None, f"/etc/{name}.toml")
    tomllib.loads(text)
    assert name not in text


@pytest.fixture
def program(tmp_path):
    """program(text) -> a Telegraf that does this when it is started."""

    def make(text: str) -> str:
        path = tmp_path / "telegraf"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_the_installed_telegraf_is_asked_for_its_version(program):
    assert telegraf.installed(program("echo 'Telegraf 1.38.4 (git: HEAD@12345678)'")) == (1, 38, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("echo 'Telegraf unknown'", r"does not know its version \('Telegraf unknown'\); name it with --for"),
        ("echo Hello", "says 'Hello', which is no Telegraf; name another with --telegraf"),
        ("exit 1", "says '', which is no Telegraf"),
        ("exec sleep 60", r"does not say its version within 0.2 s; name it with --for"),
    ],
)
def test_a_telegraf_that_does_not_say_its_version_is_told(program, monkeypatch, text, says):
    monkeypatch.setattr(telegraf, "ANSWERS_WITHIN", 0.2 if "sleep" in text else 10.0)
    with pytest.raises(Usage, match=says):
        telegraf.installed(program(text))


def test_no_telegraf_is_none_and_a_named_one_that_is_missing_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(telegraf, "PLACES", ())
    assert telegraf.installed(None) is None
    with pytest.raises(Usage, match="/none is no program; name Telegraf itself, or its version with --for"):
        telegraf.installed(str(tmp_path / "none"))


# --- putting it in its place -------------------------------------------------------------------------------------------

OURS = telegraf.MARK + " for Telegraf 1.39 and newer.\n"


def test_a_new_file_is_whole_and_everybody_may_read_it(tmp_path):
    path = str(tmp_path / "pv-exec.conf")
    old = os.umask(0o077)
    try:
        assert install.write(path, OURS, force=False) is True
    finally:
        os.umask(old)
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["pv-exec.conf"]


def test_a_file_of_ours_is_replaced_and_one_that_says_so_already_is_left(tmp_path):
    path = str(tmp_path / "pv-exec.conf")
    install.write(path, OURS + "old\n", force=False)
    assert install.write(path, OURS, force=False) is True
    assert install.write(path, OURS, force=False) is False
    with open(path) as file:
        assert file.read() == OURS


def test_a_file_that_is_not_ours_stays_without_force(tmp_path):
    path = tmp_path / "pv-exec.conf"
    path.write_text("[[inputs.exec]]\n")
    with pytest.raises(
        install.NotInstalled, match="was not written by pv-setup; look at it, and use --force to replace it"
    ):
        install.write(str(path), OURS, force=False)
    assert path.read_text() == "[[inputs.exec]]\n"
    assert install.write(str(path), OURS, force=True) is True
    assert path.read_text() == OURS


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "link.conf").symlink_to("real.conf")
    install.write(str(tmp_path / "link.conf"), OURS, force=False)
    assert (tmp_path / "link.conf").is_symlink()
    assert (tmp_path / "real.conf").read_text() == OURS


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "none/pv-exec.conf",
            "cannot be written: No such file or directory; install Telegraf first, or name another file",
        ),
        (".", "cannot be read: Is a directory"),
        ("file/pv-exec.conf", "cannot be read: Not a directory"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_told(tmp_path, path, says):
    (tmp_path / "file").touch()
    with pytest.raises(install.NotInstalled, match=says):
        install.write(str(tmp_path / path), OURS, force=False)
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = str(tmp_path / "pv-exec.conf")
    install.write(path, OURS + "old\n", force=False)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(install.NotInstalled, match="cannot be written: No space left on device"):
        install.write(path, OURS, force=False)
    assert os.listdir(tmp_path) == ["pv-exec.conf"]
    with open(path) as file:
        assert file.read() == OURS + "old\n"


def test_what_telegrafs_user_may_not_do_is_told(tmp_path, monkeypatch):
    who = install.User("telegraf", 64321, frozenset({64321}))
    monkeypatch.setattr(install, "user", lambda _: who)
    monkeypatch.setattr(
        install, "_group_wanted", lambda _, place: "dialout" if place == "/dev/ttyUSB0" else ""
    )
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    for place in (shut / "pv-read", tmp_path / "config.toml"):
        place.touch(mode=0o600)
    tmp_path.chmod(0o755)
    said = install.advice(
        str(tmp_path / "config.toml"), str(shut / "pv-read"), ["/dev/ttyUSB0", "/dev/ttyUSB1"]
    )
    assert any(one.startswith(f"the user telegraf may not run {shut}/pv-read: ") for one in said)
    assert any(one.startswith(f"the user telegraf may not read {tmp_path}/config.toml") for one in said)
    assert "    SupplementaryGroups=dialout" in said


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "may"),
    [(0o660, 5, {6}, True), (0o660, 9, {6}, True), (0o660, 9, {7}, False), (0o666, 9, {7}, True), (0o060, 5, {6}, False),
     (0o000, 0, set(), True)],
)  # fmt: skip
def test_rights_are_those_of_the_first_class_that_fits(mode, uid, groups, may):
    found = os.stat_result((0o020000 | mode, 0, 0, 1, 5, 6, 0, 0, 0, 0))
    assert install._permits(install.User("x", uid, frozenset(groups)), found, os.R_OK | os.W_OK) is may


def test_a_user_nobody_knows_gets_no_advice():
    assert install.advice("/etc/pv-exec/config.toml", "/usr/bin/pv-read", [], "nobody-of-that-name") == []
