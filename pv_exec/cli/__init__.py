"""One file per command."""

import os


def leave_the_unit_alone() -> None:
    """Forget the service manager: Telegraf's unit has NotifyAccess=all, and what we said would be said in its name."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)
