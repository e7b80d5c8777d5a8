"""The one CRC of the three protocols."""


def _row(byte: int) -> int:
    crc = byte
    for _ in range(8):
        crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc


_TABLE = tuple(_row(byte) for byte in range(256))


def crc16_x25(data: bytes) -> int:
    """CRC-16/X-25 (polynomial 0x1021 reflected, start and final xor 0xFFFF), 0…65535; of b"123456789" it is 0x906E.

    Kaco's generic protocol prints it as four upper-case hex digits (KRTU, CAP, UART, WIO: 22 real frames). It is also
    the frame check sequence of HDLC.
    """
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFF
