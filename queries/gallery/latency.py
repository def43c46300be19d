"""How long each model takes to answer, and how often it does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit, Value, empty
from queries.statistics import same_mix
from queries.views import drill
from queries.views.answers import buckets, records
from queries.views.window import Window
from queries.views.words import counted, lasting, share

NO_MODEL = "(no model)"
FEWEST = 20
"""Calls below which nothing is said of a model: p95 is then the slowest of them, whatever that was."""
COMPARABLE = 100
"""Calls on each side before a change is named: p95 rests on the slowest twentieth of them."""
SLOWER = 1.5
"""How many times the earlier p95 is worth a word."""
UNRELIABLE = 0.05
"""Share of calls that fail."""
FEWEST_FAILED = 5
MOST_CHANCE = 0.001


@dataclass(frozen=True, slots=True)
class Calls:
    """Where calls are heard of. `latency` is the property that says how long one took."""

    event: str
    noun: str
    latency: str
    tells_failures: bool


GENERATIONS = Calls("$ai_generation", "call", "$ai_latency", tells_failures=True)
ROUTER = Calls("token_machine.request", "request", "latency_ms", tells_failures=False)


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `failed` is None where nobody says; `slower` is p95 by the p95 before, None where either rests on too
    few calls."""

    name: str
    calls: int
    failed: int | None
    timed: int
    median_s: float | None
    p95_s: float | None
    p95_before_s: float | None
    slower: float | None
    fails_more: bool
    course: tuple[float | None, ...]

    @property
    def is_few(self) -> bool:
        return self.calls < FEWEST

    @property
    def failing(self) -> float | None:
        """Share of the calls."""
        return self.failed / self.calls if self.failed is not None and self.calls else None

    @property
    def is_unreliable(self) -> bool:
        return not self.is_few and (self.failed or 0) >= FEWEST_FAILED and (self.failing or 0.0) >= UNRELIABLE


def latency(window: Window, calls: Calls, now: QueryResult, before: QueryResult, over_time: QueryResult) -> Sheet:
    """From `model_latency`'s or `router_latency`'s rows of both spans, and the rows of its course. Slowest first, then
    the models with too few calls to tell."""
    names = buckets(window, now.timezone)
    models = _models(records(now), records(before), _courses(records(over_time)), names, calls)
    if not models:
        return empty(f"No model {calls.noun} in this window.")
    with_failures = (Column("failed", Unit.SHARE, 2),) if calls.tells_failures else ()
    columns = (
        Column("model"),
        Column("p95", Unit.SECONDS),
        Column("before", Unit.SECONDS, 4),
        Column("median", Unit.SECONDS, 1),
        Column(f"{calls.noun}s", Unit.COUNT, 3),
        *with_failures,
        Column("p95 over time", Unit.COURSE, 1),
    )
    rows = tuple(_row(model, calls) for model in models)
    notes = tuple(_notes(models, calls))
    return Sheet(_verdict(models, calls, window.compared_with), columns, rows, names, notes=notes)


def _models(
    rows: Sequence[Mapping],
    earlier: Sequence[Mapping],
    courses: Mapping[str, Mapping[str, float | None]],
    names: Sequence[str],
    calls: Calls,
) -> list[Model]:
    before = {row["model"] or "": row for row in earlier}
    found = []
    for row in rows:
        then, course = before.get(row["model"] or "", {}), courses.get(row["model"] or "", {})
        found.append(
            Model(
                name=row["model"] or NO_MODEL,
                calls=row["calls"],
                failed=row["errors"] if calls.tells_failures else None,
                timed=row["timed"],
                median_s=row["median_s"],
                p95_s=row["p95_s"],
                p95_before_s=then.get("p95_s"),
                slower=_slower(row, then),
                fails_more=calls.tells_failures and _fails_more(row, then),
                course=tuple(course.get(name) for name in names),
            )
        )
    return sorted(found, key=lambda model: (model.timed < FEWEST, -(model.p95_s or 0.0), model.name))


def _slower(row: Mapping, then: Mapping) -> float | None:
    if min(row["timed"], then.get("timed", 0)) < COMPARABLE or not row["p95_s"] or not then["p95_s"]:
        return None
    return row["p95_s"] / then["p95_s"]


