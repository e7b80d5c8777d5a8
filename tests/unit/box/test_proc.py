import os
import subprocess

from pv_exec.box import proc


def test_a_process_is_described():
    process = proc.Process(4711, "pv-read", "D", 1, "usb_serial_generic_write")
    assert proc.describe(process) == "pid 4711 (pv-read), state D, in usb_serial_generic_write"
    assert proc.describe(process._replace(wchan="", letter="R")) == "pid 4711 (pv-read), state R"


def test_this_process_is_found_with_its_start():
    me = proc.state(os.getpid())
    assert me is not None
    assert me.pid == os.getpid()
    assert me.letter == "R"
    assert proc.state(me.pid, me.start_ticks) is not None


def test_a_pid_that_is_another_process_by_now_is_nobody():
    me = proc.state(os.getpid())
    assert me is not None
    assert proc.state(me.pid, me.start_ticks + 1) is None


def test_a_name_may_hold_brackets_and_spaces(tmp_path):
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(odd), "60"])
    try:
        seen = proc.state(process.pid)  # Popen returns after the exec
        assert seen is not None
        assert seen.name == "a) R 1 (b"
        assert seen.letter in "SRD"
    finally:
        process.kill()
        process.wait()
    assert proc.state(process.pid) is None
