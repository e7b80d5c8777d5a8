"""pv-sim serve on a real pty and a real socket, read by plain clients."""

import fcntl
import os
import pathlib
import select
import signal
import socket
import subprocess
import termios
import time

import pytest
import serial

from tests.process.simulated import COMMAND, NOON, ask, environment, read, serving

XI = 66


@pytest.fixture
def port(tmp_path):
    return str(tmp_path / "tty")


def test_a_pty_is_read_like_a_serial_port_again_and_again(port):
    with serving("--pty", port, "--at", NOON, "--speed", "fast") as sim:
        assert sim.address == port
        frames = []
        for _ in range(5):
            with serial.Serial(port, 9600, exclusive=True) as opened:
                frames.append(ask(opened, b"#010\r", XI))
        assert [len(frame) for frame in frames] == [XI] * 5
        assert len(set(frames)) == 1
    assert sim.status == 0
    assert sim.notes == ""
    assert not os.path.lexists(port)


def test_a_reader_that_kept_others_out_is_gone_when_it_is_gone(port):
    with serving("--pty", port, "--at", NOON, "--speed", "fast"):
        for _ in range(3):
            with opening_until_it_is_free(port) as opened:
                fcntl.ioctl(opened.fileno(), termios.TIOCEXCL)
                assert len(ask(opened, b"#010\r", XI)) == XI


def test_every_byte_passes_a_port_that_nobody_set_up(port):
    """All of 00…FF as checksum: neither echo, nor CR to LF, nor XON reach the line."""
    for wanted in ("0A", "0D", "11", "13", "FF", "00"):
        with serving("--pty", port, "--at", NOON, "--speed", "fast", "--fault", f"checksum={wanted}"):
            fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
            os.write(fd, b"#010\r")
            frame = read(fd, XI)
            os.close(fd)
            assert len(frame) == XI
            assert frame[57] == sum(frame[1:57]) % 256 == int(wanted, 16)


def test_bytes_take_their_time(port):
    with (
        serving("--pty", port, "--at", NOON, "--inverters", "1:8000xi:delay=0.1") as sim,
        serial.Serial(port) as opened,
    ):
        started = time.monotonic()
        opened.write(b"#010\r")
        first = read(opened.fileno(), 1)
        began = time.monotonic() - started
        rest = read(opened.fileno(), XI - len(first))
        took = time.monotonic() - started
        assert len(first) <= 16
        assert len(first + rest) == XI
        assert began >= 0.105  # the request's own 5.2 ms, the delay
        assert took >= 0.105 + XI * 10 / 9600 - 0.001
    assert sim.notes == ""


def test_what_a_dead_reader_left_is_not_told_to_the_next(port):
    with serving("--pty", port, "--at", NOON, "--inverters", "1:8000xi:delay=0.2"):
        with serial.Serial(port) as opened:
            opened.write(b"#010\r")
            assert select.select([opened.fileno()], [], [], 3.0)[0]  # it has begun, and is never read
        time.sleep(0.3)  # the rest of the frame goes nowhere
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        assert select.select([fd], [], [], 0.1)[0] == []
        os.close(fd)


def test_requests_too_early_and_forbidden_are_told_at_the_end(port):
    with serving("--pty", port, "--at", NOON) as sim:
        with serial.Serial(port) as opened:
            assert len(ask(opened, b"#010\r", XI)) == XI
            assert ask(opened, b"#01b018\r", 1, seconds=0.05) == b""
        sim.stop(signal.SIGINT)
    assert sim.status == 0
    early, forbidden = sim.notes.splitlines()
    assert "#01b018" in early
    assert "after the request before it" in early
    assert "nothing a reader may send" in forbidden


def test_a_hang_up_takes_the_port_away_and_brings_it_back(port):
    with serving(
        "--pty", port, "--at", NOON, "--speed", "fast", "--fault", "hang-up=20", "--fault", "first=1"
    ):
        opened = serial.Serial(port)
        opened.write(b"#010\r")
        try:
            assert len(read(opened.fileno(), XI)) <= 20
        except OSError:
            pass  # EIO, where select() wakes for the hang-up before the last bytes
        opened.close()
        ends = time.monotonic() + 10
        gone = 0
        while not os.path.exists(port) and time.monotonic() < ends:
            gone += 1
            time.sleep(0.02)
        assert gone > 10
        with serial.Serial(port) as back:
            assert len(ask(back, b"#010\r", XI)) == XI


