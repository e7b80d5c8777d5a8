"""The causes a person can act on, each with what happened, what to do, and the exit status it ends a command with."""

USAGE, UNREACHABLE, BUG, DENIED, MISCONFIGURED = 64, 69, 70, 77, 78
"""Exit statuses (sysexits.h numbers, which systemd prints by name)."""


class PvError(Exception):
    """One cause, in a sentence without a full stop, and its remedy where there is one."""

    exit_status = BUG

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


class Usage(PvError):
    """The command line asks for something that does not exist."""

    exit_status = USAGE


class ConfigUnreadable(PvError):
    """The configuration file is missing or may not be read."""

    exit_status = DENIED


class ConfigFaults(PvError):
    """The configuration says nothing that can be run."""

    exit_status = MISCONFIGURED


class LinkError(PvError):
    """The way to the inverters is shut; `state` is the word every inverter behind it gets (model.STATES)."""

    state = "error"


class PortMissing(LinkError):
    """No such device, host or adapter, or it went away while it was used."""

    state = "port_missing"


class PortDenied(LinkError):
    """The device is there, and this user may not open it."""

    state = "port_denied"


class Locked(LinkError):
    """Another process holds the device."""

    state = "locked"


class Unreachable(LinkError):
    """The peer is known but does not take the connection."""

    state = "silent"


class AnswerError(PvError):
    """A question got no answer that may be used; `state` is the word its inverter gets (model.STATES)."""

    state = "error"


class Silent(AnswerError):
    """Nothing came that could be an answer."""

    state = "silent"


class Corrupt(AnswerError):
    """Something came and fails a check; the only answer worth a second question."""

    state = "corrupt"


class Refused(AnswerError):
    """The device understood and said no."""

    state = "refused"


class AddressConflict(AnswerError):
    """More than one device answered a question to one address."""

    state = "address_conflict"


class StaleList(AnswerError):
    """A sound answer does not fit the list that says how to read it: no value of it may be used."""

    state = "stale_list"
