"""pv-setup learn as a person runs it, on a pty of pv-sim: what is kept, what can be pasted, what stops it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pv_exec.box import lock, paths
from pv_exec.links import lock_key
from tests.captures.sma_rs485.frames import wr20_list
from tests.process.simulated import NOON, Served, environment, serving

ONE, TWO = 2000123456, 2000234567
SMALL = f"{ONE}:A:list=minimal:pause=0.1,{TWO}:B:list=english:pause=0.4"
"""Two that answer soon, with lists of one and of a few packets."""

# As the command itself, also where the family is not in the registry yet.
# The simulated ones are told to answer within 0.4 s, so nobody waits five seconds for them.
MAIN = (
    "import sys; from pv_exec import drivers; from pv_exec.drivers.sma_rs485 import learn; "
    "drivers.DRIVERS.setdefault('sma_rs485', 'pv_exec.drivers.sma_rs485.driver'); "
    "learn.SILENCE = learn.LIST_WITHIN = 0.8; "
    "from pv_exec.cli.{} import main; sys.exit(main())"
)


class Done(NamedTuple):
    status: int
    out: str
    err: str


class Place:
    """A directory with a configuration, and the port of a simulated bus."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = str(directory / "tty")
        self.config = directory / "config.toml"
        self.configure()

    def configure(self, more: str = "", *, port: str = "", head: str = "") -> None:
        self.config.write_text(
            f'{head}[clock]\ntrust = "always"\n[paths]\nstate = "state"\nruntime = "run"\n[[bus]]\nname = "roof"\n'
            f'driver = "sma_rs485"\nport = "{port or self.port}"\nsync_wait = "30ms"\n{more}\n'
        )

    def start(self, *arguments: str, command: str = "setup") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", MAIN.format(command), *arguments, "-c", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            cwd=self.directory,
        )

    def run(self, *arguments: str, command: str = "setup") -> Done:
        process = self.start(*arguments, command=command)
        out, err = process.communicate(timeout=50)
        return Done(process.returncode, out, err)

    def learn(self, *arguments: str) -> Done:
        return self.run("learn", "roof", *arguments)

    def kept(self, where: str = "state") -> dict[str, bytes]:
        return paths.read_kept(str(self.directory / where), "roof")

    def serve(self, inverters: str = SMALL, *arguments: str, speed: str = "fast"):
        line = ["--inverters", inverters, "--at", NOON, "--speed", speed]
        return serving("--pty", self.port, *line, *arguments, driver="sma_rs485")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def bus(place: Place) -> Iterator[Served]:
    with place.serve() as served:
        yield served


def tables(text: str) -> list[int]:
    return [one["serial"] for one in tomllib.loads(text).get("bus", {}).get("inverter", [])]


def test_the_day_of_installation(place, bus):
    done = place.learn("--count", "2")
    assert done.status == 0, done.err
    assert done.out == (
        '# Into the [[bus]] table with name = "roof":\n\n# A at address 1\n[[bus.inverter]]\nserial = 2000123456\n\n'
        "# B at address 2\n[[bus.inverter]]\nserial = 2000234567\n"
    )
    for where in ("state", "run"):
        assert json.loads(place.kept(where)["units"]).keys() == {str(ONE), str(TWO)}
        assert sum(name.startswith("list-") for name in place.kept(where)) == 2
    assert not [name for name in place.kept() if name.startswith(("partial", "learning"))]
    assert "1 of 1, channel list of A" in done.err  # no terminal: plain lines
    assert "\r" not in done.err
    # What was printed is pasted, and the bus is read.
    place.configure(done.out)
    assert place.run("check").status == 0
    read = place.run("--format", "json", command="read")
    fields = [json.loads(line)["fields"] for line in read.out.splitlines()]
    assert [one["state"] for one in fields if "state" in one] == ["ok", "ok"], read.err


def test_what_the_configuration_has_is_marked(place, bus):
    place.configure(f'[[bus.inverter]]\nname = "east"\nserial = {ONE}')
    done = place.learn("--count", "2")
    assert done.status == 0
    assert tables(done.out) == [TWO]
    assert (
        "# A at address 1, in the configuration already (as east)\n# [[bus.inverter]]\n# serial = 2000123456\n"
        in done.out
    )


def test_one_that_is_not_found_is_named(place, bus):
    place.configure(f"inverters = [{ONE}, 2000999999]")
    done = place.learn()
    assert done.status == 69
    assert "pv-setup: 2000999999: not found\n" in done.err
    assert "which lists its inverters as `inverters = […]`" in done.out  # and TWO, whom nobody listed
    assert tables(done.out) == [TWO]


