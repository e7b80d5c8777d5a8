"""pv-setup: check a configuration, print one to start from, get to know inverters, and tell Telegraf about it."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from pv_exec import __version__, config
from pv_exec.box.errors import MISCONFIGURED, ConfigFaults, PvError, Usage
from pv_exec.cli import leave_the_unit_alone
from pv_exec.cli.parser import Parser
from pv_exec.setup import check, effective, install, sample, telegraf


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    leave_the_unit_alone()
    try:
        options = _parser().parse_args(argv)
        status: int = options.run(options)
        sys.stdout.flush()
    except PvError as error:
        _say(f"pv-setup: {error}")
        return error.exit_status
    except BrokenPipeError:  # `pv-setup sample | head` is nobody's fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # and the interpreter flushes once more at its end
        return 0
    return status


def _check(options: argparse.Namespace) -> int:
    """Every fault and what stands in the way today on stderr; the configuration in force on stdout if there is no fault."""
    settings = config.load(config.find(options.config))
    examined = check.examine(settings)
    for note in examined.notes:
        _say(f"{check.located(note, settings)} (today; no fault of the file)")
    for fault in examined.faults:
        _say(check.located(fault, settings))
    if examined.faults:
        count = len(examined.faults)
        _say(f"{settings.path}: {count} fault{'s' if count > 1 else ''}")
        return MISCONFIGURED
    print(effective.render(settings, examined.plan), end="")
    return 0


def _sample(_: argparse.Namespace) -> int:
    print(sample.render(), end="")
    return 0


def _telegraf(options: argparse.Namespace) -> int:
    """The drop-in on stdout or in its place; what is to be done next on stderr."""
    if options.force and not options.write:
        raise Usage("--force says what --write may replace", "see pv-setup telegraf --help")
    settings = config.load(config.find(options.config))
    examined = check.examine(settings)
    if examined.faults:
        first = check.located(examined.faults[0], settings)
        raise ConfigFaults(
            first, f"pv-setup check tells all {len(examined.faults)}" * (len(examined.faults) > 1)
        )
    path = os.path.abspath(settings.path)
    target = options.target or telegraf.installed(options.telegraf)
    if target is None:
        _say(
            "pv-setup: no Telegraf is installed here; this is for 1.39 and newer (for older ones: --for 1.38)"
        )
    command = options.pv_read or _pv_read()
    buses = examined.plan.buses
    text = telegraf.render(buses, [command, "--config", path], target, path)
    if not options.write:
        print(text, end="")
        return 0
    changed = install.write(options.write, text, force=options.force)
    _say(f"pv-setup: {options.write} {'is written' if changed else 'says so already'}")
    for sentence in install.advice(path, command, install.devices(buses)):
        _say(f"pv-setup: {sentence}")
    if changed:
        _say("pv-setup: next: systemctl reload telegraf")
    return 0


def _learn(options: argparse.Namespace) -> int:
    """The tables to paste on stdout; imported here, as nothing else of pv-setup opens a port."""
    if options.yasdi:
        if options.imports or options.count:
            raise Usage(
                "--yasdi only prints a table and learns nothing", "run it without --count and --import"
            )
        from pv_exec.setup import yasdi

        print(yasdi.tables(options.yasdi, options.bus), end="")
        return 0
    from pv_exec.setup import learn

    settings = config.load(config.find(options.config))
    return learn.main(settings, options.bus, count=options.count, imports=options.imports)


def _pv_read() -> str:
    """The pv-read of this installation, by its full path: Telegraf's PATH is another."""
    for directory in (os.path.dirname(os.path.abspath(sys.argv[0])), os.path.dirname(sys.executable)):
        if found := shutil.which(os.path.join(directory, "pv-read")):
            return found
    raise Usage("there is no pv-read beside this pv-setup", "name it with --pv-read")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _version(text: str) -> telegraf.Version:
    try:
        return telegraf.version(text)
    except Usage as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of inverters")
    return int(text)


