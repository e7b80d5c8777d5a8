"""The parts themselves: what the other tests of this suite stand on."""

import os
import signal
import socket
import subprocess

import pytest

from tests.e2e.influxdb import Point, Refused
from tests.e2e.process import free_port, listens
from tests.e2e.telegraf import AGENT, exec_input, influxdb_output


def test_influxdb_gives_points_back_with_their_types(influxdb):
    influxdb.write('m,inverter=1 whole=635,part=406.8,count=7i,ok=true,state="ok" 1700000000000000001')
    influxdb.write("m,inverter=2 whole=-1 1700000001", precision="s")
    assert influxdb.points("m") == [
        Point(
            "m",
            {"inverter": "1"},
            {"whole": 635.0, "part": 406.8, "count": 7, "ok": True, "state": "ok"},
            1700000000000000001,
        ),
        Point("m", {"inverter": "2"}, {"whole": -1.0}, 1700000001000000000),
    ]
    first, second = influxdb.points("m")
    assert [type(first.fields[name]) for name in ("whole", "count")] == [float, int]
    assert influxdb.points("m", where="inverter = '2'") == [second]
    assert influxdb.query("SELECT sum(count) FROM m") == [{"time": 0, "sum": 7}]


def test_influxdb_says_what_it_refuses(influxdb):
    with pytest.raises(Refused, match="unable to parse"):
        influxdb.write("no fields here")
    with pytest.raises(Refused, match="error parsing query"):
        influxdb.query("SELEKT")
    assert influxdb.points("m") == []


def test_influxdb_keeps_port_and_data_over_stop_and_power_cut(influxdb):
    port = influxdb.port
    influxdb.write("m a=1 1")
    influxdb.stop()
    influxdb.start()
    influxdb.write("m a=2 2")
    influxdb.kill()
    influxdb.start()
    assert influxdb.port == port
    assert [point.fields["a"] for point in influxdb.points("m")] == [1.0, 2.0]


def test_a_listener_is_told_from_a_strangers(influxdb):
    assert listens(influxdb.process.pid, influxdb.port)
    assert not listens(os.getpid(), influxdb.port)
    assert not listens(influxdb.process.pid, free_port())
    with socket.create_server(("127.0.0.1", 0)) as own:
        assert listens(os.getpid(), own.getsockname()[1])


def test_telegraf_carries_a_programs_line_into_influxdb(influxdb, telegraf):
    line = 'pv_inverter,inverter=1 ac_power_w=635,seq=4711i,state="ok" 1700000000000000000'
    agent = telegraf(AGENT + influxdb_output(influxdb), drop_ins={"pv.conf": exec_input(["/bin/echo", line])})
    process = agent.run()
    (point,) = process.wait_for(lambda: influxdb.points("pv_inverter"), "the point in InfluxDB")
    assert point == Point(
        "pv_inverter",
        {"inverter": "1"},
        {"ac_power_w": 635.0, "seq": 4711, "state": "ok"},
        1700000000000000000,
    )
    assert "Starting Telegraf 1.39.3" in process.log()
    assert "E!" not in process.log()
    assert process.end() == 0


def test_telegraf_reports_a_command_that_failed_in_its_log_alone(influxdb, telegraf):
    agent = telegraf(AGENT + influxdb_output(influxdb) + exec_input(["/bin/sh", "-c", "echo m a=1; exit 3"]))
    done = agent.once()
    assert done.returncode == 0
    assert "E! [inputs.exec::pv]" in done.stderr
    assert influxdb.points("m") == []


def test_telegraf_test_prints_the_metrics(telegraf):
    program = ["/bin/sh", "-c", 'echo "m,k=v a=\\"$WORD\\" 1700000000000000000"']
    agent = telegraf(AGENT + exec_input(program), env={"WORD": "given"})
    assert agent.test().stdout == '> m,k=v a="given" 1700000000000000000\n'


def test_telegrafs_own_v2_listener_is_a_server_for_its_v2_output(telegraf, tmp_path):
    port = free_port()
    received = tmp_path / "received"
    server = telegraf(
        AGENT
        + f'[[inputs.influxdb_v2_listener]]\n  service_address = "127.0.0.1:{port}"\n  token = "secret"\n'
        + f'[[outputs.file]]\n  files = ["{received}"]\n'
    ).run()
    server.wait_for(lambda: listens(server.pid, port), "the v2 listener is our own")
    client = telegraf(
        AGENT
        + exec_input(["/bin/echo", "m a=1 1700000000000000000"])
        + f'[[outputs.influxdb_v2]]\n  urls = ["http://127.0.0.1:{port}"]\n'
        + '  token = "secret"\n  organization = "o"\n  bucket = "b"\n'
    )
    assert client.once().returncode == 0
    server.wait_for(lambda: received.exists() and received.read_text(), "the metric in the server's file")
    assert received.read_text() == "m a=1 1700000000000000000\n"


def test_faketime_moves_a_programs_clock(part):
    now = int(subprocess.run(["date", "+%s"], check=True, capture_output=True).stdout)
    back = subprocess.run([part("faketime"), "-f", "-3h", "date", "+%s"], check=True, capture_output=True)
    assert -3 * 3600 - 5 < int(back.stdout) - now < -3 * 3600 + 5
    env = {**os.environ, "LD_PRELOAD": part("libfaketime"), "FAKETIME": "-3h"}
    back = subprocess.run(["date", "+%s"], check=True, capture_output=True, env=env)
    assert -3 * 3600 - 5 < int(back.stdout) - now < -3 * 3600 + 5


def test_a_part_that_died_is_told_with_its_last_words(telegraf):
    process = telegraf("[agent]\nno_such_option = 1\n").run()
    with pytest.raises(AssertionError, match=r"ended with 1:(?s:.*)no_such_option"):
        process.wait_log("never said")
    process.signal(signal.SIGTERM)