def test_one_without_a_list_is_named(place):
    with place.serve(SMALL, "--fault", "no-cinfo", "--fault", f"only={TWO}"):
        place.configure(f"inverters = [{ONE}, {TWO}]")
        done = place.learn()
    assert done.status == 69
    assert f"{TWO} answers and is not learned: silent: no answer within" in done.err
    assert str(ONE) in json.loads(place.kept()["units"])


def test_another_speed_is_found_and_told(place):
    with place.serve(SMALL, "--baudrate", "19200"):
        done = place.learn("--count", "2")
    assert done.status == 0, done.err
    assert "asking on" in done.err
    assert "at 1200 baud" in done.err
    assert "roof answers with other settings; into its [[bus]] table: baudrate = 19200\n" in done.err


def test_another_framing_is_found_and_told(place):
    with place.serve(f"{ONE}:A:list=minimal:framing=sunnynet:pause=0.1"):
        done = place.learn("--count", "1")
    assert done.status == 0, done.err
    assert 'the inverters of roof want this in its [[bus]] table: framing = "sunnynet"\n' in done.err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_was_stopped_goes_on_where_it_was(place, number):
    spec = f"{ONE}:WR20-004:pause=0.1"
    with place.serve(spec, "--baudrate", "38400", speed="real"):
        place.configure("baudrate = 38400")
        process = place.start("learn", "roof", "--count", "1")
        got = 0
        for _ in range(400):
            partial = place.kept("run").get(f"partial-{ONE}", b"")
            got = len(bytes.fromhex(json.loads(partial)["data"])) // 255 if partial else 0
            if got >= 3:
                break
            time.sleep(0.02)
        assert got >= 3
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
        assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
        assert (
            number == signal.SIGKILL
            or "stopped; what was learned is kept: pv-setup learn roof goes on" in err
        )
        done = place.learn("--count", "1")
    assert done.status == 0, done.err
    goes_on = next(line for line in done.err.splitlines() if "goes on at packet" in line)
    assert int(goes_on.split("packet ")[1].split()[0]) > got
    (name,) = (name for name in place.kept() if name.startswith("list-"))
    assert place.kept()[name] == b"\x0a" + wr20_list()


def test_a_bar_on_a_terminal(place, bus):
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            MAIN.format("setup"),
            "learn",
            "roof",
            "--count",
            "2",
            "-c",
            str(place.config),
        ],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(),
    )
    out, _ = process.communicate(timeout=30)
    os.close(theirs)
    err = os.read(ours, 65536).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "\r[####################] 1/1 channel list of A" in err
    assert tables(out.decode()) == [ONE, TWO]  # nothing of it on stdout


def test_a_bus_that_is_held_is_told_with_its_holder(place, bus):
    place.learn("--count", "2")
    held = lock.take(str(place.directory / "run"), lock_key(place.port))
    try:
        done = place.learn("--count", "2")
    finally:
        held.release()
    assert (done.status, done.out) == (69, "")
    assert f"pv-setup: locked: held for 0 s by pid {os.getpid()}" in done.err


def test_a_port_that_is_not_there(place):
    done = place.learn()
    assert (done.status, done.out) == (69, "")
    assert "pv-setup: port_missing: " in done.err


def test_nobody_answers(place):
    with place.serve(SMALL, "--fault", "night"):
        place.configure(port=f"{place.port}")
        process = place.start("learn", "roof")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, "")
    assert [name for name in place.kept() if name != "units"] == []


def test_a_bridge_has_its_own_speed(place):
    line = ["--inverters", SMALL, "--at", NOON, "--speed", "fast", "--fault", "night"]
    with serving("--tcp", "127.0.0.1:0", *line, driver="sma_rs485") as served:
        place.configure(port=served.address)
        done = place.learn("--count", "1")
    assert (done.status, done.out) == (69, "")
    assert done.err.count("asking on") == 1
    assert "pv-setup: 0 of 1 answered\n" in done.err
    assert "inverters sleep without sun" in done.err


