import json
import os
import subprocess
import sys
import time

import pytest

from pv_exec.box import clock

CHILD = """
import time
from pv_exec.box import clock
print(clock.boottime(), clock.process_age(), time.clock_gettime(time.CLOCK_MONOTONIC))
"""


def test_the_age_of_a_process_counts_from_its_fork():
    before = clock.boottime()
    boottime, age, _ = _child([sys.executable, "-c", CHILD])
    assert before - 0.02 <= boottime - age <= clock.boottime()  # the kernel counts in ticks of 10 ms
    assert age > 0


def test_the_age_of_a_process_does_not_know_its_time_namespace():
    unshare = ["unshare", "-T", "--boottime", "864000", "--monotonic", "864000", "--fork"]
    tried = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no time namespace here: {tried.stderr.strip()}")
    started = clock.boottime()
    boottime, age, _ = _child([*unshare, sys.executable, "-c", CHILD])
    assert boottime > started + 864000
    assert 0 < age <= clock.boottime() - started + 0.02


def _child(command):
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return tuple(map(float, output.split()))


def test_the_boot_has_a_name():
    assert len(clock.boot_id()) == 36


def test_without_proc_there_is_no_name_and_no_age(monkeypatch):
    monkeypatch.setattr(clock, "BOOT_ID", "/nowhere/boot_id")
    assert clock.boot_id() == ""


def test_the_setting_overrides_every_sign(monkeypatch, tmp_path):
    monkeypatch.setattr(clock, "TIMESYNC", str(tmp_path))
    assert clock.evidence("always")
    assert not clock.evidence("never")
    assert clock.evidence("auto")


@pytest.mark.parametrize(
    ("hctosys", "off_by", "believed"),
    [("1", 5, True), ("1", -60, True), ("0", 0, False), ("1", -1_700_000_000, False), ("?", 0, False)],
)
def test_an_rtc_is_a_sign_when_it_set_the_clock_and_agrees_with_it(
    monkeypatch, tmp_path, hctosys, off_by, believed
):
    monkeypatch.setattr(clock, "TIMESYNC", str(tmp_path / "none"))
    monkeypatch.setattr(clock, "RTC", str(tmp_path))
    assert not clock.evidence("auto")
    (tmp_path / "rtc0").mkdir()
    (tmp_path / "rtc0" / "hctosys").write_text(f"{hctosys}\n")
    (tmp_path / "rtc0" / "since_epoch").write_text(f"{int(time.time()) + off_by}\n")
    assert clock.evidence("auto") is believed


def test_the_kernel_agrees_with_its_own_word():
    said = clock.kernel_synchronised()
    adjtimex = (
        subprocess.run(["adjtimex", "--print"], capture_output=True, text=True, check=False)
        if _has_adjtimex()
        else None
    )
    if adjtimex and adjtimex.returncode == 0:
        fields = dict(line.split(": ") for line in adjtimex.stdout.splitlines() if ": " in line)
        assert said is (int(fields["maxerror"].strip()) < 16_000_000)
    else:
        assert said in (True, False, None)


def _has_adjtimex():
    return any(os.access(f"{path}/adjtimex", os.X_OK) for path in os.environ["PATH"].split(":"))


def test_trust_is_kept_for_the_boot(monkeypatch, tmp_path):
    directory = str(tmp_path)
    monkeypatch.setattr(clock, "TIMESYNC", str(tmp_path / "synchronized"))
    monkeypatch.setattr(clock, "RTC", str(tmp_path / "none"))
    monkeypatch.setattr(clock, "kernel_synchronised", lambda: False)
    assert not clock.trusted("auto", directory)
    (tmp_path / "synchronized").touch()
    assert clock.trusted("auto", directory)
    (tmp_path / "synchronized").unlink()
    assert clock.trusted("auto", directory)
    assert not clock.trusted("never", directory)


def test_the_kernel_is_asked_last_and_its_word_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(clock, "TIMESYNC", str(tmp_path / "none"))
    monkeypatch.setattr(clock, "RTC", str(tmp_path / "none"))
    answers = iter([True, False])
    monkeypatch.setattr(clock, "kernel_synchronised", lambda: next(answers))
    assert clock.trusted("auto", str(tmp_path))
    assert clock.trusted("auto", str(tmp_path))
    assert next(answers) is False


def test_trust_of_another_boot_or_by_setting_is_not_kept(tmp_path):
    directory = str(tmp_path)
    assert clock.trusted("always", directory)
    assert not clock.latch(directory)
    (tmp_path / "clock.json").write_text(json.dumps({"boot_id": "11111111-2222-3333-4444-555555555555"}))
    assert not clock.latch(directory)


@pytest.mark.parametrize("text", ["", "[]", "\0" * 80, '{"boot_id": 1}'])
def test_a_damaged_latch_is_none(tmp_path, text):
    (tmp_path / "clock.json").write_text(text)
    assert not clock.latch(str(tmp_path))


def test_without_a_boot_id_nothing_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(clock, "BOOT_ID", "/nowhere/boot_id")
    assert not clock.set_latch(str(tmp_path))
    assert not clock.latch(str(tmp_path))


def test_a_latch_that_cannot_be_written_is_no_error(tmp_path):
    assert not clock.set_latch(str(tmp_path / "missing"))