def test_babble_does_not_pile_up_before_a_reader_comes(port):
    with serving("--pty", port, "--at", NOON, "--fault", "babble"):
        with serial.Serial(port) as opened:
            assert len(ask(opened, b"#010\r", 50)) >= 50
        time.sleep(0.3)
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        ready = select.select([fd], [], [], 1.0)[0]
        assert ready
        assert len(os.read(fd, 4096)) < 100  # 0.3 s would be 288
        os.close(fd)


def test_tcp_serves_one_after_the_other_and_hangs_up_on_a_second():
    with serving("--tcp", "127.0.0.1:0", "--at", NOON, "--speed", "fast") as sim:
        scheme, _, place = sim.address.partition("://")
        assert scheme == "tcp"
        where = ("127.0.0.1", int(place.rpartition(":")[2]))
        for _ in range(3):
            with socket.create_connection(where, timeout=5) as first:
                first.sendall(b"#010\r")
                assert len(read(first.fileno(), XI)) == XI
                with socket.create_connection(where, timeout=5) as second:
                    assert second.recv(10) == b""
                first.sendall(b"#030\r")
                assert read(first.fileno(), 149).startswith(b"\n*03n 23 390TL ")
    assert sim.status == 0


def test_a_bridge_that_hangs_up_can_be_called_again():
    with serving(
        "--tcp", "127.0.0.1:0", "--at", NOON, "--speed", "fast", "--fault", "hang-up", "--fault", "first=1"
    ) as sim:
        where = ("127.0.0.1", int(sim.address.rpartition(":")[2]))
        with socket.create_connection(where, timeout=5) as first:
            first.sendall(b"#010\r")
            assert len(read(first.fileno(), XI)) == 20
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where, timeout=5)
        with calling_until_it_answers(where) as back:
            back.sendall(b"#010\r")
            assert len(read(back.fileno(), XI)) == XI


def opening_until_it_is_free(port):
    ends = time.monotonic() + 5
    while time.monotonic() < ends:
        try:
            return serial.Serial(port, exclusive=True)
        except serial.SerialException:
            time.sleep(0.01)
    raise AssertionError("the port did not become free")


def calling_until_it_answers(where):
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            return socket.create_connection(where, timeout=5)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("the bridge did not come back")


def run(*arguments):
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(), capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "kaco"], "--pty"),
        (["serve", "abacus", "--tcp", "127.0.0.1:0"], "abacus"),
        (["serve", "kaco", "--tcp", "nowhere"], "HOST:PORT"),
        (["serve", "kaco", "--tcp", "127.0.0.1:0", "--fault", "rain"], "'rain'"),
        (["serve", "kaco", "--tcp", "127.0.0.1:0", "--fault", "truncate=x"], "whole number"),
        (["serve", "kaco", "--tcp", "127.0.0.1:0", "--inverters", "99:8000xi"], "99:8000xi"),
        (["serve", "kaco", "--tcp", "127.0.0.1:0", "--at", "noon"], "noon"),
        (["serve", "kaco", "--rfcomm"], "Bluetooth"),
        (["serve", "kaco", "--tcp", "127.0.0.1:0", "--", "true"], "demo"),
    ],
)
def test_a_wrong_command_line_is_64_and_says_what_is_wrong(arguments, says):
    done = run(*arguments)
    assert done.returncode == 64
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_file_in_the_way_is_left_alone(port):
    pathlib.Path(port).write_text("mine", encoding="utf-8")
    done = run("serve", "kaco", "--pty", port)
    assert done.returncode == 64
    assert pathlib.Path(port).read_text(encoding="utf-8") == "mine"


def test_a_symlink_of_an_earlier_run_is_replaced(port):
    os.symlink("/dev/pts/99999", port)
    with serving("--pty", port, "--at", NOON, "--speed", "fast"), serial.Serial(port) as opened:
        assert len(ask(opened, b"#010\r", XI)) == XI


def test_a_directory_that_is_not_there_is_told():
    done = run("serve", "kaco", "--pty", "/nonexistent/tty")
    assert done.returncode != 0
    assert "/nonexistent/tty" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_fault():
    from pv_exec.sim.plant import faults

    said = run("serve", "kaco", "--help").stdout
    assert all(f"  {name} " in said for name in faults("kaco"))
