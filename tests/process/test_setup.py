"""pv-setup as a person runs it: exit status, what goes to stdout and what to stderr, and files it may not touch."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import pv_exec

GOOD = '[[bus]]\nname = "roof"\ndriver = "kaco"\nport = "tcp://192.0.2.1:4001"\ninverters = [1]\n'
BAD = GOOD.replace("kaco", "kako").replace("inverters", "inverter")


class Done(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(part, tmp_path) -> Run:
    """run("check", …, env={…}) -> Done, with the environment's own configuration out of the way."""

    def start(*arguments: str | Path, env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            [part("pv-setup"), *map(str, arguments)],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return start


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.toml"
    path.write_text(BAD)
    return path


def test_a_good_configuration_is_printed_as_it_is_in_force(run, good):
    done = run("check", "--config", good)
    assert (done.status, done.err) == (0, "")
    assert tomllib.loads(done.out)["bus"][0]["port"] == "tcp://192.0.2.1:4001"


def test_what_is_printed_passes_the_check_and_says_the_same_again(run, good, tmp_path):
    first = run("check", "-c", good)
    (tmp_path / "again.toml").write_text(first.out)
    again = run("check", "-c", tmp_path / "again.toml")
    assert (again.status, again.err) == (0, "")
    assert tomllib.loads(again.out) == tomllib.loads(first.out)


def test_every_fault_is_told_at_once_and_stdout_stays_empty(run, bad):
    done = run("check", "--config", bad)
    assert (done.status, done.out) == (78, "")
    assert done.err.splitlines() == [
        f'{bad}:3: driver: found "kako", allowed one of kaco, sma_rs485 (did you mean "kaco"?)',
        f"{bad}: 1 fault",
    ]
    bad.write_text(BAD + '[reed]\ninterval = "1m"\n')
    assert run("check", "--config", bad).err.splitlines()[-1] == f"{bad}: 2 faults"


def test_the_configuration_is_taken_before_and_after_the_command_and_from_the_environment(run, good, bad):
    for command in (["-c", good, "check"], ["check", "-c", good], ["-c", bad, "check", f"--config={good}"]):
        assert run(*command).status == 0
    assert run("check", env={"PV_EXEC_CONFIG": str(good)}).status == 0
    assert run("-c", bad, "check", env={"PV_EXEC_CONFIG": str(good)}).status == 78


def test_a_port_that_is_not_there_today_is_no_fault_of_the_file(run, good):
    good.write_text(GOOD.replace("tcp://192.0.2.1:4001", "/dev/ttyUSB-none"))
    done = run("check", "-c", good)
    assert done.status == 0
    assert done.err == (
        f"{good}:4: port: port_missing: /dev/ttyUSB-none is not there; plug the adapter in, "
        "or list the ports with: ls -l /dev/serial/by-path (today; no fault of the file)\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[site\n", r"is no TOML: .*line 1"),
        (
            b'[[bus]]\nname = "a"\nname = "b"\n',
            r"is no TOML: Cannot overwrite a value \(at line 3, column \d+\)",
        ),
        (b'[site]\nname = "\xff"\n', r"is no UTF-8 text \(byte 15\)"),
    ],
)
def test_what_is_no_toml_is_a_fault(run, tmp_path, text, says):
    (tmp_path / "config.toml").write_bytes(text)
    done = run("check", "-c", tmp_path / "config.toml")
    assert (done.status, done.out) == (78, "")
    assert re.search(says, done.err)
    assert len(done.err.splitlines()) == 1


def test_a_file_that_cannot_be_read_is_told_with_the_way_to_a_first_one(run, tmp_path):
    done = run("check", "--config", tmp_path / "none.toml")
    assert (done.status, done.out) == (77, "")
    assert done.err == (
        f"pv-setup: the configuration {tmp_path}/none.toml cannot be read: No such file or directory; "
        "name one with --config or $PV_EXEC_CONFIG; `pv-setup sample` prints one to start from\n"
    )
    assert run("check", "--config", tmp_path).status == 77


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["chekc"],
        ["check", "--what"],
        ["check", "more"],
        ["telegraf", "--for", "new"],
        ["telegraf", "--for", "1.38", "--telegraf", "/usr/bin/telegraf"],
        ["telegraf", "--force"],
        ["telegraf", "--pv-read", "pv-read"],
    ],
)
def test_a_command_line_that_says_nothing_is_usage(run, arguments):
    done = run(*arguments)
    assert (done.status, done.out) == (64, "")
    assert done.err.startswith("pv-setup: ")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check", "--help"], ["sample", "--help"], ["telegraf", "--help"]]
)
def test_every_command_explains_itself(run, arguments):
    assert run(*arguments).status == 0


def test_the_sample_passes_the_check(run, tmp_path):
    done = run("sample")
    assert (done.status, done.err) == (0, "")
    (tmp_path / "config.toml").write_text(done.out.replace("/dev/ttyUSB0", "tcp://192.0.2.1:4001"))
    assert run("check", "-c", tmp_path / "config.toml").status == 0


