"""The command line's reader of pv-read and pv-setup."""

import argparse

from pv_exec.box.errors import Usage


class Parser(argparse.ArgumentParser):
    """argparse, with the exit status that our commands have for a wrong command line."""

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse says NoReturn, and so it is
        raise Usage(message, f"see {self.prog} --help")
