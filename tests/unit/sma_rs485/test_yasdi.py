"""What an old yasdi.ini says; keys as YASDI's own sample files have them."""

from hypothesis import given, strategies as st

from pv_exec.drivers.sma_rs485 import yasdi
from pv_exec.drivers.sma_rs485.yasdi import Port, Settings

SAMPLE = """\
[DriverModules]
Driver0=libyasdi_drv_serial.so

[COM1]
Device=/dev/ttyUSB0
Media=RS485
Baudrate=1200
Protocol=SMANet

[Master]
DetectionTimeout=8
WaitAfterSyncOnline=2
DeviceAddrRangeLow=10
DeviceAddrRangeHigh=0x20

[Misc]
DebugOutput=/dev/null
ChannelListDir=/var/lib/yasdi
"""


def test_a_usual_file():
    assert yasdi.read_ini(SAMPLE) == Settings(
        (Port("com1", "/dev/ttyUSB0", "RS485", 1200, ("smanet",)),),
        0,
        (10, 32),
        2.0,
        8.0,
        "/var/lib/yasdi",
    )


def test_windows_wrote_it():
    text = "\ufeff[COM2]\r\ndevice = COM2 ; the adapter\r\nMEDIA=RS232\r\nProtocol= SMANet , SunnyNet\r\n"
    assert yasdi.read_ini(text).ports == (Port("com2", "COM2", "RS232", 19200, ("smanet", "sunnynet")),)


def test_a_missing_baud_rate_is_19200_and_an_unknown_one_1200():
    for line, baudrate in (
        ("", 19200),
        ("Baudrate=19200", 19200),
        ("Baudrate=115200", 1200),
        ("Baudrate=fast", 1200),
        ("Baudrate=9600", 9600),
    ):
        assert yasdi.read_ini(f"[COM1]\n{line}\n").ports[0].baudrate == baudrate


def test_comments_and_what_cannot_be_understood():
    got = yasdi.read_ini(
        "Device=before any section\n;[COM9]\n[COM1]\n#Device=x\nProtocol=SMANet,Token\n[Master]\nNetAddress=x\nWaitAfterSyncOnline=-1\n[IP0]\nDevice0=x\n[COMMON]\n"
    )
    assert got.ports == (Port("com1", "", "", 19200, ("smanet",)),)
    assert (got.master, got.wait) == (0, None)
    assert [doubt.split(" ")[0] for doubt in got.doubts] == [
        "Protocol=Token",
        "netaddress=x",
        "waitaftersynconline=-1",
    ]


@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(
                ["[COM1]", "[Master]", "Baudrate=", "NetAddress=1e9", "Protocol=,", "NetAddress=inf", "=", "[", "[]"]
            ),
        ),
        max_size=12,
    ).map("\n".join)
)  # fmt: skip
def test_any_text_is_read(text):
    yasdi.read_ini(text)
