"""pv-read on a box that is against it: frozen, full and read-only disks, no rights, no home, a clock that lies."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv_exec.box import proc, records
from tests.e2e.process import wait_for
from tests.plant import Done, Plant

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root (loop mounts)")


@contextlib.contextmanager
def mounted(directory: Path, *options: str) -> Iterator[Path]:
    """A small ext4 of its own on a loop device; a frozen one is thawed whatever happened."""
    image, place = directory / "image", directory / "disk"
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", str(image)], check=True)
    place.mkdir()
    subprocess.run(["/usr/bin/mount", "-o", ",".join(["loop", *options]), str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["/usr/sbin/fsfreeze", "-u", str(place)], check=False, capture_output=True)
        wait_for(
            lambda: subprocess.run(["/usr/bin/umount", str(place)], check=False).returncode == 0, "unmounted"
        )


def freeze(place: Path) -> None:
    subprocess.run(["/usr/sbin/fsfreeze", "-f", str(place)], check=True)


def timed(plant: Plant, *arguments: str) -> tuple[Done, float]:
    started = time.monotonic()
    done = plant.read(*arguments)  # returns at the end of stdout: a child that held it would be seen here
    return done, time.monotonic() - started


@root_only
def test_a_worker_in_state_d_is_hung_and_the_next_run_says_who_holds_the_bus(plant):
    """Its trace file lies on a frozen disk: open() for writing never returns, and no signal ends it."""
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    with mounted(plant.directory) as disk:
        freeze(disk)
        done, spent = timed(plant, "--trace", str(disk / "trace"), "--deadline", "1s")
        assert (done.status, done.states) == (0, {"1": "hung"})
        assert "state D" in done.health["1"]["error"]
        assert spent < 2.0
        done, _ = timed(plant, "--deadline", "1s")
        assert done.states == {"1": "locked"}
        assert "state D" in done.health["1"]["error"]
        assert "held for" in done.health["1"]["error"]
        hung = records.read(str(plant.directory / "run"), "roof")
        assert hung is not None
        assert hung.ended is None


@root_only
def test_a_worker_that_hangs_at_its_lock(plant):
    """The whole runtime directory is frozen: worker and keeper both hang, and what can be said is said in time."""
    plant.serve("1:8000xi")
    with mounted(plant.directory) as disk:
        plant.configure("inverters = [1]")
        text = Path(plant.config).read_text()
        Path(plant.config).write_text(text.replace('runtime = "run"', f'runtime = "{disk}/run"'))
        freeze(disk)
        done, spent = timed(plant, "--deadline", "1s")
        assert (done.status, done.states) == (0, {"1": "hung"})
        assert done.health["1"]["state_code"] == 8
        assert done.lines[0]["fields"]["seq"] == 0
        assert spent < 2.0


@root_only
def test_a_keeper_that_hangs_costs_no_reading_and_stays_the_only_one(plant):
    """Only the state directory is frozen: the first run's keeper hangs in its first durable write, the later ones leave it."""
    plant.serve("1:8000xi")
    with mounted(plant.directory) as disk:
        plant.configure("inverters = [1]")
        text = Path(plant.config).read_text()
        Path(plant.config).write_text(text.replace('state = "state"', f'state = "{disk}/state"'))
        freeze(disk)
        for seq in (1, 2, 3):
            done, spent = timed(plant, "--deadline", "2s")
            assert (done.status, done.states) == (0, {"1": "ok"})
            assert done.lines[0]["fields"]["seq"] == seq
            assert spent < 3.0
        wait_for(lambda: len(readers(plant)) == 1, "only the first keeper is left")
        assert process_letter(readers(plant)[0]) == "D"


def readers(plant: Plant) -> list[int]:
    """Processes of pv-read on this plant's configuration."""
    found = subprocess.run(["pgrep", "-f", plant.config], check=False, capture_output=True, text=True).stdout
    return [int(line) for line in found.split()]


def process_letter(pid: int) -> str:
    found = proc.state(pid)
    return found.letter if found else "gone"


@root_only
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_runtime_directory_that_takes_nothing(plant, how):
    plant.serve("1:8000xi")
    with mounted(plant.directory) as disk:
        plant.configure("inverters = [1]")
        text = Path(plant.config).read_text()
        Path(plant.config).write_text(
            text.replace('runtime = "run"', f'runtime = "{disk}"').replace(
                'state = "state"', f'state = "{disk}"'
            )
        )
        if how == "full":
            with contextlib.suppress(OSError), open(disk / "fill", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 16))
            with contextlib.suppress(OSError):
                for number in range(100_000):
                    (disk / str(number)).touch()
        else:
            subprocess.run(["/usr/bin/mount", "-o", "remount,ro", str(disk)], check=True)
        done = plant.read()
        assert (done.status, done.states) == (0, {"1": "ok"})
        assert done.values["1"]["ac_power_w"] > 0


