"""Numbers and names as people read them, for sentences and columns alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def score(value: float | None) -> str:
    """A score with the digits that tell two rounds apart: below 10 four decimals, the last left out where it is 0."""
    if value is None:
        return "–"
    magnitude = abs(value)
    if magnitude >= 1000:
        return f"{value:,.0f}"
    if magnitude >= 100:
        return f"{value:.1f}"
    if magnitude >= 10:
        return f"{value:.2f}"
    text = f"{value:.4f}"
    return text.removesuffix("0")


def score_in_column(value: float | None) -> str:
    """A score whose decimal point stands under its neighbours': always four decimals below 10."""
    return score(value) if value is None or abs(value) >= 10 else f"{value:.4f}"


def signed_in_column(change: float | None) -> str:
    """A change of score for a column; what four decimals would round away keeps two digits."""
    if change is None or abs(change) >= 10 or 0 < abs(change) < 0.00005:
        return signed(change)
    return f"{'−' if change < 0 else '+'}{abs(change):.4f}"


def size(change: float) -> str:
    """How much a score changed, without its sign: three decimals, and two digits for what three would round away."""
    value = abs(change)
    if value >= 10:
        return score(value)
    return f"{value:.3f}" if value >= 0.005 or not value else f"{value:.2g}"


def signed(change: float | None) -> str:
    """A change of score, always with its sign."""
    return "–" if change is None else f"{'−' if change < 0 else '+'}{size(change)}"


def money(value: float | None) -> str:
    """US dollars; cents below 100, tenths of a cent below 10 cents."""
    if value is None:
        return "–"
    if 0 < value < 0.0005:
        return "<$0.001"
    if abs(value) >= 100:
        return f"${value:,.0f}"
    return f"${value:.3f}" if 0 < abs(value) < 0.1 else f"${value:.2f}"


def share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f} %"


def lasting(seconds: float | None) -> str:
    """`8ms`, `340ms`, `4.2s`, `2m 05s`, `1h 02m`."""
    if seconds is None:
        return "–"
    if abs(seconds) < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if abs(seconds) < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes < 60 else f"{minutes // 60:,}h {minutes % 60:02}m"


def in_short(number: float | None) -> str:
    """Of something there is much of, like tokens: `940`, `12.3k`, `1.2M`."""
    if number is None:
        return "–"
    if abs(number) < 1000:
        return f"{number:.0f}"
    if abs(number) < 999_950:
        return f"{number / 1000:.1f}k"
    return f"{number / 1_000_000:,.1f}M" if abs(number) < 1e15 else f"{number:.1e}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 round`, `23 rounds`, `2 batches`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a`, `a and b`, `a, b and 4 more`."""
    if len(names) <= 1:
        return "".join(names)
    if len(names) <= most:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def day(instant: date) -> str:
    """`Thu 19 Nov` of a date, or of a time in its own zone."""
    return f"{instant:%a} {instant.day} {instant:%b}"


def bucket_label(name: str) -> str:
    """`18:00` of an hour's bucket, `19 Nov` of a day's; anything else as it comes."""
    if len(name) > 10:
        return name[11:16]
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return name[:10]
    return f"{day.day} {_MONTHS[day.month - 1]}"


def bucket_words(names: Sequence[str]) -> str:
    """`at 18:00`, `on 19 Nov`, `from 18:00 to 19:00`; nothing for no bucket."""
    if not names:
        return ""
    first, last = bucket_label(names[0]), bucket_label(names[-1])
    if first != last:
        return f"from {first} to {last}"
    return f"at {first}" if ":" in first else f"on {first}"