# --- without a bus -----------------------------------------------------------------------------------------------------


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """YASDI's directory."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "WR20-004.bin").write_bytes(b"\x0a" + wr20_list())
    return tmp_path / "devices"


def test_an_imported_list_saves_the_download(place, devices):
    with place.serve(f"{ONE}:WR20-004:pause=0.1", "--fault", "no-cinfo"):
        done = place.learn("--count", "1", "--import", str(devices / "WR20-004.bin"))
    assert done.status == 0, done.err
    assert f"{devices}/WR20-004.bin is taken over: 114 channels of WR20-004\n" in done.err
    assert "begins" not in done.err
    # Everything is known now: another import touches no bus, which is gone.
    place.configure(f"inverters = [{ONE}]")
    again = place.learn("--import", str(devices / "WR20-004.bin"))
    assert (again.status, again.out) == (0, "")
    assert "every inverter of roof is learned already; nothing was asked" in again.err


def test_an_import_is_kept_although_the_bus_is_not_there(place, devices):
    done = place.learn("--import", str(devices / "WR20-004.bin"))
    assert done.status == 69
    (name,) = place.kept()
    assert place.kept()[name] == b"\x0a" + wr20_list()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("WR20-004.txt", b"\x0a" + wr20_list(), "the name says no type of inverter"),
        ("WR20-004-copy.bin", b"\x0a" + wr20_list(), "the name says no type of inverter"),
        (
            "WR20-004.bin",
            b"\x03" + wr20_list(),
            "not a channel list as YASDI keeps it: it does not begin with 0A",
        ),
        ("WR20-004.bin", b"\x0a" + wr20_list()[:-1], "the channel list ends inside its entry 114"),
        ("WR20-004.bin", b"\x0a", "an empty channel list"),
        ("WR20-004.bin", b"", "it does not begin with 0A"),
        ("WR20-004.bin", bytes(2_000_000), "is larger than any file of YASDI"),
        ("none.bin", None, "cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_file_is_told_and_nothing_is_touched(place, devices, name, content, says):
    (devices / "WR20-004.bin").unlink()
    if content is not None:
        (devices / name).write_bytes(content)
    done = place.learn("--import", str(devices / name))
    assert (done.status, done.out) == (64, "")
    assert says in done.err
    assert len(done.err.splitlines()) == 1
    assert place.kept() == {}


def test_a_state_directory_that_cannot_be_written_is_told_first(place):
    (place.directory / "state").write_text("a file")
    done = place.learn()
    assert (done.status, done.out) == (77, "")
    assert done.err == (
        f"pv-setup: what is learned cannot be kept: {place.directory}/state is no directory; "
        "see [paths] of the configuration\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody to step down to")
def test_root_leaves_only_files_of_the_directories_owner():
    with tempfile.TemporaryDirectory(prefix="pv-exec-") as made:  # pytest's own are shut to others
        Path(made).chmod(0o755)
        place = Place(Path(made))
        for name in ("state", "run"):
            (place.directory / name).mkdir()
            os.chown(place.directory / name, 65534, 65534)
        with place.serve():
            assert place.learn("--count", "2").status == 0
        left = [path for name in ("state", "run") for path in (place.directory / name).rglob("*")]
        assert len(left) > 6
        assert {path.stat().st_uid for path in left} == {65534}


def test_a_family_that_needs_no_learning(place):
    place.config.write_text(
        place.config.read_text().replace("sma_rs485", "kaco").replace('sync_wait = "30ms"', "")
    )
    done = place.learn()
    assert (done.status, done.out) == (64, "")
    assert (
        "need not be learned: its driver kaco keeps nothing of them; learned are those of: sma_rs485"
        in done.err
    )


def test_other_faults_of_the_bus_stop_it(place):
    place.configure('framing = "sunnyney"')
    done = place.learn()
    assert (done.status, done.out) == (78, "")
    assert f"{place.config}:11: framing: found" in done.err
    assert place.run("learn", "barn").status == 64


def test_a_yasdi_ini_is_translated_without_a_configuration(place):
    place.config.unlink()
    (place.directory / "yasdi.ini").write_text(
        "[DriverModules]\nDriver0=libyasdi_drv_serial.so\n[COM1]\nDevice=/dev/ttyS0\nMedia=RS485\nBaudrate=1200\n"
        "Protocol=SMANet\n[Master]\nWaitAfterSyncOnline=2\n"
    )
    done = place.run("learn", "roof", "--yasdi", "yasdi.ini")
    assert (done.status, done.err) == (0, "")
    assert tomllib.loads(done.out) == {
        "bus": [
            {
                "name": "roof",
                "driver": "sma_rs485",
                "port": "/dev/ttyS0",
                "baudrate": 1200,
                "framing": "smanet",
                "sync_wait": "2s",
            }
        ]
    }
    assert place.run("learn", "roof", "--yasdi", "none.ini").status == 64
    assert place.run("learn", "roof", "--yasdi", "yasdi.ini", "--count", "2").status == 64
    assert sorted(os.listdir(place.directory)) == ["yasdi.ini"]


@pytest.mark.parametrize(
    "arguments", [[], ["roof", "--count", "0"], ["roof", "--count", "two"], ["roof", "--import"]]
)
def test_a_command_line_that_says_nothing_is_usage(place, arguments):
    assert place.run("learn", *arguments).status == 64
