"""Numbers as ClickHouse reads, writes, divides and rounds them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from uuid import UUID

from queries.local.hogql.scalars.complaints import Complaint

_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPECIAL = {"inf": math.inf, "infinity": math.inf, "nan": math.nan}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)

Number = int | float


def number_text(value: Number | str | None) -> str | None:
    """A number as ClickHouse writes it: shortest digits, no `.0`, an exponent below 1e-6 and from 1e21 on."""
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, float):
        return value
    if value != value or value in (math.inf, -math.inf):
        return "nan" if value != value else "inf" if value > 0 else "-inf"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = fraction.rstrip("0")
    power = int(exponent)
    digits = whole + fraction
    if 0 <= power < 21:
        return sign + digits.ljust(power + 1, "0")
    if -7 < power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    return f"{sign}{whole}{'.' + fraction if fraction else ''}e{power}"


def to_float(value: Number | str | None) -> float | None:
    if not isinstance(value, str):
        return None if value is None else float(value)
    if _FLOAT.fullmatch(value):
        return float(value)
    word = value.lower()
    found = _SPECIAL.get(word.removeprefix("-"))
    return found if found is None or word[0] != "-" else -found


def to_int(value: Number | str | None) -> int | None:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value) or len(value) > 20:
            return None
        found = int(value)
    elif value is None or not math.isfinite(value) or value != int(value):
        return None
    else:
        found = int(value)
    return found if -(2**63) <= found < 2**63 else None


def divide(a: Number | None, b: Number | None) -> float | None:
    if a is None or b is None:
        return None
    if b:
        return a / b
    return math.copysign(math.inf, a) * math.copysign(1, b) if a else None


def finite(value: Number | None) -> Number | None:
    return value if value is None or math.isfinite(value) else None


def modulo(a: Number | None, b: Number | None) -> float | None:
    return math.fmod(a, b) if a is not None and b and math.isfinite(a) else None


def _rounding(whole: Callable[[float], float]) -> Callable[..., float | None]:
    def rounded(value: Number | None, places: int = 0) -> float | None:
        if value is None or places is None or not math.isfinite(value) or not -300 < places < 300:
            return value
        if places == 0:
            return math.copysign(float(whole(value)), value)
        scale = 10.0 ** abs(places)
        scaled = value * scale if places > 0 else value / scale
        if not math.isfinite(scaled) or abs(scaled) > 2**52:
            return value
        return float(whole(scaled)) / scale if places > 0 else float(whole(scaled)) * scale

    return rounded


def round_integer(value: int | None, places: int | None) -> int | None:
    """ClickHouse rounds halves of integers away from zero, those of floats to even."""
    if value is None or places is None or places >= 0:
        return value
    if places < -19:
        return 0
    scale = 10**-places
    rounded = (abs(value) + scale // 2) // scale * scale
    return rounded if value > 0 else -rounded


def int_divide(a: Number | None, b: Number | None) -> int | None:
    """Towards zero."""
    if a is None or b is None:
        return None
    if not b:
        raise Complaint("Division by zero")
    if isinstance(a, int) and isinstance(b, int):
        found = abs(a) // abs(b)
        return found if (a < 0) == (b < 0) else -found
    quotient = a / b
    if not abs(quotient) < 2**63:
        raise Complaint("The result of intDiv is not an integer")
    return int(quotient)


def int_modulo(a: int | None, b: int | None) -> int | None:
    """With the sign of `a`."""
    if a is None or b is None:
        return None
    if not b:
        raise Complaint("Division by zero")
    return abs(a) % abs(b) * (-1 if a < 0 else 1)


def greatest(*values: object) -> object:
    """NULLs are left out."""
    known = [value for value in values if value is not None]
    return max(known) if known else None  # type: ignore[type-var]


def least(*values: object) -> object:
    known = [value for value in values if value is not None]
    return min(known) if known else None  # type: ignore[type-var]


def _safe(function: Callable[..., float]) -> Callable[..., float | None]:
    """A mathematical function outside whose domain ClickHouse has NaN, which is NULL here."""

    def safe(*args: Number | None) -> float | None:
        if None in args:
            return None
        try:
            found = function(*args)
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError):
            return None
        return found if isinstance(found, float) and found == found else None

    return safe


def _log(function: Callable[[float], float]) -> Callable[[Number], float]:
    return lambda value: -math.inf if value == 0 else function(value)


def _cbrt(value: Number) -> float:
    return math.copysign(abs(value) ** (1 / 3), value)


def _sign(value: Number | None) -> int | None:
    return None if value is None else (value > 0) - (value < 0)


def to_uuid(value: object) -> str | None:
    try:
        return str(UUID(str(value)))
    except ValueError:
        return None


FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "hq_number_text": (1, number_text),
    "hq_float": (1, to_float),
    "hq_int": (1, to_int),
    "hq_finite": (1, finite),
    "hq_divide": (2, divide),
    "hq_modulo": (2, modulo),
    "hq_round": (-1, _rounding(round)),
    "hq_round_integer": (2, round_integer),
    "hq_int_divide": (2, int_divide),
    "hq_int_modulo": (2, int_modulo),
    "hq_greatest": (-1, greatest),
    "hq_least": (-1, least),
    "hq_floor": (-1, _rounding(math.floor)),
    "hq_ceil": (-1, _rounding(math.ceil)),
    "hq_trunc": (-1, _rounding(math.trunc)),
    "hq_sqrt": (1, _safe(math.sqrt)),
    "hq_cbrt": (1, _safe(_cbrt)),
    "hq_exp": (1, _safe(math.exp)),
    "hq_ln": (1, _safe(_log(math.log))),
    "hq_log2": (1, _safe(_log(math.log2))),
    "hq_log10": (1, _safe(_log(math.log10))),
    "hq_pow": (2, _safe(math.pow)),
    "hq_sign": (1, _sign),
    "hq_uuid": (1, to_uuid),
}
