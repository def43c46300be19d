"""What the engine asks of judgement, and the form of the answers.

Two give them behind one protocol: rules (`engine.rules`), which need nothing, and a model (`engine.model_judge`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from engine.model import Signal
from workspace.errors import LoopdeskError

THREATS = ("instruction_override", "hidden_instructions", "encoded_payload", "secret_exfiltration", "remote_code")
"""How a text can try to manipulate whoever reads it (the public reference's five)."""
Actionability = Literal["immediately_actionable", "requires_human_input", "not_actionable"]
MOST_QUERIES = 3
# Of a signal, wherever it is shown: what safety did not read, nothing reads.
MOST_TEXT, MOST_SIGNAL, MOST_NAME = 4_000, 12_000, 100
_DEEPEST = 8


class Unavailable(LoopdeskError):
    """No judgement can be had now: what waits for it is held and never passed. `retry_at` None is "later"."""

    def __init__(self, what: str, meaning: str = "", do: str = "", *, retry_at: datetime | None = None) -> None:
        self.retry_at = retry_at
        super().__init__(what, meaning, do)


@dataclass(frozen=True, slots=True)
class SignalText:
    """Every text of a signal that can reach a model, by the name of its field. `source` is `product/type`."""

    source: str
    fields: Mapping[str, str]


def texts_of(signal: Signal) -> SignalText:
    """The content, and all names and texts in `extra`, however deep."""
    found = {"content": signal.content, "source_id": signal.source_id}
    found |= dict(_texts("extra", signal.extra, 0))
    return SignalText(f"{signal.source_product}/{signal.source_type}", found)


def _texts(name: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif depth == _DEEPEST:
        yield name, str(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(f"{name}.{key}", inner, depth + 1)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _texts(f"{name}.{place}", inner, depth + 1)


def shown(text: SignalText) -> dict[str, str]:
    """A signal as it is shown to a model: its source and its texts, each clipped, until the signal is full."""
    found: dict[str, str] = {"source": clipped(text.source, MOST_NAME)}
    room = MOST_SIGNAL
    for name, value in text.fields.items():
        name = clipped(name, MOST_NAME)
        value = clipped(value, min(MOST_TEXT, room - len(name)))
        if room <= len(name) or name in found:
            continue
        found[name] = value
        room -= len(name) + len(value)
    return found


def clipped(text: str, most: int = MOST_TEXT) -> str:
    return text[: max(0, most)]


@dataclass(frozen=True, slots=True)
class Safety:
    """`threat` is one of `THREATS` and `quote` the offending fragment as it stands, both empty where it is safe."""

    is_safe: bool
    threat: str = ""
    quote: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A report that a signal may belong to. `found_by` names the searches that found it, of `searches` that were made;
    `similarity` is the nearest's cosine; `examples` are its signals that were found, the nearest first."""

    report_id: str
    title: str
    signals: int
    found_by: tuple[str, ...]
    searches: int
    similarity: float
    examples: tuple[Signal, ...]
    corrections: tuple[str, ...] = ()
    """What was joined to it and split off it by hand, in sentences."""


@dataclass(frozen=True, slots=True)
class Match:
    """`report_id` is one of the candidates', or empty for a report of its own. The reason comes first, because whoever
    says why decides better."""

    reason: str
    report_id: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An answer of the catalog about a report: `question` with `parameters`, and what it says in one sentence."""

    question: str
    said: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """What a report is judged from. `signals` are by id, oldest first; `context` is what humans added; `memory` are
    notes that may bear on it."""

    report_id: str
    title: str
    signals: Mapping[str, Signal]
    evidence: Sequence[Evidence] = ()
    context: Sequence[str] = ()
    memory: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """`reason` says why the actionability, `priority_reason` why the priority (P0 to P4). `title` has at most 70
    characters, `summary` at most 200 words. `question` is what a human is asked; empty unless input is required."""

    actionability: Actionability
    reason: str
    priority: str
    priority_reason: str
    title: str
    summary: str
    question: str = ""
    already_addressed: bool = False


class Judge(Protocol):
    """Every method raises `Unavailable` where no answer can be had, also for one that is malformed after its repair."""

    @property
    def name(self) -> str:
        """`rules`, or the model's."""
        ...

    async def safety(self, text: SignalText) -> Safety:
        """Whether one signal's texts manipulate whoever reads them."""
        ...

    async def safety_together(self, texts: Sequence[SignalText]) -> Safety:
        """The same of a whole report: an attack can be split over signals."""
        ...

    async def queries(self, signal: Signal) -> Sequence[str]:
        """1 to 3 short texts that say what the signal is about, to search by."""
        ...

    async def match(self, signal: Signal, candidates: Sequence[Candidate]) -> Match: ...

    async def assess(self, case: Case) -> Assessment: ...

    async def close(self) -> None:
        """Let go of connections; what was told on the way is kept."""
        ...
