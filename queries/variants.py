"""What rounds saw of the flags: how many which variant in a window, and what they scored by an experiment's plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from queries.backend import Backend, QueryResult
from queries.catalog import catalog
from queries.views.answers import records
from queries.views.experiment import (
    Distribution,
    Experiment,
    Plan,
    Sample,
    distribution,
    loop_of,
    of_samples,
    samples,
    variant_of,
)
from queries.views.filters import Filters
from queries.views.window import Span, Window

SEVERAL = ""
"""In the place of a variant: the flag changed within the round."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Rounds of a window by flag and variant. `is_cut`: there are more than were counted."""

    window: Window
    filters: Filters
    rounds: Mapping[str, Mapping[str, int]]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """An experiment's rounds in `span`. `by_loop` holds the variants' scores of each loop, where there is more than
    one. `is_cut`: the oldest rounds are missing."""

    span: Span
    asked_at: datetime
    found: Experiment
    by_loop: tuple[tuple[str, tuple[Distribution, ...]], ...] = ()
    is_cut: bool = False


def seen(backend: Backend, window: Window, filters: Filters) -> Seen:
    """Blocking. Raises `LoopdeskError`."""
    result = asked(backend, window.span, project=filters.project, client=filters.client)
    found: dict[str, dict[str, int]] = {}
    for row in records(result):
        if window.run_id and row["run_id"] != window.run_id:
            continue
        variant = variant_of(row["variant"]) if row["n_variants"] == 1 else SEVERAL
        by_variant = found.setdefault(row["flag"], {})
        by_variant[variant] = by_variant.get(variant, 0) + 1
    return Seen(window, filters, {flag: dict(sorted(by.items())) for flag, by in found.items()}, result.is_cut)


def compared(backend: Backend, plan: Plan, span: Span) -> Compared:
    """Blocking. All rounds of the plan's flag, whatever the desk is filtered by: a plan is about all of them. Raises
    `LoopdeskError`."""
    result = asked(backend, span, flag=plan.flag)
    found, mixed = samples(records(result), plan.flag)
    whole = of_samples(found, plan, result.timezone, mixed=mixed)
    names = [one.variant for one in whole.distributions]
    loops = sorted({loop_of(sample) for sample in found})
    by_loop = [(loop, [sample for sample in found if loop_of(sample) == loop]) for loop in loops]
    return Compared(
        span,
        result.asked_at,
        whole,
        tuple((loop, _distributions(mine, names)) for loop, mine in by_loop) if len(loops) > 1 else (),
        result.is_cut,
    )


def _distributions(found: Sequence[Sample], names: Sequence[str]) -> tuple[Distribution, ...]:
    scores = {name: [sample.score for sample in found if sample.variant == name] for name in names}
    return tuple(distribution(name, each, found[0].goal) for name, each in scores.items() if each)


def asked(backend: Backend, span: Span, **given: str) -> QueryResult:
    """`round_variants`' rows; `given` narrows by flag, project and client. Blocking. Raises `LoopdeskError`."""
    question = catalog.load("round_variants")
    values = question.values({"since": span.since, "until": span.until, **given})
    return backend.query(question.text, values, question.types)
