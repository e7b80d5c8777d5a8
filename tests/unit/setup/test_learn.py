"""What pv-setup learn makes of a configuration, of what it hears, and of YASDI's files; nothing is opened here."""

import io
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pv_exec import config, drivers
from pv_exec.box.errors import ConfigFaults, Usage
from pv_exec.model import Found, Progress
from pv_exec.run.plan import make
from pv_exec.setup import learn, yasdi
from pv_exec.setup.progress import Teller
from tests.captures.sma_rs485.frames import wr20_list

ONE, TWO = 2000123456, 2000234567
BUS = '[[bus]]\nname = "roof"\ndriver = "sma_rs485"\nport = "/dev/ttyUSB0"\n'


@pytest.fixture(autouse=True)
def family(monkeypatch):
    monkeypatch.setitem(drivers.DRIVERS, "sma_rs485", "pv_exec.drivers.sma_rs485.driver")


def parsed(text: str) -> config.Config:
    return config.parse(tomllib.loads(text), "config.toml", text)


def chosen(text: str) -> learn.Chosen:
    return learn.choose(parsed(text), "roof")


# -- which bus ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listing",
    [
        "",
        "inverters = []\n",
        '[[bus.inverter]]\nname = "east"\n',
    ],
    ids=["none", "an empty list", "a name without a number"],
)
def test_inverters_that_are_not_listed_yet_are_no_fault(listing):
    assert make(parsed(BUS + listing))[0].buses[0].fault
    one = chosen(BUS + listing)
    assert one.inverters == ()
    assert one.plan.options.baudrate == 1200


def test_those_that_are_listed_are_wanted():
    one = chosen(f'{BUS}[[bus.inverter]]\nname = "east"\nserial = {ONE}\n[[bus.inverter]]\nname = "west"\n')
    assert [inverter.name for inverter in one.inverters] == ["east"]


@pytest.mark.parametrize(
    "text",
    [
        f"{BUS}inverters = [0]\n",
        f"{BUS}inverters = [{ONE}, {ONE}]\n",
        f"{BUS}baudrate = 1201\n",
        BUS.replace("/dev/ttyUSB0", "rfcomm://00"),
        BUS.replace("sma_rs485", "sma"),
        BUS.replace('driver = "sma_rs485"\n', ""),
    ],
)
def test_other_faults_of_the_bus_stop_it(text):
    with pytest.raises(ConfigFaults, match=r"^config.toml:\d+: "):
        chosen(text)


def test_faults_of_other_buses_and_unknown_keys_do_not():
    other = BUS.replace("roof", "barn").replace("ttyUSB0", "ttyUSB1") + "baudrate = 7\n"
    assert chosen(f'{BUS}colour = "red"\n{other}[reed]\n').plan.name == "roof"


def test_a_family_that_needs_no_learning_names_those_that_do():
    with pytest.raises(Usage, match=r"learned are those of: sma_rs485$"):
        chosen(BUS.replace("sma_rs485", "kaco"))
    with pytest.raises(Usage, match=r'no bus is called "roof"; the configuration has: barn$'):
        chosen(BUS.replace("roof", "barn"))


# -- what to paste -----------------------------------------------------------------------------------------------------


def found(*serials: int) -> dict[Any, Found]:
    return {serial: Found({"serial": serial}, "WR20-004 at address 1") for serial in serials}


def test_what_is_printed_can_be_pasted():
    text = learn.render(found(ONE, TWO), chosen(BUS))
    assert [one["serial"] for one in tomllib.loads(BUS + text)["bus"][0]["inverter"]] == [ONE, TWO]
    assert make(parsed(BUS + text))[1] == ()


def test_what_the_configuration_has_is_a_comment():
    listed = f'{BUS}[[bus.inverter]]\nname = "east"\nserial = {ONE}\n'
    text = learn.render(found(ONE, TWO), chosen(listed))
    assert make(parsed(listed + text))[1] == ()
    assert "# WR20-004 at address 1, in the configuration already (as east)\n# [[bus.inverter]]\n" in text
    assert learn.render(found(ONE), chosen(listed)).count("\n") == 3
    assert learn.render({}, chosen(listed)) == ""


def test_the_short_form_is_said_to_be_one():
    text = learn.render(found(TWO), chosen(f"{BUS}inverters = [{ONE}]\n"))
    assert (
        text.splitlines()[1]
        == "# (which lists its inverters as `inverters = […]`: write the numbers there instead.)"
    )


def test_a_type_cannot_leave_its_comment():
    text = learn.render({ONE: Found({"serial": ONE}, "WR\n[evil]\x1b[2J")}, chosen(BUS))
    assert tomllib.loads(text).keys() == {"bus"}
    assert "\x1b" not in text


# -- progress ----------------------------------------------------------------------------------------------------------


