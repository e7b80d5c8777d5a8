"""Time that nobody can set (CLOCK_BOOTTIME with the boot id), and whether the wall clock is to be believed.

Source of the facts on synchronisation and on boxes without a real-time clock: facts WATCHDOG §3.
"""

import json
import os
import time

BOOT_ID = "/proc/sys/kernel/random/boot_id"
TIMESYNC = "/run/systemd/timesync/synchronized"
RTC = "/sys/class/rtc"
RTC_AGREES_S = 600.0
"""A clock set from the RTC and left alone since has drifted 50 s in a month (20 ppm); a flat battery is years away."""
SYNCHRONISED_BELOW_US = 16_000_000
"""systemd-timedated's measure of NTPSynchronized: maxerror below 16 s, not the flag STA_UNSYNC."""


def boottime() -> float:
    """Seconds since this machine was started, suspend included; setting the clock does not touch it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The kernel's name of this boot; "" without /proc, where one boot cannot be told from another."""
    try:
        with open(BOOT_ID, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def process_age() -> float:
    """Seconds since this process was forked (before its exec: what an interpreter's start took is in it); 0.0 without /proc.

    Field 22 of /proc/self/stat counts clock ticks (10 ms) of CLOCK_BOOTTIME, shifted in a time namespace as boottime() is.
    The name in field 2 may hold spaces and brackets, so the fields are counted from its last bracket.
    """
    try:
        with open("/proc/self/stat", "rb") as file:
            started = int(file.read().rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(0.0, boottime() - started)


def evidence(setting: str) -> bool:
    """Whether the wall clock is right as far as two cheap looks tell; `setting` is `[clock] trust`: auto, always, never.

    auto: systemd-timesyncd has synchronised in this boot, or an RTC set the clock at boot and still agrees with it. The
    second look is for boards whose RTC has no battery (Raspberry Pi 5): hctosys is 1 there too, but the RTC began in 1970
    and systemd has moved the clock on since.
    """
    if setting != "auto":
        return setting == "always"
    return os.path.exists(TIMESYNC) or _rtc_agrees()


def _rtc_agrees() -> bool:
    try:
        clocks = os.listdir(RTC)
    except OSError:
        return False
    for name in clocks:
        if _number(f"{RTC}/{name}/hctosys") == 1:
            said = _number(f"{RTC}/{name}/since_epoch")
            return said is not None and abs(said - time.time()) < RTC_AGREES_S
    return False


def _number(path: str) -> int | None:
    try:
        with open(path, encoding="utf-8") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def kernel_synchronised() -> bool | None:
    """What adjtimex says; None where it cannot be asked (no ctypes as in python3-minimal, a seccomp filter).

    The kernel adds 500 µs/s to its doubt, so it says False again 8 h 53 min after the last contact with a time server,
    although the clock is still good to a second: gained trust is to be kept with set_latch().
    """
    try:
        import ctypes  # 5 ms, and most boxes have one of the cheap signs
    except ImportError:
        return None

    class Timex(ctypes.Structure):
        # struct timex of <sys/timex.h> up to the one field read, and room for the rest (208 bytes on 64 bit). c_long is
        # right on 32 bit too: the symbol `adjtimex` kept its old layout there when time_t grew.
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("rest", ctypes.c_char * 512),
        )

    timex = Timex()
    try:
        if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return int(timex.maxerror) < SYNCHRONISED_BELOW_US


def latch(directory: str) -> bool:
    """Whether trust was gained earlier in this boot (set_latch in the same runtime directory)."""
    boot = boot_id()
    try:
        with open(f"{directory}/clock.json", "rb") as file:
            said = json.loads(file.read(4096))
    except (OSError, ValueError):
        return False
    return bool(boot) and isinstance(said, dict) and said.get("boot_id") == boot


def set_latch(directory: str) -> bool:
    """Keeps trust for the rest of this boot, with the boottime it was gained at; False where it cannot be written.

    Only for what was seen (evidence, kernel), never for the setting "always": a setting may change within a boot.
    """
    from pv_exec.box import paths  # paths is not needed to read a clock

    said = {"boot_id": boot_id(), "since": round(boottime(), 3), "wall": round(time.time(), 3)}
    try:
        paths.replace(f"{directory}/clock.json", json.dumps(said).encode(), durable=False)
    except OSError:
        return False
    return bool(said["boot_id"])


def trusted(setting: str, directory: str) -> bool:
    """The whole answer: the setting, else latch, cheap signs, kernel in this order; what was seen is latched."""
    if setting != "auto":
        return setting == "always"
    if latch(directory):
        return True
    if evidence(setting) or kernel_synchronised():
        set_latch(directory)
        return True
    return False
