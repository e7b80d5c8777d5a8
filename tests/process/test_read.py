"""pv-read as a process on a pty: what it prints, how it exits, and that it always ends in time."""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from pv_exec.box import clock, lock, paths, proc, records
from pv_exec.run import memory
from tests.e2e.process import wait_for
from tests.plant import Plant


def position(hours_from_noon: float) -> str:
    """A place on the equator where the sun stands so many hours past noon now (good to the equation of time, 4°)."""
    noon_at = 180.0 - time.time() % 86400 / 240
    longitude = (noon_at + hours_from_noon * 15 + 180) % 360 - 180
    return f"latitude = 0.0\nlongitude = {longitude:.3f}"


DAY, NIGHT = 0, 12


def test_three_families_are_read_and_every_line_parses(plant):
    plant.serve("1:8000xi,2:3x10k,3:390TL")
    done = plant.read()
    assert (done.status, done.err) == (0, "")
    assert done.states == {"1": "ok", "2": "ok", "3": "ok"}
    assert [line["measurement"] for line in done.lines] == ["pv_inverter", "pv_read"] * 3
    assert done.values["1"]["model"] == "8000xi"
    assert done.values["2"]["model"] == "3x10k"
    assert done.values["3"]["status_code"] in (4, 5)
    assert {(line["tags"]["site"], line["tags"]["host"], line["tags"]["bus"]) for line in done.lines} == {
        ("test", "box", "roof")
    }
    assert all(line["time"] % 1_000_000_000 == 0 for line in done.lines)


