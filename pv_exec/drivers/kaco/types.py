"""Type codes: the power a unit of that type can feed in at most, in W. Only ever an upper bound, with slack."""

import re

_RATED = {
    "2500xi": 2850, "3000xi": 2850, "3500xi": 3800, "3600xi": 4000, "4000xi": 4800, "4500xi": 5060, "5000xi": 6000,
    "6400xi": 6400, "6650xi": 6650, "7200xi": 7200, "8000xi": 8000,
    "4000su": 4800, "6400su": 6400, "6650su": 6650, "7200su": 7200, "8000su": 8000,
    "3200I": 2850, "4200I": 3450, "4400I": 4000, "5300I": 4800, "5500I": 5060, "6600I": 6000, "7700I": 6400,
    "7900I": 6650, "8600I": 7200, "9600I": 8000,
    "1501xi": 1650, "2501xi": 2750, "3501xi": 3600, "4501xi": 5060, "5001xi": 5100,
    "2002DE": 1650, "2002IN": 1650, "3002DE": 2500, "3002IN": 2500, "4202DE": 3500, "4202IN": 3500, "5002DE": 4200,
    "5002IN": 4200, "6002DE": 4600, "6002IN": 5000,
    "3x8k": 27500, "3x10k": 32900, "3x11k": 33300,
    "100TL": 9000, "120TL": 10000, "140TL": 12000, "300TL": 25000, "375TL": 30000, "390TL": 33300,
    "160TR": 13500, "180TR": 15000,
    "100kTR": 100000, "200kTR": 200000, "200kTL": 200000, "250kTR": 250000, "250kTL": 250000, "350kTL": 350000,
    "2901xi": 3500, "3601xi": 4400, "1502xi": 1650, "2502xi": 2500, "3502xi": 3500, "5002xi": 5000, "6400u": 6400,
    "7600u": 7600,
}  # fmt: skip
"""AN section 4 (North America: WIO). The …IS (supreme) equal the …I."""

_BY_NUMBER = (
    (
        r"(\d{2,3})(?:L\d\d|TL)",
        100,
    ),  # 086L32 = 8.6 TL3 (CAP: its serial number says so), 600TL = 60.0 TL3
    (r"(\d{1,2})X\d\d", 1000),  # 3X24 = NX3 of 3 kW (WIO)
    (r"(\d{2,3})k\w*", 1000),  # 50kH3P, 100k (KRTU)
)
"""Types whose number is their power; looked at after the table, whose powers are often lower."""


def rated_power(type_code: str) -> int | None:
    """W a unit of this type can feed in at most, None for a type we do not know.

    Real blueplanet codes carry leading zeros (CAP), the lists do not: both are found. A sub-inverter of a 000xi
    (`10k1`) has a third of its device.
    """
    code = type_code.strip().lstrip("0")
    if code in _RATED:
        return _RATED[code]
    if code.endswith("IS"):
        return _RATED.get(code[:-1])
    if code[:-1] in ("8k", "10k", "11k") and code[-1] in "123":
        return _RATED[f"3x{code[:-1]}"] // 3
    for pattern, unit in _BY_NUMBER:
        if match := re.fullmatch(pattern, code):
            return int(match[1]) * unit
    return None
