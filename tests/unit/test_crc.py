"""CRC-16/X-25 against its definition, its check value and bytes of real inverters."""

from hypothesis import given, strategies as st

from pv_exec.wire.crc import crc16_x25


def bitwise(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc ^ 0xFFFF


def test_check_value_of_the_catalogue():
    assert crc16_x25(b"123456789") == 0x906E


def test_nothing_has_crc_zero():
    assert crc16_x25(b"") == 0


def test_worked_example_of_a_050l32():
    text = (
        b"*03n 20 050L32 4  384.1  1.26   488    3.3  0.00     0  227.5  0.97  226.3  0.95  227.1  0.93"
        b"   488   459 1.000  33.1   4964 "
    )
    assert len(text) == 125
    assert crc16_x25(text) == 0xAF9F


@given(st.binary(max_size=300))
def test_the_table_does_what_the_polynomial_says(data):
    assert crc16_x25(data) == bitwise(data)
