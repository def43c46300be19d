"""What a signal is about by its fields, not by its words: whose loop, which dimension, metric, exception, deploy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.model import Signal

# Metrics that tell one thing in several measures: a round that costs more, a kept round that costs more, and prompts
# that got longer are one night's spending.
_FAMILIES = {
    "spending": ("cost_", "prompt_tokens", "completion_tokens"),
    "kept": ("kept_",),
    "escalations": ("escalation",),
}


@dataclass(frozen=True, slots=True)
class Structure:
    """Empty where a signal does not say. `metrics` are families where there is one. `git_sha` is the code that ran;
    one that `blames` it compared it with the code before."""

    project: str = ""
    client: str = ""
    dimension: str = ""
    fingerprint: str = ""
    git_sha: str = ""
    blames: bool = False
    metrics: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    kinds: tuple[tuple[str, str], ...] = ()
    """What tells two conditions of one metric apart: which anomaly, model, reason or stage."""

    def searched_by(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """What it is searched by, the most telling first: the name of the search, and the values."""
        if self.fingerprint:
            yield "fingerprint", (self.fingerprint,)
        if self.project and self.dimension:
            yield "dimension", (self.project, self.client, self.dimension)
        if self.project:
            for metric in sorted(self.metrics):
                yield "metric", (self.project, self.client, metric)
            if self.git_sha:
                yield "git_sha", (self.project, self.git_sha)


def structure(signal: Signal) -> Structure:
    extra = signal.extra
    numbers = extra.get("numbers")
    compared = numbers if isinstance(numbers, Mapping) and extra.get("git_sha_before") else {}
    named = [_text(extra, "metric"), *(name for name, value in compared.items() if isinstance(value, Mapping))]
    clients = extra.get("clients")
    return Structure(
        project=_text(extra, "project"),
        client=_text(extra, "client"),
        dimension=_text(extra, "dimension").removeprefix("dim_"),
        fingerprint=_text(extra, "fingerprint"),
        git_sha=_text(extra, "git_sha"),
        blames=bool(extra.get("git_sha_before")) or signal.source_type.startswith("deploy"),
        metrics=frozenset(_family(name) for name in named if name),
        clients=frozenset(str(one) for one in clients) if isinstance(clients, list | tuple) else frozenset(),
        kinds=tuple((name, value) for name in ("anomaly", "model", "reason", "stage") if (value := _text(extra, name))),
    )


def _family(metric: str) -> str:
    return next((family for family, begins in _FAMILIES.items() if metric.startswith(begins)), metric)


def _text(extra: Mapping[str, object], name: str) -> str:
    value = extra.get(name)
    return value if isinstance(value, str) else ""