def _fails_more(row: Mapping, then: Mapping) -> bool:
    if min(row["calls"], then.get("calls", 0)) < FEWEST or row["errors"] < FEWEST_FAILED:
        return False
    table = [[side["errors"], max(0, side["calls"] - side["errors"])] for side in (row, then)]
    return row["errors"] / row["calls"] > then["errors"] / then["calls"] and same_mix(table) < MOST_CHANCE


def _courses(rows: Sequence[Mapping]) -> dict[str, dict[str, float | None]]:
    """p95 of each bucket, by model."""
    known: dict[str, dict[str, float | None]] = defaultdict(dict)
    for row in rows:
        known[row["model"] or ""][row["bucket"]] = row["p95_s"]
    return known


def _row(model: Model, calls: Calls) -> Row:
    word, tone = _word(model, calls)
    failing: tuple[Value, ...] = (model.failing,) if calls.tells_failures else ()
    return Row(
        (model.name, model.p95_s, model.p95_before_s, model.median_s, model.calls, *failing, model.course),
        word,
        tone,
        drill.called(model.name, calls.event),
    )


def _word(model: Model, calls: Calls) -> tuple[str, Tone]:
    if model.is_few:
        return f"few {calls.noun}s", Tone.PLAIN
    if model.is_unreliable:
        return "unreliable", Tone.BAD
    if model.fails_more:
        return "fails more", Tone.BAD
    if model.slower and model.slower >= SLOWER:
        return "slower", Tone.BAD
    if model.slower and model.slower <= 1 / SLOWER:
        return "faster", Tone.GOOD
    return "", Tone.PLAIN


def _verdict(models: Sequence[Model], calls: Calls, compared_with: str) -> str:
    total = sum(model.calls for model in models)
    known = [model for model in models if model.timed >= FEWEST]
    further = _further(models, known, calls, compared_with)
    if known:
        slowest = known[0]
        is_slowest = " is slowest" if len(known) > 1 else ""
        said = f"{slowest.name}{is_slowest}: p95 {lasting(slowest.p95_s)}"
        if slowest.slower and slowest.slower >= SLOWER:
            said += f", {slowest.slower:.1f}× {compared_with}"
        else:
            said += f", median {lasting(slowest.median_s)}"
        return f"{said}; {further}." if further else f"{said}."
    if not any(model.timed for model in models):
        said = f"Nobody sends {calls.latency}"
        return f"{said}; {further}." if further else f"{said}."
    many = max(model.timed for model in models)
    return f"{counted(total, calls.noun)}, at most {many} timed of one model: too few to tell how slow one is."


def _further(models: Sequence[Model], known: Sequence[Model], calls: Calls, compared_with: str) -> str:
    """What else is worth a clause: a model that fails, one that got slower, else how many calls failed at all."""
    failing = max(
        (model for model in models if model.is_unreliable or model.fails_more),
        key=lambda model: model.failing or 0.0,
        default=None,
    )
    if failing:
        return f"{share(failing.failing)} of {failing.name}'s {calls.noun}s failed"
    slower = max((model for model in known[1:] if model.slower), key=lambda model: model.slower or 0.0, default=None)
    if slower and (slower.slower or 0.0) >= SLOWER:
        return f"{slower.name} {slower.slower:.1f}× {compared_with}"
    if not calls.tells_failures:
        return ""
    failed, total = sum(model.failed or 0 for model in models), sum(model.calls for model in models)
    return f"{failed:,} of {counted(total, calls.noun)} failed"


def _notes(models: Sequence[Model], calls: Calls) -> Iterator[str]:
    total, nouns = sum(model.calls for model in models), f"{calls.noun}s"
    answered = total - sum(model.failed or 0 for model in models)
    timed = sum(model.timed for model in models)
    of = f"answered {nouns}" if calls.tells_failures else nouns
    yield from missing.shares(answered, of, [(answered - timed, f"carry no {calls.latency}")])
    unnamed = sum(model.calls for model in models if model.name == NO_MODEL)
    yield from missing.shares(total, nouns, [(unnamed, "name no model")])
    if not calls.tells_failures:
        yield f"{calls.event} does not say which {nouns} failed."
