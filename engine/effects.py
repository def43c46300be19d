"""What a decision asks the store to write: rows, and nothing that a row is not. All effects of a decision are one
transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model import Artefact, Job, Note, Proposal, Report, Signal, Transition


@dataclass(frozen=True, slots=True)
class SaveReport:
    """New or changed; the sums over its signals stay the store's."""

    report: Report


@dataclass(frozen=True, slots=True)
class SaveProposal:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class SaveJob:
    """A known attempt in another state, or a new one: the store takes attempt n + 1 only after attempt n."""

    job: Job


@dataclass(frozen=True, slots=True)
class Log:
    """A transition; the store refuses one whose `before` is not the stored state."""

    transition: Transition


@dataclass(frozen=True, slots=True)
class AddArtefact:
    artefact: Artefact


@dataclass(frozen=True, slots=True)
class PlaceSignal:
    """A stored signal is in this report from now on, and in no other. `came_from` is the report it was joined with."""

    signal_id: str
    report_id: str
    reason: str
    came_from: str = ""


@dataclass(frozen=True, slots=True)
class AddDecision:
    """A command, or what came of a fix, as a signal that weighs nothing, on the report that it is about (or on none);
    no safety filter, it is our own."""

    signal: Signal
    report_id: str = ""


@dataclass(frozen=True, slots=True)
class RaiseSignal:
    """A signal of the engine's own, on the way of all others: safety, then grouping. `recurs_from` is the report whose
    problem it says was not solved."""

    signal: Signal
    recurs_from: str


@dataclass(frozen=True, slots=True)
class ReadSignals:
    """A completed pass has read these, each in the revision of that number: as long as they are in it, they weigh
    nothing any more."""

    report_id: str
    run: int
    revisions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReleaseSignal:
    signal_id: str
    command_id: str


@dataclass(frozen=True, slots=True)
class Remember:
    note: Note


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The note of this key is not given to research any more; it stays to be read."""

    key: str


@dataclass(frozen=True, slots=True)
class WeighSource:
    """By hand: what the weights of a source (`product/type`) are multiplied by; None is "by its record"."""

    source: str
    weight: float | None


@dataclass(frozen=True, slots=True)
class SwitchSource:
    """By hand: whether a source is asked; None is "as configured"."""

    source: str
    is_on: bool | None


@dataclass(frozen=True, slots=True)
class SetMeta:
    """A value of the workspace, as JSON."""

    key: str
    value: object


Effect = (
    SaveReport
    | SaveProposal
    | SaveJob
    | Log
    | AddArtefact
    | PlaceSignal
    | AddDecision
    | RaiseSignal
    | ReadSignals
    | ReleaseSignal
    | Remember
    | Withdraw
    | WeighSource
    | SwitchSource
    | SetMeta
)
