"""pv-sim: plays inverters, so that everything above them runs on a laptop."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from pv_exec.box.errors import PvError, Usage
from pv_exec.cli import leave_the_unit_alone
from pv_exec.sim import demo, faults as of_line, plant
from pv_exec.sim.serve import JITTER, Pty, Tcp, serve, signals, tell_notes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    leave_the_unit_alone()
    arguments = list(sys.argv[1:] if argv is None else argv)
    command: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, command = arguments[:at], arguments[at + 1 :]
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.what == "demo":
            sun = demo.SUN if options.at is None else options.at
            return demo.run(
                command or options.command, seed=options.seed, at=sun, fast=options.speed == "fast"
            )
        if command:
            raise Usage("serve takes no command", "pv-sim demo -- COMMAND runs one beside the plant")
        return _serve(options)
    except PvError as error:
        print(f"pv-sim: {error}", file=sys.stderr)
        return error.exit_status


def _serve(options: argparse.Namespace) -> int:
    if options.rfcomm is not None:
        raise Usage(
            f"{options.driver} is not spoken over Bluetooth", "serve it with --pty PATH or --tcp HOST:PORT"
        )
    line = plant.build(
        options.driver,
        options.inverters,
        seed=options.seed,
        spoilt=dict(_fault(text) for text in options.fault),
        at=options.at,
        epoch=time.time() - time.monotonic(),
        fast=options.speed == "fast",
        jitter=JITTER,
        baudrate=options.baudrate,
    )
    end = Pty(options.pty) if options.pty else Tcp(options.tcp)
    with signals() as stop:
        serve(line, end, ready=_say_ready, stop=stop)
    tell_notes(line)
    return 0


def _say_ready(address: str) -> None:
    print(address, flush=True)


def _fault(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _moment(text: str) -> float:
    """Unix seconds of an ISO 8601 time; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-06-21T10:00:00+02:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _speed(text: str) -> int:
    if not text.isdecimal() or not 50 <= int(text) <= 4_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed such as 1200")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """argparse, with the exit status that all our commands have for a wrong command line."""

    def error(self, message: str) -> None:  # type: ignore[override]  # theirs is NoReturn, and so is this
        self.print_usage(sys.stderr)
        self.exit(Usage.exit_status, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="pv-sim", description="Play the inverters of a line.")
    what = parser.add_subparsers(dest="what", required=True, metavar="demo|serve")
    show = what.add_parser(
        "demo",
        help="inverters and a configuration that reads them, in a temporary directory",
        description="Serve inverters of each family on a pty, with a configuration that reads them. With a COMMAND: run it"
        " with PV_EXEC_CONFIG set, stop when it ends, and exit with its status. Without one: serve until Ctrl-C.",
    )
    show.add_argument("command", nargs="*", metavar="COMMAND", help="after --, with its arguments")
    one = what.add_parser(
        "serve",
        help="one line at a path or port of yours",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Serve one line until SIGTERM or Ctrl-C. stdout says the address as soon as it can be opened;\n"
        "stderr says in the end which requests came too early or may not be sent.",
        epilog=_families(),
    )
    one.add_argument("driver", choices=plant.families(), help="which family of inverters")
    end = one.add_mutually_exclusive_group(required=True)
    end.add_argument("--pty", metavar="PATH", help="a serial port: PATH becomes a symlink to it")
    end.add_argument(
        "--tcp", metavar="HOST:PORT", help="a bridge: one client at a time, others are hung up on"
    )
    end.add_argument(
        "--rfcomm", nargs="?", const="", metavar="ADAPTER", help="Bluetooth, for families that speak it"
    )
    one.add_argument(
        "--inverters", default="", metavar="SPEC", help="which ones, with commas between them; see below"
    )
    one.add_argument(
        "--baudrate", type=_speed, metavar="N", help="speed of the line (default: the family's, see below)"
    )
    one.add_argument(
        "--fault", action="append", default=[], metavar="NAME[=VALUE]", help="see below; may be repeated"
    )
    for sub in (show, one):
        sub.add_argument("--seed", type=int, default=0, metavar="N", help="another plant (default 0)")
        sub.add_argument("--at", type=_moment, metavar="TIME", help="the sun stands still there (ISO 8601)")
        sub.add_argument(
            "--speed",
            choices=["real", "fast"],
            default="real",
            help="fast: bytes and answers take no time, and no request is too early",
        )
    return parser


def _families() -> str:
    lines = []
    for driver in plant.families():
        module = plant.simulator(driver)
        lines += [
            f"inverters of {driver}, {module.BAUD} baud:",
            f"  {module.SPEC}",
            f"  default: {module.INVERTERS}",
        ]
        lines += _table(module.OPTIONS)
        lines += [f"faults of {driver}:", *_table(module.FAULTS)]
    lines += ["faults of every line:", *_table(of_line.FAULTS)]
    lines += ["which answers they spoil:", *_table(of_line.MODIFIERS)]
    return "\n".join(lines)


def _table(entries: dict[str, str]) -> list[str]:
    return [f"  {name:<15} {text}" for name, text in entries.items()]


if __name__ == "__main__":
    raise SystemExit(main())
