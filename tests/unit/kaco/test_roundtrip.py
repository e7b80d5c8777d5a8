"""What the encoder sends the decoder understands, for every kind of answer and not only for recorded ones."""

import pytest
from hypothesis import assume, given, strategies as st

from pv_exec.drivers.kaco import checks, codec
from pv_exec.drivers.kaco.generic import LAYOUTS
from pv_exec.drivers.kaco.status import FAULTS, OPERATING, XP, is_fault, status_text
from pv_exec.drivers.kaco.types import rated_power

ADDRESS = st.integers(1, 32)
WORD = st.text("0123456789ABKLTXRxiuk", min_size=2, max_size=6)


def _decimal(most: int, decimals: int) -> st.SearchStrategy[float]:
    return st.integers(0, most).map(lambda n: n / 10**decimals)


@st.composite
def measured(draw, family):
    u_dc, u_ac = draw(_decimal(8000, 1)), draw(_decimal(2700, 1))
    i_dc, i_ac = draw(_decimal(2000, 2)), draw(_decimal(3000, 2))
    p_ac = int(u_ac * i_ac * (1.7 if family == "xp" else 1.0))
    answer = codec.Measured(
        draw(ADDRESS),
        draw(st.sampled_from("123")) if family == "000xi" else "0",
        family,
        draw(st.integers(0, 255)),
        u_dc,
        i_dc,
        int(u_dc * i_dc),
        u_ac,
        i_ac,
        p_ac,
        draw(st.integers(-9, 90)),
        draw(st.integers(0, 99_999)),
        draw(WORD if family == "xp" else st.none() | WORD),
        draw(st.integers(0, 999_999)) if family == "xp" else None,
    )
    assume(checks.measured(answer) is None)
    return answer


def _query(answer: codec.Measured) -> codec.Live | codec.Sub:
    return (
        codec.Sub(answer.address, int(answer.command))
        if answer.family == "000xi"
        else codec.Live(answer.address)
    )


@given(st.sampled_from(["00", "000xi", "xp"]).flatmap(measured), st.booleans(), st.booleans())
def test_measured(answer, padded, zeros):
    frame = codec.encode_answer(answer, padded=padded, zeros=zeros)
    query = _query(answer)
    assert query.answer(frame, ended=answer.type is None) == answer
    assert all(query.answer(frame[:cut], ended=False) is None for cut in range(len(frame)))


@st.composite
def generic(draw):
    elements = draw(st.sampled_from([16, 17, 20, 23]))
    layout = LAYOUTS[elements]
    strings = []
    for _ in range(layout.strings):
        u, i = draw(_decimal(9000, 1)), draw(_decimal(3000, 2))
        strings.append(codec.String(u, i, int(u * i) if layout.with_power else None))
    p_dc = int(sum(s.u * s.i for s in strings))
    phases = tuple(codec.Phase(230.0, round(p_dc / 690, 2)) for _ in range(3))
    answer = codec.Generic(
        draw(ADDRESS), elements, draw(WORD), draw(st.integers(0, 255)), tuple(strings), phases, p_dc,
        p_dc + 0.5 if elements == 17 else p_dc, draw(_decimal(1000, 3)), draw(st.sampled_from(["", "i", "c", "o"])),
        draw(_decimal(1000, 2).map(lambda f: 45 + f)) if elements == 17 else None, draw(_decimal(900, 1)),
        draw(st.integers(0, 10_000_000)),
    )  # fmt: skip
    if answer.frequency is not None:
        answer = answer._replace(frequency=round(answer.frequency, 2))
    assume(checks.generic(answer) is None)
    return answer


@given(generic())
def test_generic(answer):
    frame = codec.encode_answer(answer)
    query = codec.Live(answer.address)
    assert query.answer(frame, ended=False) == answer
    assert all(query.answer(frame[:cut], ended=False) is None for cut in range(len(frame)))