def told(width: int, *steps: tuple[float, Progress | str]) -> str:
    clock = [0.0]
    out = io.StringIO()
    teller = Teller(out, lambda: clock[0], width=width)
    for clock[0], step in steps:
        if isinstance(step, str):
            teller.say(step)
        else:
            teller.progress(step)
    return out.getvalue()


def test_elsewhere_a_line_now_and_then():
    steps = [(2.5 * n, Progress(n, 22, f"{n} packets")) for n in range(1, 23)]
    said = told(0, (0.0, Progress(0, 0, "begins")), *steps).splitlines()
    assert said[0] == "pv-setup: begins"
    assert [line.split()[1] for line in said[1:]] == ["1", "5", "9", "13", "17", "21", "22"]
    assert said[1] == "pv-setup: 1 of 22, 1 packets"


def test_a_bar_on_one_line_of_a_terminal():
    said = told(60, (0, Progress(11, 22, "half")), (1, Progress(22, 22, "all")), (2, "done"))
    assert said == (
        f"\r[{'#' * 10}{'.' * 10}] 11/22 half\r[{'#' * 20}] 22/22 all \r{' ' * 32}\rpv-setup: done\n"
    )


@pytest.mark.parametrize("width", [10, 20, 40])
def test_a_bar_never_breaks_the_line(width):
    said = told(
        width, *((n, Progress(n, 22, "a very long text of what there is to tell")) for n in range(1, 23))
    )
    assert all(len(line) < width for line in said.split("\r"))


def test_what_an_inverter_calls_itself_moves_no_cursor():
    assert told(0, (0, Progress(0, 0, "WR\x1b[2J"))) == "pv-setup: WR?[2J\n"


# -- YASDI -------------------------------------------------------------------------------------------------------------


def test_a_list_of_yasdi_is_taken_over(tmp_path):
    path = tmp_path / "WR20-004.bin"
    path.write_bytes(b"\x0a" + wr20_list())
    taken = yasdi.take_list(str(path))
    assert (taken.type, taken.channels, taken.doubt) == ("WR20-004", 114, "")
    assert taken.keep.data == b"\x0a" + wr20_list()
    assert taken.keep.durable
    assert taken.keep.name.startswith("list-wr20_004-")


def test_a_list_with_a_hole_is_taken_with_a_doubt(tmp_path):
    path = tmp_path / "A.BIN"
    path.write_bytes(b"\x0a" + wr20_list()[39:])
    assert "where number 1 belongs" in yasdi.take_list(str(path)).doubt


def table(path: Path, text: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Tables and comments."""
    ini = path / "yasdi.ini"
    ini.write_text(text)
    said = yasdi.tables(str(ini), "roof")
    return tomllib.loads(said)["bus"], [line for line in said.splitlines() if "#" in line][1:]


def test_an_ini_becomes_a_bus_that_passes_the_check(tmp_path):
    text = "[COM1]\nDevice=/dev/ttyS0\nMedia=RS485\nBaudrate=1200\nProtocol=SMANet\n"
    (bus,), comments = table(tmp_path, text)
    assert bus == {
        "name": "roof",
        "driver": "sma_rs485",
        "port": "/dev/ttyS0",
        "baudrate": 1200,
        "framing": "smanet",
    }
    assert comments == []
    assert make(config.parse({"bus": [{**bus, "inverters": [ONE]}]}))[1] == ()


def test_what_is_doubtful_in_an_ini_is_a_comment(tmp_path):
    text = (
        "[COM1]\nDevice=COM3\nMedia=Powerline\nBaudrate=57600\nProtocol=SMANet,SunnyNet,Foo\n"
        "[COM2]\nDevice=/dev/ttyS1\nBaudrate=19200\nProtocol=SunnyNet\n"
        "[Master]\nNetAddress=7\nDeviceAddrRangeLow=10\nDeviceAddrRangeHigh=20\nWaitAfterSyncOnline=99\n"
        "[Misc]\nChannelListDir=/var/devices\n"
    )
    (first, second), comments = table(tmp_path, text)
    assert first == {"name": "roof", "driver": "sma_rs485", "port": "/dev/ttyUSB0", "framing": "auto"}
    assert second == {
        "name": "roof-com2",
        "driver": "sma_rs485",
        "port": "/dev/ttyS1",
        "baudrate": 19200,
        "framing": "sunnynet",
    }
    said = "\n".join(comments)
    for part in (
        "Protocol=Foo in [com1] is neither SMANet nor SunnyNet",
        "Master.NetAddress = 7",
        "Addresses 10 to 20",
        "--import /var/devices/*.bin",
        "[com1] says Media=Powerline",
        "yasdi.ini says COM3",
        "baudrate: found 57600",
        "sync_wait: found",
        "yasdi.ini: smanet, sunnynet",
    ):
        assert part in said


@pytest.mark.parametrize("text", ["", "[Master]\nNetAddress=1\n", "\0\xff"])
def test_an_ini_without_a_port_is_none(tmp_path, text):
    with pytest.raises(Usage, match="has no section"):
        table(tmp_path, text)