def test_runs_are_numbered_and_recorded(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    assert [plant.read().lines[0]["fields"]["seq"] for _ in range(3)] == [1, 2, 3]
    assert plant.ended().outcomes["1"]["state"] == "ok"


def test_the_shortest_run_waits_for_its_number(plant):
    """Its worker is done at once, while another run's keeper is still counting."""
    run = str(plant.directory / "run")
    plant.configure(port=f"{plant.directory}/missing")
    assert plant.read().lines[0]["fields"]["seq"] == 1
    before = plant.ended()
    other = lock.take(run, "seq")
    reader = subprocess.Popen(plant.command(), stdout=subprocess.PIPE, text=True)
    wait_for(lambda: records.read(run, "roof") not in (before, None), "the worker has begun")
    other.release()
    assert ",seq=2i " in reader.communicate(timeout=10)[0]


def test_a_total_is_published_once_a_second_reply_agrees(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    first, second = plant.read(), plant.read()
    assert "energy_total_wh" not in first.values["1"]
    assert "no second reply agrees" in first.health["1"]["dropped"]
    assert second.values["1"]["energy_total_wh"] > 0
    assert second.values["1"]["operating_time_h"] > 0


def test_a_second_between_two_requests_also_across_runs(plant):
    simulator = plant.serve("1:8000xi,2:390TL", speed="real")
    plant.configure("inverters = [1, 2]", bus='totals = "never"')
    for _ in range(2):
        assert plant.read().states == {"1": "ok", "2": "ok"}
    simulator.end()
    assert "after the request before it" not in simulator.log()


@pytest.mark.parametrize("form", ["line", "table", "json", "none"])
def test_formats(plant, form):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    done = plant.read("--format", form)
    assert (done.status, done.err) == (0, "")
    if form == "json":
        assert [json.loads(line)["measurement"] for line in done.out.splitlines()] == [
            "pv_inverter",
            "pv_read",
        ]
    elif form == "table":
        assert "8000xi" in done.out
    elif form == "none":
        assert not done.out


def test_only_some_buses_and_inverters(plant):
    plant.serve()
    assert plant.read("--only", "2").states == {"2": "ok"}
    assert list(plant.read("--bus", "roof").states) == ["1", "2", "3"]
    done = plant.read("--only", "9")
    assert (done.status, done.out) == (64, "")
    assert 'no inverter is called "9"; the configuration has: 1, 2, 3' in done.err


def test_a_dead_inverter_by_day_is_silent_and_costs_no_other(plant):
    plant.serve("1:8000xi,2:5000xi,3:390TL", "--fault", "dark=2")
    plant.configure(site=position(DAY))
    done = plant.read()
    assert done.status == 0
    assert done.states == {"1": "ok", "2": "silent", "3": "ok"}
    assert done.err.startswith("W! roof/2: silent: no answer within 1 s")
    assert done.err.count("\n") == 1
    assert plant.read("--strict").status == 69


@pytest.mark.parametrize(
    "site", [position(NIGHT), position(6.2), ""], ids=["night", "twilight", "no position"]
)
def test_dark_inverters_are_asleep_and_no_error_unless_the_sun_is_surely_up(plant, site):
    plant.serve("1:8000xi", "--fault", "night")
    plant.configure("inverters = [1]", site=site)
    done = plant.read("--strict")
    assert (done.status, done.err) == (0, "")
    assert done.states == {"1": "asleep"}
    assert "error" not in done.health["1"]


def test_at_night_one_is_probed_and_one_that_wakes_is_found(plant):
    """The first run asks all (unprobed), the next ones one each, in turn; whoever answers is read in full."""
    plant.serve("1:8000xi,2:5000xi,3:390TL", "--fault", "dark=1", at="2026-06-21T11:00:00Z")
    plant.configure(site=position(NIGHT))
    first = plant.read()
    assert first.states == {"1": "asleep", "2": "ok", "3": "ok"}
    assert first.health["1"]["attempts"] == 1
    assert plant.read().states == {"1": "asleep", "2": "ok", "3": "ok"}


def test_sigterm_prints_what_is_complete(plant):
    plant.serve(speed="real")
    plant.configure(bus='totals = "never"')
    reader = subprocess.Popen(plant.command(), stdout=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: '"pid"' in locked(plant), "the bus is locked")
    time.sleep(1.2)  # the second inverter is being asked: its question goes out a second after the first
    os.killpg(reader.pid, signal.SIGTERM)
    out, _ = reader.communicate(timeout=10)
    assert reader.returncode == 0
    assert 'inverter=1,site=test ok=true,state="ok"' in out
    assert 'inverter=3,site=test ok=false,state="timeout"' in out

    def remembered() -> bool:
        """By the keeper, which the SIGTERM reached as well."""
        return "1" in memory.times(paths.read_kept(str(plant.directory / "run"), "roof"), clock.boot_id())[1]

    wait_for(remembered, "the good answer is remembered")


def locked(plant: Plant) -> str:
    try:
        [name] = [name for name in os.listdir(plant.directory / "run") if name.startswith("tty-")]
        return (plant.directory / "run" / name).read_text()
    except (OSError, ValueError):
        return ""


def test_a_hung_worker_is_told_in_time_and_leaves_the_bus_if_it_can(plant):
    """A FIFO without a reader as trace file hangs the worker in open(), under the lock and before the port."""
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    fifo = plant.directory / "fifo"
    os.mkfifo(fifo)
    started = time.monotonic()
    reader = subprocess.Popen(
        plant.command("--trace", str(fifo), "--deadline", "1s"), stdout=subprocess.PIPE, text=True
    )
    out, _ = reader.communicate(timeout=10)  # EOF: no child holds stdout
    spent = time.monotonic() - started
    assert reader.returncode == 0
    assert 'state="hung"' in out
    assert 'error="the reader of this bus did not end: pid ' in out
    assert spent < 2.0  # the deadline of 1 s, and the start of an interpreter on a busy machine
    assert plant.read().states == {"1": "ok"}


def test_a_hung_worker_that_cannot_be_ended_is_named_by_the_next_run(plant):
    """A stopped process heeds no SIGTERM, as one in state D does not."""
    plant.serve(speed="real")
    reader = subprocess.Popen(plant.command("--deadline", "2s"), stdout=subprocess.PIPE, text=True)
    wait_for(lambda: '"pid"' in locked(plant), "the bus is locked")
    worker = json.loads(locked(plant))["pid"]
    os.kill(worker, signal.SIGSTOP)
    try:
        out, _ = reader.communicate(timeout=10)
        assert out.count('state="hung"') == 3
        done = plant.read("--deadline", "1s")
        assert done.states == dict.fromkeys("123", "locked")
        assert f"by pid {worker} (pv-read), state T" in done.health["1"]["error"]
    finally:
        os.kill(worker, signal.SIGCONT)
    wait_for(lambda: gone(worker), "the SIGTERM that waited for it has ended it")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_parent_that_is_ended_alone_leaves_the_bus_to_the_next_run(plant, number):
    """Nobody told its children: they notice that nobody reads what they say."""
    plant.serve()
    plant.configure(bus='gap = "1s"\ntotals = "never"')
    reader = subprocess.Popen(plant.command(), stdout=subprocess.PIPE, text=True)
    wait_for(lambda: '"pid"' in locked(plant), "the bus is locked")
    worker = json.loads(locked(plant))["pid"]
    reader.send_signal(number)
    reader.communicate(timeout=10)
    # Told at once; else it finds out at its second inverter, a second later, and does not ask the third.
    within = 0.5 if number == signal.SIGTERM else 1.7
    wait_for(lambda: gone(worker), "the worker has ended", within=within)
    assert plant.read("--only", "1").states == {"1": "ok"}


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_is_killed_costs_its_bus_alone(plant, killed):
    plant.serve(speed="real")
    ignoring = [
        "env",
        "--ignore-signal=CHLD",
    ]  # as some parents leave it: nobody would learn how a child ended
    reader = subprocess.Popen([*ignoring, *plant.command()], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: '"pid"' in locked(plant), "the bus is locked")
    os.kill(json.loads(locked(plant))["pid"], killed)
    out, _ = reader.communicate(timeout=10)
    assert reader.returncode == 0
    assert out.count(f'error="the reader of this bus was ended by signal {killed:d}"') == 3


def test_a_stdout_that_takes_nothing_ends_a_second_after_the_deadline_whatever_the_parent_left_ignored(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    reading, writing = full_pipe()
    for leaving in ([], ["env", "--ignore-signal=ALRM"], ["env", "--block-signal=ALRM"]):
        command = [*leaving, *plant.command("--deadline", "1s")]
        assert subprocess.run(command, stdout=writing, timeout=10, check=False).returncode == -signal.SIGALRM
    os.close(reading)
    os.close(writing)


def test_a_stderr_that_takes_nothing_costs_no_line(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]", more="nonsense = 1")
    reading, writing = full_pipe()
    command = plant.command("--deadline", "1s")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writing, timeout=10, check=False)
    os.close(reading)
    os.close(writing)
    assert done.returncode == 0
    assert b'state="ok"' in done.stdout


def gone(pid: int) -> bool:
    """Whether a process has ended; its new parent may take its time to notice."""
    found = proc.state(pid)
    return found is None or found.letter == "Z"


def full_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(1 << 12))
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def test_a_deadline_counts_from_the_start_of_the_process(plant):
    """A second that the interpreter took to start is a second less for the bus: the second question is not put any more."""
    plant.serve()
    plant.configure(bus='gap = "1s"\ntotals = "never"')
    code = "import time; time.sleep(1); from pv_exec.cli.read import main; main()"
    command = [sys.executable, "-c", code, "--config", plant.config, "--deadline", "2s"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert re.findall(r'state="(\w+)"', done.stdout) == ["ok", "timeout", "timeout"]


def test_a_bus_that_is_read_to_the_end_of_its_time_is_not_hung(plant):
    plant.serve("1:8000xi", "--fault", "night")
    plant.configure("inverters = [1]", bus='reply_timeout = "9s"')
    assert plant.read("--deadline", "1s").states == {"1": "timeout"}


def test_a_faulty_bus_costs_no_other(plant):
    plant.serve("1:8000xi")
    other = f'[[bus]]\nname = "barn"\ndriver = "kacco"\nport = "{plant.port}2"\ninverters = [7]'
    plant.configure("inverters = [1]", more=other)
    done = plant.read()
    assert (done.status, done.states) == (0, {"1": "ok", "7": "config"})
    assert 'did you mean "kaco"' in done.health["7"]["error"]


def test_what_cannot_be_started_costs_its_own_part(plant):
    """Files enough for the program and none for its pipes: every inverter still has its line."""
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    states = []
    for files in range(6, 16):
        command = ["prlimit", f"--nofile={files}", *plant.command()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        assert done.returncode == 0
        states += re.findall(r'state="(\w+)"', done.stdout)
    assert len(states) == 10
    assert (states[0], states[-1]) == ("error", "ok")


def test_a_module_that_is_not_installed_is_named_with_its_package(plant):
    plant.configure("inverters = [1]")
    code = "import sys; sys.modules['serial'] = None; from pv_exec.cli.read import main; main()"
    command = [sys.executable, "-c", code, "--config", plant.config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0
    assert 'state="error"' in done.stdout
    assert "the Python module serial is not installed; sudo apt install python3-serial" in done.stderr


def test_two_buses_that_write_one_trace_at_the_same_time(plant):
    from pv_exec import trace

    plant.serve("1:8000xi", speed="real")
    other = f'[[bus]]\nname = "barn"\ndriver = "kaco"\nport = "{plant.port}2"\ninverters = [1]'
    plant.configure("inverters = [1]", more=other)
    with served_besides(plant, f"{plant.port}2"):
        file = plant.directory / "trace.jsonl"
        assert [line["fields"]["state"] for line in plant.read("--trace", str(file)).lines[1::2]] == [
            "ok"
        ] * 2
    runs = {run.about["bus"]: run for run in trace.load(file.read_text().splitlines())}
    assert set(runs) == {"roof", "barn"}
    for run in runs.values():
        assert [entry.data for entry in run.passed if entry.sent] == [b"#010\r", b"#013\r"]


@contextlib.contextmanager
def served_besides(plant, port):
    from tests.e2e.process import Process
    from tests.plant import NOON, script

    command = [script("pv-sim"), "serve", "kaco", "--pty", port, "--inverters", "1:8000xi", "--at", NOON]
    simulator = Process(command, str(plant.directory / "sim2.log"))
    simulator.wait_log(port)
    yield
    simulator.end()


def test_a_second_reader_finds_the_bus_locked_and_leaves_no_record(plant):
    plant.serve(speed="real")
    plant.configure(bus='totals = "never"')
    first = subprocess.Popen(plant.command(), stdout=subprocess.PIPE, text=True)
    wait_for(lambda: '"pid"' in locked(plant), "the bus is locked")
    before = records.read(str(plant.directory / "run"), "roof")
    second = plant.read()
    assert second.status == 0
    assert set(second.states.values()) == {"locked"}
    assert "held for 0 s by pid" in second.health["1"]["error"]
    assert records.read(str(plant.directory / "run"), "roof") == before
    out, _ = first.communicate(timeout=20)
    assert out.count('state="ok"') == 3


def test_another_program_that_holds_the_port(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    fd = os.open(plant.port, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    done = plant.read()
    os.close(fd)
    assert done.states == {"1": "locked"}
    assert "held by another program" in done.err
    assert plant.read().states == {"1": "ok"}


@pytest.mark.parametrize("ending", ["head", "closed"])
def test_a_stdout_that_nobody_reads_is_no_failure(plant, ending):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    command = " ".join(plant.command())
    tail = "| true; exit ${PIPESTATUS[0]}" if ending == "head" else ">&-"
    done = subprocess.run(["bash", "-c", f"{command} {tail}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_all_standard_files_closed(plant):
    """The port must not become fd 0, 1 or 2."""
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    command = " ".join(plant.command("--format", "none"))
    done = subprocess.run(["bash", "-c", f"{command} 0<&- >&- 2>&-"], check=False)
    assert done.returncode == 0
    assert plant.ended().outcomes["1"]["state"] == "ok"


@pytest.mark.parametrize(
    ("port", "state", "words"),
    [
        ("missing", "port_missing", "is not there"),
        ("", "port_missing", "is no serial port but a directory"),
        ("config.toml", "port_missing", "is no serial port but a file"),
        ("nothing*", "port_missing", "fits no device"),
        ("tty*", "config", "fits 2 devices"),
    ],
)
def test_ports_that_cannot_be_opened(plant, port, state, words):
    plant.serve("1:8000xi")
    if port == "tty*":
        os.symlink("/dev/null", plant.directory / "tty2")
    plant.configure("inverters = [1]", port=f"{plant.directory}/{port}")
    done = plant.read()
    assert done.status == 0
    assert done.states == {"1": state}
    assert words in done.health["1"]["error"]
    assert done.err.startswith(f"E! roof/1: {state}: ")


def test_a_glob_takes_the_one_device_that_fits(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]", port=f"{plant.directory}/tt?")
    assert plant.read().states == {"1": "ok"}


def test_of_several_devices_a_glob_takes_the_one_that_answered_last(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]", port=f"{plant.directory}/tty*")
    assert plant.read().states == {"1": "ok"}
    plant.ended()
    os.symlink("/dev/null", plant.directory / "tty2")
    assert plant.read().states == {"1": "ok"}


def test_a_glob_takes_no_port_that_another_bus_names(plant):
    plant.serve("1:8000xi")
    os.symlink("/dev/null", plant.directory / "tty2")
    other = f'[[bus]]\nname = "barn"\ndriver = "kaco"\nport = "{plant.directory}/tty2"\ninverters = [1]'
    plant.configure("inverters = [1]", port=f"{plant.directory}/tty*", more=other)
    assert plant.read("--bus", "roof").states == {"1": "ok"}


@pytest.mark.parametrize(
    ("port", "words"), [("tcp://127.0.0.1:1", "cannot be reached"), ("tcp://127.0.0.1:x", "")]
)
def test_bridges_that_are_not_there(plant, port, words):
    plant.configure("inverters = [1]", port=port)
    done = plant.read()
    if words:
        assert done.states == {"1": "port_missing"}
        assert words in done.health["1"]["error"]
    else:
        assert (done.status, done.out) == (78, "")
        assert "tcp://host:port, with a port from 1 to 65535" in done.err


def test_a_bridge_reads_like_a_port(plant):
    from tests.e2e.process import Process, free_port
    from tests.plant import NOON, script

    port = free_port()
    command = [script("pv-sim"), "serve", "kaco", "--tcp", f"127.0.0.1:{port}", "--inverters", "1:8000xi"]
    plant.simulator = Process([*command, "--at", NOON, "--speed", "fast"], str(plant.directory / "sim.log"))
    plant.simulator.wait_log(str(port))
    plant.configure("inverters = [1]", port=f"tcp://127.0.0.1:{port}")
    assert plant.read().states == {"1": "ok"}


def test_a_port_that_hangs_up_in_the_middle(plant):
    plant.serve("1:8000xi,2:390TL", "--fault", "hang-up=20")
    plant.configure("inverters = [1, 2]")
    done = plant.read()
    assert done.status == 0
    assert set(done.states.values()) == {"port_missing"}


def test_lines_of_an_untrusted_clock_are_marked_with_the_boot(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]", clock='trust = "never"')
    done = plant.read()
    assert [line["measurement"] for line in done.lines] == ["pv_inverter_unsynced", "pv_read_unsynced"]
    with open("/proc/sys/kernel/random/boot_id") as file:
        assert {line["tags"]["boot"] for line in done.lines} == {file.read()[:8]}
    assert done.health["1"]["clock_trusted"] is False


def test_a_trace_replays_to_the_same_values(plant):
    from pv_exec import trace

    plant.serve("1:8000xi", speed="real")
    plant.configure("inverters = [1]")
    file = plant.directory / "trace.jsonl"
    done = plant.read("--trace", str(file))
    assert done.states == {"1": "ok"}
    [run] = trace.load(file.read_text().splitlines())
    assert run.about["driver"] == "kaco"
    assert [entry.data for entry in run.passed if entry.sent] == [b"#010\r", b"#013\r"]
    assert b"8000xi" in b"".join(entry.data for entry in run.passed)


def test_usage_errors(plant):
    done = plant.read("--format", "xml")
    assert (done.status, done.out) == (64, "")
    assert "invalid choice: 'xml'" in done.err
    done = plant.read("--deadline", "4")
    assert done.status == 64
    assert "is no duration such as" in done.err


def test_a_trace_file_that_cannot_be_opened_costs_no_reading(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    done = plant.read("--trace", str(plant.directory))
    assert done.states == {"1": "ok"}
    assert "W! roof: the trace file" in done.err
    assert "cannot be written: Is a directory" in done.err


def test_a_bug_of_ours_ends_with_70_and_one_line(plant):
    """Whatever the cause: no traceback, and the status for a bug."""
    code = "from pv_exec.cli import read; read.config.load = lambda _: open('x', 'q'); read.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr == "E! a bug of pv-read: ValueError: invalid mode: 'q'\n"


def test_a_configuration_that_no_person_writes(plant):
    with open(plant.config, "w") as file:
        file.write("a = " + "[" * 3000)
    done = plant.read()
    assert (done.status, done.out) == (78, "")
    assert "is nested too deeply to be read" in done.err