@contextlib.contextmanager
def ordinary_user(plant: Plant) -> Iterator[list[str]]:
    """A command prefix that runs pv-read as `nobody` on a copy that `nobody` can read, wherever the checkout is."""
    place = tempfile.mkdtemp(prefix="pv-exec-")
    os.chmod(place, 0o755)
    import serial

    import pv_exec

    shutil.copytree(os.path.dirname(pv_exec.__file__), f"{place}/lib/pv_exec")
    shutil.copytree(os.path.dirname(serial.__file__), f"{place}/lib/serial")
    shutil.copy(plant.config, f"{place}/config.toml")
    python = os.path.realpath(sys.executable)
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    code = f"import sys; sys.path.insert(0, {place + '/lib'!r}); from pv_exec.cli.read import main; main()"
    who = subprocess.run([*drop, "id", "-u"], check=True, capture_output=True, text=True).stdout.strip()
    assert who != "0"
    yield [
        "env",
        "-i",
        f"PV_EXEC_CONFIG={place}/config.toml",
        "PATH=/usr/bin:/bin",
        *drop,
        python,
        "-c",
        code,
    ]
    shutil.rmtree(place)


def read_as(prefix: list[str], *arguments: str) -> Done:
    done = subprocess.run(
        [*prefix, *arguments], check=False, capture_output=True, text=True, cwd="/", timeout=30
    )
    return Done(done.returncode, done.stdout, done.stderr)


@root_only
def test_a_port_without_permission_names_the_group(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]", port=os.path.realpath(plant.port))
    os.chmod(os.path.realpath(plant.port), 0o600)
    with ordinary_user(plant) as prefix:
        done = read_as(prefix)
    assert (done.status, done.states) == (0, {"1": "port_denied"})
    assert "may not be opened by uid 65534" in done.err
    assert "usermod -aG" in done.err


@root_only
def test_an_ordinary_user_without_home_or_writable_directory_reads_all_the_same(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]", port=os.path.realpath(plant.port))
    os.chmod(os.path.realpath(plant.port), 0o666)
    with ordinary_user(plant) as prefix:
        done = read_as(prefix)
    assert (done.status, done.states) == (0, {"1": "ok"})
    assert done.err.startswith("W! roof: no lock: ")


@root_only
def test_a_configuration_that_may_not_be_read(plant):
    plant.configure("inverters = [1]")
    with ordinary_user(plant) as prefix:
        os.chmod(prefix[2].partition("=")[2], 0)
        done = read_as(prefix)
    assert (done.status, done.out) == (77, "")
    assert "cannot be read: Permission denied" in done.err


def test_a_configuration_that_is_not_there(plant):
    done = plant.read("--config", "/nowhere/config.toml")
    assert (done.status, done.out) == (77, "")
    assert done.err.startswith("E! the configuration /nowhere/config.toml cannot be read: No such file")


def test_a_clock_three_hours_back_stamps_three_hours_back_and_changes_nothing_else(plant, part):
    """libfaketime moves the wall clock alone; deadlines, ages and gaps count CLOCK_BOOTTIME."""
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    env = {"LD_PRELOAD": part("libfaketime"), "FAKETIME": "-3h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    now = plant.read()
    then = plant.read(env=env)
    assert then.states == now.states == {"1": "ok"}
    back = now.lines[0]["time"] - then.lines[0]["time"]
    assert 3 * 3600 - 5 <= back / 1e9 <= 3 * 3600
    assert then.lines[0]["fields"]["seq"] == now.lines[0]["fields"]["seq"] + 1


def test_no_child_keeps_anything_open_or_stays(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    assert plant.read().states == {"1": "ok"}
    wait_for(lambda: not readers(plant), "every process of the run has ended")


@root_only
def test_root_leaves_no_file_that_the_directorys_owner_cannot_write(plant):
    """`sudo pv-read` in the directories of another user (uid 65534): everything new in them is that user's."""
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    os.chmod(plant.directory, 0o711)
    for name in ("run", "state"):
        (plant.directory / name).mkdir(mode=0o700)
        os.chown(plant.directory / name, 65534, 65534)
    for parent in plant.directory.parents[:2]:
        os.chmod(parent, 0o711)
    assert plant.read().states == {"1": "ok"}
    wait_for(lambda: not readers(plant), "every process of the run has ended")
    found = [path for name in ("run", "state") for path in (plant.directory / name).rglob("*")]
    assert {path.suffix for path in found} >= {".lock", ".json"}
    assert any("state/kept" in str(path) for path in found)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in found} == {(65534, 65534)}


def test_a_service_managers_socket_is_left_alone(plant):
    """Telegraf's unit accepts notifications from every process: whatever we sent would speak for it."""
    import socket

    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    path = str(plant.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        assert plant.read(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}).states == {"1": "ok"}
        with pytest.raises(BlockingIOError):
            listener.recv(100)
