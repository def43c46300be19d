"""Events with every nasty value a loop could send, and queries over them that ClickHouse and the embedded store must
answer alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

NOW = datetime(2026, 4, 2, 9, 30, tzinfo=UTC)
ZONE = "Europe/Berlin"  # its clock goes forward on 29 March 2026 at 01:00 UTC
START = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)

VALUES: tuple[object, ...] = (
    None, "", "null", "0.5", " 1", "1e3", "NaN", "inf", "abc", "true", True, False, 0, 1, -3, 2.5, 1.0, 1e21, 1e-7,
    0.1, 12345678901234567, 'q"uote', 'end"', '"', "back\\slash", "tab\tnew\nline", "naïve ☕ ß", "O'Brien", "50%_x",
    [], [1, "a", None, 2.0], {}, {"b": {"c": "deep"}, "n": 1.50}, "-7", "+5", "2026-03-29", "2026-03-29 12:00:00",
    "日本語 🎉 x", "TRUE", "1.", ".5", "-0", "0x10", "1_000", " ", "2026-02-30", "2026-10-25T02:30:00+02:00", "１２",
    -0.0, 1e308, 2**63, -(2**63), 9007199254740993, 0.30000000000000004, 123456.789, "a_b%c", "[x](y)", "A.C",
    "aXc\nabc",
    {"a.b": 1, 'k"q': "v", "": "empty", "ü": [True, None, {"z": 1}], "back\\slash": "yes", "it's": 1.50},
    [[1, 2], [3]], ["1", "x", ""], [1.5, 2, None], [True, False], "\u202eevil\u200b", "e\u0301", "ǅ İ ſ",
)  # fmt: skip


def _event(number: int, name: str, minutes: float, properties: dict) -> dict:
    return {
        "event": name,
        "uuid": str(UUID(int=number + 1)),
        "distinct_id": f"autoagent:internal:agent{number % 3}",
        "timestamp": (START + timedelta(minutes=minutes)).isoformat(),
        "properties": properties,
    }


def events() -> list[dict]:
    found: list[dict] = []

    def add(name: str, minutes: float, **properties: object) -> None:
        found.append(_event(len(found), name, minutes, properties))

    for place, value in enumerate(VALUES):
        # `text` has no column of its own, `reason` and `score` have.
        properties = {"text": value, "place": place}
        properties |= {} if isinstance(value, list) else {"score": value}
        properties |= {} if isinstance(value, float | list) else {"reason": value}
        add("odd", 17 * place, **properties)
    add("odd", 5000.25)
    for place in range(40):
        project = ("autoagent", "autoresearch", None, "")[place % 4]
        common = {"round_id": f"r{place}", "client": ("acme", "internal")[place % 2]}
        common |= {} if project is None else {"project": project}
        minutes = place * 47.013
        add("round_started", minutes, **common, model=f"m{place % 3}", baseline_score=place / 10)
        add("proposal_generated", minutes + 1, **common, cost_usd=place / 100, latency_ms=place * 10)
        if place % 5:
            score = {"score": place * 0.37 % 1} if place % 7 else {"score": "crash"}
            dims = {"dim_naming": place / 40, "dim_coverage": 1 - place / 40} if place % 3 else {"dim_naming": 0.5}
            add("round_scored", minutes + 2, **common, **score, **dims, score_goal="max", git_sha=f"sha{place // 10}")
            kept = "round_kept" if place % 2 else "round_reverted"
            add(kept, minutes + 3, **common, cost_usd=place / 50, delta=place - 20, failure_mode="none")
    return found


# Moments around which clocks move, or a year or a leap day begins.
MOMENTS = (
    datetime(2024, 2, 28, 23, 30, tzinfo=UTC),
    datetime(2024, 12, 29, 23, 30, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 30, tzinfo=UTC),
    datetime(2025, 12, 31, 13, 0, tzinfo=UTC),
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),  # America/New_York forward
    datetime(2026, 3, 28, 1, 0, tzinfo=UTC),  # a day before
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),  # Europe/Berlin forward
    datetime(2026, 4, 4, 15, 0, tzinfo=UTC),  # Australia/Lord_Howe back by half an hour
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Australia/Lord_Howe forward by half an hour
    datetime(2026, 10, 25, 1, 0, tzinfo=UTC),  # Europe/Berlin back
    datetime(2026, 11, 1, 6, 0, tzinfo=UTC),  # America/New_York back
    datetime(2026, 12, 31, 23, 30, tzinfo=UTC),
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")


def clock_events() -> list[dict]:
    """Ticks 31 minutes and some microseconds apart around each of `MOMENTS`."""
    times = [at + timedelta(minutes=31 * tick - 65, microseconds=tick * 1001) for at in MOMENTS for tick in range(6)]
    return [
        {**_event(place, "tick", 0, {"n": place, "at": at.isoformat()}), "timestamp": at.isoformat()}
        for place, at in enumerate(times)
    ]


def queries() -> dict[str, str]:
    """What is asked of `events()`, by the name in the comment above each."""
    return _read("hogql_queries.sql") | _read("hogql_corners.sql")


def clock_queries() -> dict[str, str]:
    """What is asked of `clock_events()`, in each of `ZONES`."""
    return _read("hogql_clocks.sql")


def _read(file: str) -> dict[str, str]:
    parts = re.split(r"^-- (\w+)\n", (Path(__file__).with_name(file)).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


PLACEHOLDERS: dict[str, tuple[str, object]] = {
    "bucket": ("String", "hour"),
    "since": ("DateTime", datetime(2026, 3, 28, 23, 0, tzinfo=UTC)),
    "until": ("DateTime", datetime(2026, 3, 29, 12, 0, tzinfo=UTC)),
    "project": ("String", "autoagent"),
}
