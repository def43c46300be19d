"""What the engine works on: plain, frozen records. Storing them is the store's, changing them a decision's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from engine import states
from engine.states import Noun

HALF_LIFE = timedelta(days=7)
ENGINE = "engine"
"""The actor of what no human asked for."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def signal_id(source_product: str, source_type: str, source_id: str) -> str:
    key = "\x1f".join((source_product, source_type, source_id))
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Signal:
    """One normalised observation that something may be wrong or worth doing.

    `source_id` names the condition and what it is about, never the night, so that a revision of the same condition is
    the same signal. `content` is written to be searched: its first line is a title, the rest says what was measured.
    `weight` is what the source gives it, before it ages. `extra` is JSON: what the source measured, the ids of rounds
    and traces behind it (`round_ids`, `trace_ids`), and for structural grouping `project`, `client`, `dimension`,
    `fingerprint`, `metric` where they apply.
    """

    source_product: str
    source_type: str
    source_id: str
    content: str
    weight: float
    occurred_at: datetime
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """32 hex digits, the same for every revision of the condition."""
        return signal_id(self.source_product, self.source_type, self.source_id)

    @property
    def title(self) -> str:
        return self.content.partition("\n")[0]

    @property
    def is_own_word(self) -> bool:
        """Whether it only says what was decided, or what came of a fix: nothing that anybody observed."""
        return self.source_product == "loopdesk" and self.source_type in ("command", "outcome") and not self.weight