def _program(text: str) -> str:
    if not os.path.isabs(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no full path, and Telegraf looks elsewhere than you")
    return text


def _parser() -> argparse.ArgumentParser:
    where = f"default: ${config.VARIABLE}, then {config.DEFAULT_PATH}"
    parser = Parser(
        prog="pv-setup",
        description="Check a configuration, print one to start from, get to know inverters, and tell Telegraf about it.",
        epilog="Exit status: 0, 64 usage, 69 an inverter is not learned, 77 a file cannot be read or written, 78 the"
        " configuration has faults.",
    )
    parser.add_argument("-c", "--config", metavar="FILE", help=where)
    parser.add_argument("--version", action="version", version=f"pv-exec {__version__}")
    what = parser.add_subparsers(required=True, metavar="check|sample|learn|telegraf")

    one = what.add_parser(
        "check",
        help="every fault of the configuration at once, or what it amounts to",
        description="Name every fault of the configuration (exit status 78), or print it as it is in force: every value,"
        " which of them is a default, and for each bus how long a run takes on its wire against its deadline.",
    )
    one.set_defaults(run=_check)
    one.add_argument("-c", "--config", default=argparse.SUPPRESS, metavar="FILE", help=where)

    one = what.add_parser(
        "sample",
        help="a configuration to start from",
        description="Print a configuration with every key there is, its meaning and its default.",
    )
    one.set_defaults(run=_sample)
    one.add_argument("-c", "--config", default=argparse.SUPPRESS, help=argparse.SUPPRESS)

    one = what.add_parser(
        "learn",
        help="who is on a bus, and what a read has to know of them",
        description="Find the inverters of a bus, settle their addresses, download what a read has to know of them (SMA on"
        " RS485: the channel lists, a minute for each type), and print the [[bus.inverter]] tables to paste. The bus need"
        " not list its inverters yet. What broke off goes on where it was.",
        epilog="Exit status: 0 everything that was wanted is learned, 64 usage, 69 something is not, or the way to the"
        " inverters is shut, 77 a file cannot be read or written, 78 the configuration of the bus has faults.",
    )
    one.set_defaults(run=_learn)
    one.add_argument("bus", metavar="BUS", help="its name in the configuration")
    one.add_argument("-c", "--config", default=argparse.SUPPRESS, metavar="FILE", help=where)
    one.add_argument(
        "--count",
        type=_count,
        default=0,
        metavar="N",
        help="so many are there (default: as many as are listed)",
    )
    one.add_argument(
        "--import",
        dest="imports",
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE",
        help="take over channel lists of YASDI, its devices/<type>.bin",
    )
    one.add_argument(
        "--yasdi",
        metavar="FILE",
        help="only print a [[bus]] table named BUS from this yasdi.ini; no configuration is needed",
    )

    one = what.add_parser(
        "telegraf",
        help="the drop-in for Telegraf",
        description="Print the drop-in for Telegraf that runs pv-read as this configuration says, in the form that the"
        " installed Telegraf takes.",
        epilog="Example: sudo pv-setup telegraf --write && sudo systemctl reload telegraf",
    )
    one.set_defaults(run=_telegraf)
    one.add_argument("-c", "--config", default=argparse.SUPPRESS, metavar="FILE", help=where)
    one.add_argument(
        "--write",
        nargs="?",
        const=install.DROP_IN,
        metavar="FILE",
        help=f"put it there (default {install.DROP_IN})",
    )
    one.add_argument("--force", action="store_true", help="replace a file that pv-setup did not write")
    which = one.add_mutually_exclusive_group()
    which.add_argument(
        "--telegraf", metavar="PATH", help="ask this Telegraf for its version, not the one installed"
    )
    which.add_argument(
        "--for", dest="target", type=_version, metavar="VERSION", help="write for this Telegraf"
    )
    one.add_argument(
        "--pv-read", type=_program, metavar="PATH", help="run this pv-read (default: the one beside pv-setup)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