def test_a_reader_that_goes_away_is_no_failure(part):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([part("pv-setup"), "sample"], check=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_drop_in_goes_to_stdout_and_names_this_installation(run, good, part):
    done = run("telegraf", "-c", good.name, "--for", "1.39")  # a relative name, as a person gives it
    assert (done.status, done.err) == (0, "")
    (one,) = tomllib.loads(done.out)["inputs"]["exec"]
    assert one["commands"] == [[part("pv-read"), "--config", str(good)]]


def test_without_a_telegraf_the_newest_form_is_written_and_said_to_be(run, good, tmp_path):
    (tmp_path / "telegraf").write_text("#!/bin/sh\necho Telegraf 1.30.1\n")
    (tmp_path / "telegraf").chmod(0o755)
    done = run("telegraf", "-c", good, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert "for Telegraf 1.30.1, from" in done.out
    if shutil.which("telegraf", path="/usr/bin:/usr/local/bin") is None:
        done = run("telegraf", "-c", good, env={"PATH": "/usr/bin:/bin"})
        assert done.status == 0
        assert (
            done.err
            == "pv-setup: no Telegraf is installed here; this is for 1.39 and newer (for older ones: --for 1.38)\n"
        )
        assert "## An older Telegraf does not start with this: pv-setup telegraf --for 1.38\n" in done.out


def test_no_drop_in_is_written_from_a_faulty_configuration(run, bad, tmp_path):
    done = run("telegraf", "-c", bad, "--for", "1.39", "--write", tmp_path / "pv-exec.conf")
    assert (done.status, done.out) == (78, "")
    assert (
        done.err
        == f'pv-setup: {bad}:3: driver: found "kako", allowed one of kaco, sma_rs485 (did you mean "kaco"?)\n'
    )
    assert not (tmp_path / "pv-exec.conf").exists()


def test_a_written_drop_in_is_replaced_and_a_strangers_is_not(run, good, tmp_path):
    place = tmp_path / "pv-exec.conf"
    done = run("telegraf", "-c", good, "--for", "1.38", "--write", place)
    assert (done.status, done.out) == (0, "")
    assert done.err.startswith(f"pv-setup: {place} is written\n")
    assert done.err.endswith("pv-setup: next: systemctl reload telegraf\n")
    assert run("telegraf", "-c", good, "--for", "1.39", "--write", place).status == 0
    assert "for Telegraf 1.39.0" in place.read_text()
    assert "says so already" in run("telegraf", "-c", good, "--for", "1.39", "--write", place).err
    place.write_text("[[inputs.exec]]\n")
    done = run("telegraf", "-c", good, "--for", "1.39", "--write", place)
    assert done.status == 77
    assert done.err == (
        f"pv-setup: {place} was not written by pv-setup; look at it, and use --force to replace it\n"
    )
    assert place.read_text() == "[[inputs.exec]]\n"
    assert run("telegraf", "-c", good, "--for", "1.39", "--write", place, "--force").status == 0


# --- as an ordinary user -----------------------------------------------------------------------------------------------

NOBODY = 65534


@pytest.fixture
def ordinary() -> Iterator[Path]:
    """A directory that every user can reach, with a copy of the package and a good configuration in it."""
    import serial

    place = Path(tempfile.mkdtemp(prefix="pv-exec-"))
    place.chmod(0o755)
    for package in (pv_exec, serial):
        assert package.__file__ is not None
        source = os.path.dirname(package.__file__)
        shutil.copytree(source, place / "lib" / os.path.basename(source))
    (place / "config.toml").write_text(GOOD)
    yield place
    shutil.rmtree(place)


def as_nobody(place: Path, *arguments: str) -> Done:
    """pv-setup as a user without rights: this one, unless this is root."""
    drop = (
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    )
    code = (
        "import os, sys; assert os.geteuid(); sys.path.insert(0, sys.argv.pop(1)); "
        "from pv_exec.cli.setup import main; sys.exit(main())"
    )
    done = subprocess.run(
        [*drop, os.path.realpath(sys.executable), "-c", code, str(place / "lib"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd="/",
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_configuration_without_permission_is_told_with_its_cure(ordinary):
    path = ordinary / "config.toml"
    path.chmod(0)
    done = as_nobody(ordinary, "check", "--config", str(path))
    assert (done.status, done.out) == (77, "")
    assert done.err.startswith(
        f"pv-setup: the configuration {path} cannot be read: Permission denied; let uid "
    )


def test_a_place_without_permission_is_told_with_its_cure(ordinary):
    shut = ordinary / "telegraf.d"
    shut.mkdir(mode=0o555)
    command = [
        "telegraf",
        "--for",
        "1.39",
        "--pv-read",
        "/usr/bin/pv-read",
        "--write",
        str(shut / "pv-exec.conf"),
    ]
    done = as_nobody(ordinary, *command, "--config", str(ordinary / "config.toml"))
    assert (done.status, done.out) == (77, "")
    assert (
        done.err
        == f"pv-setup: {shut}/pv-exec.conf cannot be written: Permission denied; run it as root, with sudo\n"
    )


def test_an_ordinary_user_without_a_home_checks_all_the_same(ordinary):
    done = as_nobody(ordinary, "check", "--config", str(ordinary / "config.toml"))
    assert (done.status, done.err) == (0, "")
