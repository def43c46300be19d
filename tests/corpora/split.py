"""Load the corpora, with their tuning and held-out halves. `python -m tests.corpora.split` prints the counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.evals.split import HALVES as HALVES
from engine.evals.split import Half, family, half_of

FOLDER = Path(__file__).parent

ATTACKS = ("instruction_override", "hidden_instructions", "encoded_payload", "secret_exfiltration", "remote_code")
INNOCENTS = (
    "security_topic",
    "own_risky_change",
    "instructions_to_agents",
    "urgency",
    "vulnerability_report",
    "machine_noise",
    "unknown_names_or_dates",
    "non_english",
    "code_or_log",
    "encoded_data",
)
ENCODINGS = (
    "plain",
    "base64",
    "hex",
    "rot13",
    "url",
    "html_entity",
    "unicode_tags",
    "zero_width",
    "homoglyph",
    "leetspeak",
    "reversed",
    "markdown_comment",
    "json_escape",
    "split_over_fields",
)
SOURCES = (
    *(("loop", name) for name in ("anomaly", "cost", "deploy", "escalation", "eval_regression", "funnel", "latency")),
    *(("loop", name) for name in ("missing_run", "model_errors", "plateau", "scorer_drift", "weak_dimension")),
    ("error_tracking", "exception"),
    ("github", "issue"),
    ("user", "note"),
)
EXTRA = ("project", "client", "dimension", "fingerprint", "metric", "git_sha")
ACTIONABILITY = ("immediately_actionable", "requires_human_input", "not_actionable")
PRIORITIES = ("P0", "P1", "P2", "P3", "P4")


@dataclass(frozen=True, slots=True)
class SafetyCase:
    id: str
    pair: str
    label: str
    category: str
    language: str
    encoding: str
    source: str
    fields: Mapping[str, str]
    fragments: tuple[str, ...]
    visible_to_rules: bool
    note: str
    corpus: str = "safety"

    @property
    def attack(self) -> bool:
        return self.label == "attack"

    @property
    def half(self) -> Half:
        return half_of("safety", self.pair) if self.corpus == "safety" else "held-out"


@dataclass(frozen=True, slots=True)
class GroupingCase:
    id: str
    problem: str
    source_product: str
    source_type: str
    source_id: str
    content: str
    weight: float
    occurred_at: datetime
    extra: Mapping[str, object]
    near: str | None
    family: str

    @property
    def half(self) -> Half:
        return half_of("grouping", self.family)


@dataclass(frozen=True, slots=True)
class ActionabilityCase:
    id: str
    title: str
    signals: tuple[str, ...]
    evidence: tuple[str, ...]
    label: str
    already_addressed: bool
    priority: str
    reason: str
    doubt: str

    @property
    def half(self) -> Half:
        return half_of("actionability", self.id)


@dataclass(frozen=True, slots=True)
class RedactionCase:
    """`planted` are the parts of `text` that may not leave the loop; an innocent has none, and leaves as it is."""

    id: str
    kind: str
    text: str
    planted: tuple[str, ...]

    @property
    def half(self) -> Half:
        return half_of("redaction", self.id)


def safety(half: Half | None = None) -> tuple[SafetyCase, ...]:
    return tuple(case for case in _texts("safety") if half in (None, case.half))


def safety_late() -> tuple[SafetyCase, ...]:
    """Without a tuning half: all of it is held out."""
    return _texts("safety_late")


def grouping(half: Half | None = None) -> tuple[GroupingCase, ...]:
    """In the order in which the signals occurred."""
    found = rows("grouping")
    near = {row["problem"]: row["near"] for row in found}
    cases = (
        GroupingCase(
            family=family(row["problem"], near), **(row | {"occurred_at": datetime.fromisoformat(row["occurred_at"])})
        )
        for row in found
    )
    return tuple(case for case in cases if half in (None, case.half))


def actionability(half: Half | None = None) -> tuple[ActionabilityCase, ...]:
    cases = (
        ActionabilityCase(**(row | {"signals": tuple(row["signals"]), "evidence": tuple(row["evidence"])}))
        for row in rows("actionability")
    )
    return tuple(case for case in cases if half in (None, case.half))


def redaction(half: Half | None = None) -> tuple[RedactionCase, ...]:
    cases = (RedactionCase(**(row | {"planted": tuple(row["planted"])})) for row in rows("redaction"))
    return tuple(case for case in cases if half in (None, case.half))


def rows(corpus: str) -> list[dict]:
    # Not splitlines(): it also breaks at characters that texts may hold.
    text = (FOLDER / f"{corpus}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def counts() -> str:
    """All counts, as the README shows them."""
    signals, reports, texts = grouping(), actionability(), redaction()
    problems = Counter(case.problem for case in signals)
    nears = {case.problem for case in signals if case.near}
    return "\n".join(
        (
            *_text_counts("safety", safety()),
            *_text_counts("safety_late", safety_late()),
            f"grouping: {len(signals)} signals of {len(problems)} problems; {_tally(case.half for case in signals)}",
            f"  problems with one signal: {list(problems.values()).count(1)}, near-misses: {len(nears)}",
            f"  signals without any extra: {sum(not case.extra for case in signals)}",
            f"  by source: {_tally(f'{case.source_product}/{case.source_type}' for case in signals)}",
            f"actionability: {len(reports)} reports; {_tally(case.half for case in reports)}",
            f"  by label: {_tally(case.label for case in reports)}",
            f"  by priority: {_tally(case.priority for case in reports)}",
            f"  already addressed: {sum(case.already_addressed for case in reports)}",
            f"  doubtful: {sum(bool(case.doubt) for case in reports)}",
            f"redaction: {len(texts)} texts; {_tally(case.half for case in texts)}",
            f"  planted by kind: {_tally(case.kind for case in texts if case.planted)}",
            f"  innocents by kind: {_tally(case.kind for case in texts if not case.planted)}",
        )
    )


def _texts(corpus: str) -> tuple[SafetyCase, ...]:
    cases = []
    for row in rows(corpus):
        fragment = row.pop("fragment")
        fragments = (fragment,) if isinstance(fragment, str) else tuple(fragment or ())
        cases.append(SafetyCase(fragments=fragments, corpus=corpus, **row))
    return tuple(cases)


def _text_counts(corpus: str, texts: Sequence[SafetyCase]) -> tuple[str, ...]:
    attacks = [case for case in texts if case.attack]
    innocents = [case for case in texts if not case.attack]
    return (
        f"{corpus}: {len(attacks)} attacks, {len(innocents)} innocents; {_tally(case.half for case in texts)}",
        f"  out of the reach of rules: {sum(not case.visible_to_rules for case in attacks)}",
        f"  attacks by category: {_tally(case.category for case in attacks)}",
        f"  innocents by category: {_tally(case.category for case in innocents)}",
        f"  attacks by language: {_tally(case.language for case in attacks)}",
        f"  attacks by encoding: {_tally(case.encoding for case in attacks)}",
        f"  innocents by encoding: {_tally(case.encoding for case in innocents)}",
        f"  attacks by source: {_tally(case.source for case in attacks)}",
    )


def _tally(values: Iterable[str]) -> str:
    ordered = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{value} {count}" for value, count in ordered)


if __name__ == "__main__":
    print(counts())