@given(
    ADDRESS,
    WORD,
    st.integers(0, 255),
    st.lists(st.text("0123456789.-xyz", min_size=1, max_size=6), max_size=22),
)
def test_an_unknown_layout(address, kind, status, tokens):
    elements = 3 + len(tokens)
    assume(elements not in LAYOUTS)
    frame = codec.encode_answer(codec.Generic(address, elements, kind, status, tokens=tuple(tokens)))
    answer = codec.Live(address).answer(frame, ended=False)
    assert isinstance(answer, codec.Generic)
    assert answer._replace(energy_today=None) == codec.Generic(
        address, elements, kind, status, tokens=tuple(tokens)
    )
    assert answer.energy_today is None or str(answer.energy_today) == tokens[-1]


MINUTES = st.integers(0, 999_999 * 60 + 59).map(lambda m: m / 60)


@given(
    st.none() | ADDRESS,
    *[st.integers(0, 99_999)] * 2,
    *[st.integers(0, 999_999)] * 2,
    MINUTES,
    MINUTES,
    st.booleans(),
)
def test_totals(address, peak, today, clearable, total, hours, more_hours, zeros):
    answer = codec.Totals(address, peak, today, clearable, total, hours % 24, hours, more_hours)
    answer = answer._replace(hours_today=round(hours % 24 * 60) / 60)
    query = codec.TotalsOf(address or 1, today)
    frame = codec.encode_answer(answer, hours_zeros=zeros)
    assert query.answer(frame, ended=False) == answer
    assert all(query.answer(frame[:cut], ended=False) is None for cut in range(len(frame)))
    without = codec.encode_answer(answer, header=False, hours_zeros=zeros)
    assert len(without) == 59
    assert query.answer(without, ended=False) == answer._replace(address=None)


@given(ADDRESS, WORD, st.booleans())
def test_type(address, kind, padded):
    frame = codec.encode_answer(codec.TypeName(address, kind), padded=padded)
    assert codec.TypeOf(address).answer(frame, ended=False) == codec.TypeName(address, kind)


@given(ADDRESS, st.text("0123456789.TL", min_size=1, max_size=20))
def test_serial(address, serial):
    frame = codec.encode_answer(codec.Serial(address, serial))
    assert codec.SerialOf(address).answer(frame, ended=False) == codec.Serial(address, serial)


@pytest.mark.parametrize(
    "answer",
    [
        codec.Measured(1, "0", "00", 4, 1000.0, 0.78, 304, 229.1, 1.29, 264, 29, 17249),
        codec.Measured(1, "0", "00", 4, 390.9, 0.78, 123456, 229.1, 1.29, 264, 29, 17249),
        codec.Generic(
            1, 20, "x", 4, (codec.String(1.0, 1.0, 1),), (codec.Phase(1.0, 1.0),), 1, 1, 1.0, "", None, 1.0, 1
        ),
        codec.Generic(1, 9, "x", 4, tokens=("1",)),
        codec.Totals(None, 1, 1, 1, 12_345_678, 1.0, 1.0, 1.0),
    ],
)
def test_what_does_not_fit_its_field_is_not_sent(answer):
    with pytest.raises(ValueError, match=r"fit|elements"):
        codec.encode_answer(answer)


def test_rated_power():
    expected = {
        "6400xi": 6400, "3600xi": 4000, "9600I": 8000, "9600IS": 8000, "6002IN": 5000, "6002DE": 4600, "390TL": 33300,
        "086L32": 8600, "050L32": 5000, "200L32": 20000, "3X24": 3000, "50kH3P": 50000, "100k": 100000, "200kTL": 200000,
        "600TL": 60000, "10k1": 10966, "3x10k": 32900, "SG3502": None, "": None, "nonsense": None,
    }  # fmt: skip
    assert {code: rated_power(code) for code in expected} == expected


def test_status_tables():
    assert not OPERATING.keys() & FAULTS.keys()
    assert status_text(4) == "feeding in, MPP search"
    assert is_fault(48)
    assert not is_fault(4)
    assert not is_fault(121)
    for undefined in (20, 56, 121, 130, 255):
        assert status_text(undefined) is None
    # An XP feeds in with 35, which is a fault of every string inverter.
    assert is_fault(35)
    assert not is_fault(35, xp=True)
    assert status_text(35, xp=True) == XP[35]
    assert status_text(4, xp=True) is None
