import random

import pytest
from hypothesis import given, strategies as st

from pv_exec.sim import uart

RECORDED = [
    (b"#010\r\n", "6ed6f656eb00"),
    (b"#013\r\n", "6ed69656eb00"),
    (b"#040\r\n", "6e76f656eb00"),
    (b"#043\r\n", "6e769656eb00"),
    (b"#010\r", "6ed6f65600"),
    (b"#100\r", "6e67f65600"),
    (b"#200\r", "6eb3f65600"),
]
"""Request → the garbage that was recorded before its answer (facts: K485, §13.2 of the Kaco sheet)."""


@pytest.mark.parametrize(("request_bytes", "garbage"), RECORDED)
def test_the_recorded_garbage_is_the_request_upside_down(request_bytes, garbage):
    assert uart.inverted(request_bytes).hex() == garbage


@given(st.binary(max_size=80))
def test_what_is_sent_is_received(data):
    assert uart.received(uart.levels(data)) == data


def test_the_idle_line_says_nothing():
    assert uart.received([1] * 50) == b""


def test_a_line_held_low_is_one_zero_byte():
    assert uart.received([1, 1, 0, 0, 0]) == b"\0"


@given(
    st.binary(min_size=2, max_size=40), st.binary(min_size=2, max_size=40), st.integers(0, 300), st.integers()
)
def test_a_collision_leaves_what_came_before_it(first, second, later, seed):
    dice = random.Random(seed)
    heard = uart.overlaid(first, second, later, lambda: dice.getrandbits(1))
    clean = min(later // uart.BITS, len(first))
    assert heard[:clean] == first[:clean]


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_one_after_the_other_is_no_collision(first, second):
    def coin() -> int:
        raise AssertionError

    assert uart.overlaid(first, second, len(first) * uart.BITS, coin) == first + second