def aged(weight: float, age: timedelta) -> float:
    """What is left of a weight: half of it every seven days. A time in the future counts as now."""
    return weight * 0.5 ** (max(age, timedelta()) / HALF_LIFE)


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state, as the log keeps it. `actor` is `engine`, or the door a human's command came through."""

    noun: Noun
    subject: str
    before: str
    after: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """Signals about the same problem, and what was found out about it.

    `version` moves with the status and the words, never with a signal alone; `engine_version` is the last one that no
    command made: what was on screen before it is out of date. `signals`, `weight` and `weighed_at` are the store's sums
    over the report's signals: how many weigh anything, and what those weigh that no completed pass has read, as of the
    newest of them.
    """

    id: str
    created_at: datetime
    changed_at: datetime
    status: str = "potential"
    title: str = ""
    summary: str = ""
    question: str = ""
    """What a human is asked (needs input), or why it failed."""
    note: str = ""
    """A sentence about what holds it, such as a start that was approved where nothing can run it."""
    hold: str = ""
    """Until when and why its research waits, in a sentence; it ends with the status that it was said of."""
    priority: str = ""
    actionability: str = ""
    version: int = 1
    engine_version: int = 1
    status_before: str = ""
    """What it goes back to when it is reopened, woken or split off."""
    snoozed_until: datetime | None = None
    wakes_at_signals: int | None = None
    passes: int = 0
    """Completed passes that its signals earned; those by hand are outside of the count."""
    runs: int = 0
    """Passes that were ever intended: the number in their jobs' keys."""
    is_by_hand: bool = False
    """Whether the pass that waits or runs was asked for by hand."""
    start_approved_by: str = ""
    """The command that approved the start of a fix."""
    declined_for: str = ""
    """One of `verbs.REASONS` while it is declined."""
    recurrence_of: str = ""
    joined_into: str = ""
    metric: Mapping[str, object] = field(default_factory=dict)
    """What a fix is measured by (`engine.metrics`); empty where nothing was chosen."""
    signals: int = 0
    weight: float = 0.0
    weighed_at: datetime = _NEVER

    @property
    def is_snoozed(self) -> bool:
        return self.snoozed_until is not None or self.wakes_at_signals is not None

    def moved(self, status: str, *, by: str, reason: str, now: datetime, **changes: Any) -> tuple[Report, Transition]:
        """This report in another status, and the line of the log. Raises `IllegalTransition`."""
        states.check("report", self.id, self.status, status)
        after = self.edited(by=by, now=now, **{"hold": "", **changes, "status": status})
        return after, Transition("report", self.id, self.status, status, by, reason, now)

    def edited(self, *, by: str, now: datetime, **changes: Any) -> Report:
        """This report with other words or marks that whoever looks at it should see: a new version."""
        version = self.version + 1
        seen = version if by == ENGINE else self.engine_version
        return replace(self, changed_at=now, version=version, engine_version=seen, **changes)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A finding on a report; never changed and never removed. A later one of its kind may take its place on screen."""

    report_id: str
    kind: str
    content: Mapping[str, object]
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change for a report, with its pull request. `verdict`: verified, regressed, inconclusive; empty until known.

    The mappings are JSON in a form of their own, said at each.
    """

    id: str
    report_id: str
    created_at: datetime
    changed_at: datetime
    state: str = "queued"
    title: str = ""
    repository: str = ""
    """Its name in the configuration."""
    branch: str = ""
    base: str = ""
    """The branch that it is merged into."""
    base_sha: str = ""
    head_sha: str = ""
    """Where the branch stands as far as we pushed it; empty before."""
    number: int | None = None
    url: str = ""
    builds: int = 1
    """How often its change was, or is being, made: each is a job of its own."""
    rounds: int = 0
    """How often of these it was mended by itself, after red checks or a comment."""
    waits_for: str = ""
    """While it waits for you: one of `states.WAITS_FOR`."""
    said: str = ""
    """A sentence: what is being done, why it waits, why it failed."""
    change: Mapping[str, object] = field(default_factory=dict)
    """What was built last: `{"build", "sha", "base_sha", "bundle", "diff", "files", "added", "removed", "title",
    "why", "how", "untested"}`; `bundle` and `diff` are blobs (`engine.changes`), the last four what its maker says."""
    session: str = ""
    """The blob with which its agent goes on."""
    tests: Mapping[str, object] = field(default_factory=dict)
    """`{"state": "passed" | "failed" | "not_run", "command", "summary"}`, as they ended in the jail."""
    review: Mapping[str, object] = field(default_factory=dict)
    """`{"summary", "points": [{"path", "line", "text", "must"}]}`, by the second agent."""
    guard: Mapping[str, object] = field(default_factory=dict)
    """`{"head", "passed", "sentence", "findings": [{"kind", "where", "line", "reason", "stops"}]}`."""
    checks: Mapping[str, object] = field(default_factory=dict)
    """`{"sha", "at", "standing", "checks": [{"name", "state", "url", "summary"}], "to_run"}`, as they were last
    seen; `to_run` where the forge has no CI of its own and the engine runs the configured command, `could_not_run`
    where that was tried in vain."""
    consent: str = "auto"
    """Whether it is mended by itself (`engine.repositories`)."""
    feedback: Mapping[str, object] = field(default_factory=dict)
    """`{"seen": [ids of comments], "waiting": [{"by", "text", "path", "line"}], "to_say": [{"key", "text"}]}`: what was
    said to it and is not answered yet, and what is still to be said on it."""
    push_approved: str = ""
    """The commit that a human lets be pushed although CI would execute it."""
    merge_approved: str = ""
    """The head that was on the screen when its merge was approved."""
    approved_by: str = ""
    """The command that approved it last."""
    countdown_until: datetime | None = None
    """When the next round begins, unless it is stopped."""
    merge_sha: str = ""
    is_closed_there: bool = False
    """Whether the forge knows that it is closed."""
    reverts: str = ""
    """The merged proposal that this one takes back."""
    merged_at: datetime | None = None
    outcome: Mapping[str, object] = field(default_factory=dict)
    """What its metric did (`engine.outcomes`)."""
    verdict: str = ""
    verdict_seen_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state in states.OPEN_PROPOSAL

    @property
    def is_built(self) -> bool:
        """Whether `change` is what the last build made."""
        return self.change.get("build") == self.builds

    def moved(self, state: str, *, by: str, reason: str, now: datetime, **changes: Any) -> tuple[Proposal, Transition]:
        """Whatever it waited for, and what was said of that, ends with the state. Raises `IllegalTransition`."""
        changes = {"waits_for": "", "said": "", "countdown_until": None, **changes}
        states.check("proposal", self.id, self.state, state)
        after = replace(self, state=state, changed_at=now, **changes)
        return after, Transition("proposal", self.id, self.state, state, by, reason, now)


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at a piece of engine work. `id` is the work's, the same for every attempt, from its natural `key`.

    `failures` counts the attempts so far that ended by a fault, this one included; one that was stopped is none.
    """

    key: str
    kind: str
    report_id: str
    created_at: datetime
    changed_at: datetime
    not_before: datetime
    proposal_id: str = ""
    """The proposal that it works on; empty where it is the report itself."""
    attempt: int = 1
    state: str = "intended"
    brief: Mapping[str, object] = field(default_factory=dict)
    result: Mapping[str, object] | None = None
    reserved_usd: float = 0.0
    owner: str = ""
    heartbeat: datetime | None = None
    failures: int = 0
    error: str = ""

    @property
    def id(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()[:26]

    @property
    def is_live(self) -> bool:
        return self.state in states.LIVE_JOB

    def moved(self, state: str, *, by: str, reason: str, now: datetime, **changes: Any) -> tuple[Job, Transition]:
        """Raises `IllegalTransition`."""
        states.check("job", f"{self.key} ({self.attempt})", self.state, state)
        after = replace(self, state=state, changed_at=now, **changes)
        return after, Transition("job", f"{self.id}/{self.attempt}", self.state, state, by, reason, now)


@dataclass(frozen=True, slots=True)
class Command:
    """What a human decided. Until `apply_after` it can be undone; then exactly one of undo and claim wins.

    `seen_version` and `seen_sha` are what was on screen. `ran_us` is how long engines had run in this workspace when it
    was made, in microseconds: a command grows old only while one runs.
    """

    id: str
    verb: str
    report_id: str
    made_at: datetime
    apply_after: datetime
    arguments: Mapping[str, object] = field(default_factory=dict)
    seen_version: int | None = None
    seen_sha: str = ""
    actor: str = "desk"
    ran_us: int = 0
    undone_at: datetime | None = None
    claimed_at: datetime | None = None
    applied_at: datetime | None = None
    refused_at: datetime | None = None
    said: str = ""
    """What came of it, in a sentence: what was done, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was learned, by key; writing a key again renews it. A withdrawn note is not given to research."""

    key: str
    text: str
    report_id: str
    command_id: str
    written_at: datetime
    withdrawn_at: datetime | None = None
