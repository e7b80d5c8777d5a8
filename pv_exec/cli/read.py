"""pv-read: read every configured inverter once, print, exit."""

import gc

gc.disable()  # before the other imports, which would set it off: none of a run's processes lives long enough to need it

import argparse
import os
import signal
import sys
import time
from types import FrameType

from pv_exec import __version__, config
from pv_exec.box import clock, settings
from pv_exec.box.errors import BUG, MISCONFIGURED, UNREACHABLE, PvError
from pv_exec.box.settings import Fault
from pv_exec.cli import leave_the_unit_alone
from pv_exec.cli.parser import Parser
from pv_exec.run import dusk, plan as plans, report
from pv_exec.run.parent import Reading, Run

LAST_RESORT = 1.0
"""Seconds after the deadline at which the process ends itself even if stdout takes nothing."""

SPOOL = "none"
"""Where readings are kept: there is no spool yet."""

QUIET = ("ok", "asleep")
"""States that nobody needs to be told of on stderr."""

PASSING = ("silent", "corrupt", "timeout")
"""States that one bad run on a line can bring: a warning."""

NEED_NOT_ANSWER = ("asleep", "paused")
"""States that --strict does not count."""


def main() -> None:
    """Entry point; ends the process with the exit status of DESIGN 5.2."""
    _open_standard_files()
    _heed_signals()
    leave_the_unit_alone()
    try:
        status = _main(sys.argv[1:])
    except PvError as error:
        _complain("E!", str(error))
        status = error.exit_status
    except Exception as error:  # noqa: BLE001 -- whatever it is, it ends as DESIGN 5.2 says and in one line
        _complain("E!", f"a bug of pv-read: {type(error).__name__}: {error}")
        status = BUG
    os._exit(status)  # nothing is left to flush, and a closed stdout must not end in a traceback


def _main(argv: list[str]) -> int:
    started = clock.boottime() - clock.process_age()
    arguments = _arguments(argv)
    configured = config.load(config.find(arguments.config))
    plan, faults = plans.make(configured)
    plan = plans.select(plan, arguments.bus, arguments.only)
    if arguments.deadline is not None:
        plan = plan._replace(buses=tuple(bus._replace(deadline=arguments.deadline) for bus in plan.buses))
    plan = plan._replace(trace=os.path.abspath(arguments.trace) if arguments.trace else "")
    if all(bus.fault for bus in plan.buses):
        _complain("E!", _first(faults, configured) or "no bus is configured")
        return MISCONFIGURED

    run = Run(plan, started)
    stopped_by: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped_by.append(number)
        run.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.setitimer(signal.ITIMER_REAL, max(run.ends - clock.boottime(), 0.0) + LAST_RESORT)
    reading = run.perform()

    now = report.Now(time.time(), clock.boottime(), clock.boot_id())
    now = now._replace(elevation=dusk.sun_height(plan.site, now.wall, reading.trusted))
    reading = report.settle(reading, now)
    _print(_text(arguments.format, plan, reading, now))
    status = 128 + signal.SIGINT if signal.SIGINT in stopped_by else _status(reading, strict=arguments.strict)
    # The lines are out: a stderr that takes nothing must not have them thrown away for the status of a killed run.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(status))
    _tell(reading, faults, configured, arguments.verbose)
    return status


def _status(reading: Reading, *, strict: bool) -> int:
    if not strict:
        return 0
    if reading.bugs:
        return BUG
    missing = any(
        outcome.state != "ok" and outcome.state not in NEED_NOT_ANSWER
        for of in reading.outcomes.values()
        for outcome in of.values()
    )
    return UNREACHABLE if missing else 0


def _text(form: str, plan: plans.Plan, reading: Reading, now: report.Now) -> str:
    if form == "none":
        return ""
    lines = report.lines(plan, reading, now, SPOOL)
    if form == "line":
        from pv_exec.formats import line

        return line.encode_all(lines)
    if form == "json":
        from pv_exec.formats import json_

        return json_.render(lines)
    from pv_exec.formats import table

    return table.render(lines)


def _print(text: str) -> None:
    """One block to stdout. A reader that went away is its own affair: what was read is not lost by it."""
    data = text.encode(errors="replace")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        pass


def _tell(reading: Reading, faults: tuple[Fault, ...], configured: config.Config, verbose: int) -> None:
    """On stderr, the most important fact first: Telegraf shows one line of it."""
    messages: list[tuple[str, str | Fault]] = []  # where a fault stands is looked for only if it is told
    for bus, of in reading.outcomes.items():
        for name, one in of.items():
            if one.state not in QUIET:
                level = "W!" if one.state in PASSING else "E!"
                messages.append((level, f"{bus}/{name}: {one.state}: {one.error}"))
    messages += [("W!", text) for text in reading.remarks]
    messages += [("W!", fault) for fault in faults]
    messages.sort(key=lambda message: message[0])
    more = 0 if verbose or os.isatty(2) else len(messages) - 1
    for level, what in messages[:1] if more > 0 else messages:
        text = what if isinstance(what, str) else _located(what, configured)
        _complain(level, f"{text} (and {more} more, see -v)" if more > 0 else text)
    for trace in reading.bugs if verbose else ():
        for row in trace.splitlines():
            _complain("E!", row)


def _first(faults: tuple[Fault, ...], configured: config.Config) -> str:
    """The fault that keeps the first bus from being read."""
    return next(
        (_located(one, configured) for one in faults if one.kind != "unknown" and one.path[0] == "bus"), ""
    )


def _located(fault: Fault, configured: config.Config) -> str:
    line = settings.locate(configured.text, fault.path)
    return f"{configured.path}:{line}: {fault}" if line else f"{configured.path}: {fault}"


def _complain(level: str, text: str) -> None:
    """One line, whatever a name or an inverter has in it: nothing can move a terminal's cursor."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    try:
        os.write(2, f"{level} {shown}\n".encode(errors="replace"))
    except OSError:
        pass


def _open_standard_files() -> None:
    """A closed fd 0, 1 or 2 would become the next file opened, the serial port for one."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _heed_signals() -> None:
    """A parent may have left signals blocked or ignored: our timer, a SIGTERM, the status of a child must reach us."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGALRM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def _duration(text: str) -> float:
    seconds = settings.seconds(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f'{text!r} is no duration such as "4s" or "500ms"')
    return seconds


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="pv-read",
        # A width of its own: to ask for the terminal's, argparse loads shutil with bz2 and lzma at every start.
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=100),
        description="Read every configured inverter once and print its values.",
        epilog="Exit status: 0 when a line was printed, 64 usage, 69 with --strict when an inverter that should answer did not, "
        "77 the configuration cannot be read, 78 no bus in it can.",
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help=f"default: ${config.VARIABLE}, then {config.DEFAULT_PATH}"
    )
    parser.add_argument(
        "--format", choices=("line", "table", "json", "none"), default="line", help="default: line"
    )
    parser.add_argument(
        "--bus", metavar="NAME", action="append", default=[], help="only this bus (may be repeated)"
    )
    parser.add_argument(
        "--only", metavar="INVERTER", action="append", default=[], help="only this inverter (may be repeated)"
    )
    parser.add_argument(
        "--deadline", metavar="D", type=_duration, help='end by then, such as "4s"; default: as configured'
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit 69 when an inverter that should answer did not"
    )
    parser.add_argument(
        "--trace", metavar="FILE", help="append every byte with its direction and time as JSON lines"
    )
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="tell everything on stderr, not the worst alone"
    )
    parser.add_argument("--version", action="version", version=f"pv-exec {__version__}")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
