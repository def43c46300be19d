"""Experiments on flags: listed, started by a plan and ended, on either PostHog, and never over another's change.

PostHog keeps when an experiment ran and on which flag; its own figures count persons, so the plan is ours: one line of
the description, which people may read and write there too. Starting is two requests, the draft and its launch. Whoever
starts looks first: a draft that is there is launched, and what was broken off goes on where it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

from queries.moments import moment_of
from queries.remote_errors import PostHogFailed
from queries.rest import LOST, Rest, Unanswered, listed, unanswered
from queries.rest_flags import Flag, flag_of, read_flag, refuse_moved
from queries.views.experiment import CONTROL, FEWEST, Plan
from workspace.errors import LoopdeskError
from workspace.text import plain

DRAFT, RUNNING, PAUSED, ENDED = "draft", "running", "paused", "ended"
MOST_ROUNDS = 1_000_000
_MOST_DESCRIPTION = 3_000  # PostHog's own limit
_MOST_NAME = 200
_PLAN = re.compile(
    r"loopdesk plan: (?:(?P<rounds>[1-9]\d{0,6}) scored rounds of each variant"
    r"|a difference of (?P<effect>\d+(?:\.\d+)?(?:e[+-]?\d+)?) in the score)\."
)


class ExperimentMoved(LoopdeskError):
    """The experiment is not any more what was read: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment. `name` and `flag` (its key) are printable; `plan` is None where its description holds none that
    could be read. Its rounds are those from `started_at` to `ended_at`, in UTC. Paused: its flag is off."""

    id: int
    name: str
    flag: str
    state: str
    plan: Plan | None
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: str
    description: str = field(repr=False)

    @property
    def is_live(self) -> bool:
        return self.state in (RUNNING, PAUSED)


@dataclass(frozen=True, slots=True)
class Start:
    """What one confirm sends: a new experiment on `flag`, or the one that is `there` launched or given its plan."""

    flag: Flag
    plan: Plan
    there: Running | None = None

    @property
    def said(self) -> str:
        """`scorer_v2: start an experiment over 200 scored rounds of each variant (control 50 %); the flag off → on`."""
        key, words = self.flag.key, planned(self.plan)
        if self.there is not None and self.there.is_live:
            return f'{key}: write the plan, {words}, into "{self.there.name}", which runs already'
        shares = ", ".join(f"{variant.key} {variant.share:g} %" for variant in self.flag.variants)
        what = f'launch the draft "{self.there.name}"' if self.there else "start an experiment"
        switch = "" if self.flag.is_on else "; the flag off → on"
        by_agent = "" if self.flag.goes_by_round else "; each agent keeps one variant, so few agents are compared"
        return f"{key}: {what} over {words} ({shares}){switch}{by_agent}"


@dataclass(frozen=True, slots=True)
class End:
    """What one confirm ends. The flag stays as it is."""

    running: Running

    @property
    def said(self) -> str:
        return f'{self.running.flag}: end the experiment "{self.running.name}"; the flag stays as it is'


Change = Start | End


def experiments(rest: Rest) -> tuple[Running, ...]:
    """What runs first, then drafts, then what ended, each the newest first; archived ones are left out. Raises
    `LoopdeskError`."""
    found = [one for row in listed(rest, "experiments/").rows if (one := experiment_of(row))]
    order = (RUNNING, PAUSED, DRAFT, ENDED)
    return tuple(sorted(found, key=lambda one: (order.index(one.state), -one.id)))


def experiment_on(found: Sequence[Running], flag: str) -> Running | None:
    """The one whose rounds a flag's figures are about: what runs, else what ended last. A draft has no rounds."""
    mine = [one for one in found if one.flag == flag and one.started_at is not None]
    return max(mine, key=lambda one: (one.is_live, one.started_at, one.id), default=None)


def planned(plan: Plan) -> str:
    """`200 scored rounds of each variant`."""
    if plan.rounds is not None:
        return f"{plan.rounds} scored rounds of each variant"
    return f"a difference of {_effect(plan.effect or 0)} in the score"


def started(flag: Flag, plan: Plan, there: Sequence[Running] = ()) -> Start:
    """`there` is what `experiments` read: of it the one on this flag is taken up. Raises `LoopdeskError` where the flag
    cannot carry an experiment, the plan is none, or another one runs."""
    _refuse_unfit(flag)
    _refuse_vague(plan)
    wanted = Plan(flag.key, rounds=plan.rounds, effect=plan.effect, control=plan.control, shares=flag.shares)
    unfinished = _unfinished(there, wanted)
    if unfinished is None or unfinished.state == DRAFT:
        return Start(flag, wanted, unfinished)
    if unfinished.plan is None and unfinished.state == RUNNING:
        return Start(flag, wanted, unfinished)
    by = f", over {planned(unfinished.plan)}" if unfinished.plan else ""
    raise LoopdeskError(
        f'"{unfinished.name}" is {unfinished.state} on {flag.key} already{by}',
        "A plan that is changed on the way finds chance differences",
        f"Let it come to its end, or end it: loopdesk flags experiment end {flag.key}",
    )


def ended(running: Running) -> End:
    """Raises `LoopdeskError` where there is nothing to end."""
    if not running.is_live:
        why = "has not begun" if running.state == DRAFT else "has ended already"
        raise LoopdeskError(f'"{running.name}" on {running.flag} {why}')
    return End(running)


def apply(rest: Rest, change: Change) -> Running:
    """The experiment as it is afterwards. Raises `ExperimentMoved` or `FlagMoved` with nothing sent, or another
    `LoopdeskError`, which says what was done where something was."""
    return _start(rest, change) if isinstance(change, Start) else _end(rest, change)


def _start(rest: Rest, change: Start) -> Running:
    now = _unfinished(experiments(rest), change.plan)
    if now is not None and now.state == RUNNING and _is_same(now.plan, change.plan):
        return now
    if not _is_half_made(change, now):
        _refuse_changed(change.flag.key, change.there, now)
    refuse_moved(change.flag, read_flag(rest, change.flag.id))
    if now is None:
        now = _made(rest, change)
    elif not _is_same(now.plan, change.plan):
        now = _written(rest, now, change.plan)
    return _launched(rest, now) if now.state == DRAFT else now


def _end(rest: Rest, change: End) -> Running:
    path, now = f"experiments/{change.running.id}/", _read(rest, change.running.id)
    if now.state == ENDED:
        return now
    _refuse_changed(change.running.flag, change.running, now)
    return _settled(lambda: rest.ask("POST", f"{path}end/", {}), lambda: _in_state(rest, now.id, ENDED))


def _made(rest: Rest, change: Start) -> Running:
    document = {
        "name": f"{change.flag.key} by round",
        "feature_flag_key": change.flag.key,
        "description": _line(change.plan),
    }

    def look() -> Running | None:
        found = _unfinished(experiments(rest), change.plan)
        return found if found is not None and _is_same(found.plan, change.plan) else None

    return _settled(lambda: rest.ask("POST", "experiments/", document), look)


def _written(rest: Rest, now: Running, plan: Plan) -> Running:
    description = with_plan(now.description, plan)
    return _settled(
        lambda: rest.ask("PATCH", f"experiments/{now.id}/", {"description": description}),
        lambda: found if _is_same((found := _read(rest, now.id)).plan, plan) else None,
    )


def _launched(rest: Rest, draft: Running) -> Running:
    path = f"experiments/{draft.id}/launch/"
    try:
        return _settled(lambda: rest.ask("POST", path, {}), lambda: _in_state(rest, draft.id, RUNNING))
    except Unanswered:
        raise
    except LoopdeskError as error:
        raise LoopdeskError(
            f'"{draft.name}" is there as a draft, but was not launched: {error.what}',
            "No round counts yet",
            "Start it again: the draft is taken up, not made twice",
        ) from error


def _settled(send: Callable[[], object], look: Callable[[], Running | None]) -> Running:
    """Sends once. `look` finds what was wanted where the answer was lost or says something else, None where it is not
    there; then the error that was met is raised, or `Unanswered` where it cannot look."""
    met: LoopdeskError = PostHogFailed("PostHog did not do what it was asked", do="Look at the experiment there")
    try:
        send()
    except LoopdeskError as error:
        met = error
    try:
        found = look()
    except LoopdeskError as error:
        raise (unanswered("the experiment changed", met) if isinstance(met, LOST) else met) from error
    if found is None:
        raise met
    return found


def _in_state(rest: Rest, id: int, state: str) -> Running | None:
    found = _read(rest, id)
    return found if found.state == state else None


def _read(rest: Rest, id: int) -> Running:
    found = experiment_of(rest.ask("GET", f"experiments/{id}/"))
    if found is None:
        raise ExperimentMoved("PostHog has no such experiment any more", "Nothing was sent", "Look at the list again")
    return found


def _unfinished(found: Sequence[Running], plan: Plan) -> Running | None:
    """The one on the plan's flag that has not ended: what runs before a draft, and of drafts the one by this plan."""
    mine = [one for one in found if one.flag == plan.flag and one.state != ENDED]
    return max(mine, key=lambda one: (one.is_live, _is_same(one.plan, plan), one.id), default=None)


def _is_half_made(change: Start, now: Running | None) -> bool:
    """Whether this is the draft that an earlier try of the same left behind."""
    is_it = change.there is None or (now is not None and now.id == change.there.id)
    return is_it and now is not None and now.state == DRAFT and _is_same(now.plan, change.plan)


def _is_same(one: Plan | None, other: Plan) -> bool:
    return one is not None and (one.rounds, one.effect) == (other.rounds, other.effect)


def _refuse_changed(flag: str, seen: Running | None, now: Running | None) -> None:
    if seen == now:
        return
    if seen is None or now is None or seen.id != now.id:
        what = f'"{now.name}" is {now.state} on {flag} by now' if now else f"{flag} has no experiment any more"
    else:
        what = f'"{seen.name}" changed since it was read: ' + (
            f"it is {now.state}" if now.state != seen.state else "its plan or its description is another"
        )
    raise ExperimentMoved(what, "Nothing was sent", "Look at it again, then decide again")


def _refuse_unfit(flag: Flag) -> None:
    keys = [variant.key for variant in flag.variants]
    if len(keys) >= 2 and CONTROL in keys:
        return
    has = "no variants" if not keys else f"the variants {', '.join(keys)}" if len(keys) > 1 else f"only {keys[0]}"
    raise LoopdeskError(
        f"{flag.key} has {has}, but an experiment compares at least one with a variant {CONTROL!r}",
        "Nothing was sent",
        f"Give it the variants {CONTROL} and test in PostHog's editor, or describe another one with variants under "
        "[knobs] in config.toml and make it: loopdesk flags create NAME",
    )


def _refuse_vague(plan: Plan) -> None:
    if (plan.rounds is None) == (plan.effect is None):
        raise LoopdeskError(
            "An experiment has one plan, fixed before",
            do="Give the scored rounds of each variant, or the smallest difference of the score worth seeing",
        )
    if plan.rounds is not None and not FEWEST <= plan.rounds <= MOST_ROUNDS:
        raise LoopdeskError(f"A plan has between {FEWEST} and {MOST_ROUNDS:,} scored rounds of each variant")
    if plan.effect is not None and not (isfinite(plan.effect) and plan.effect > 0):
        raise LoopdeskError("The smallest difference that is worth seeing must be a number above 0")


def with_plan(description: str, plan: Plan) -> str:
    """The description with this plan and no other; every other line stays. Raises `LoopdeskError` where it is full."""
    kept = [line for line in description.splitlines() if not _PLAN.fullmatch(line.strip())]
    whole = "\n".join([*kept, _line(plan)]) if "".join(kept).strip() else _line(plan)
    if len(whole) > _MOST_DESCRIPTION:
        raise LoopdeskError(
            f"The experiment's description has no room for the plan: it may have {_MOST_DESCRIPTION:,} characters",
            "Nothing was sent",
            "Shorten it in PostHog",
        )
    return whole


def plan_in(description: str, flag: str, shares: Mapping[str, float] | None = None) -> Plan | None:
    """None for no plan, for two that differ, and for one that could not have been started."""
    found = {match.groups() for line in description.splitlines() if (match := _PLAN.fullmatch(line.strip()))}
    if len(found) != 1:
        return None
    rounds, effect = found.pop()
    plan = Plan(flag, rounds=int(rounds) if rounds else None, effect=float(effect) if effect else None, shares=shares)
    try:
        _refuse_vague(plan)
    except LoopdeskError:
        return None
    return plan


def _line(plan: Plan) -> str:
    return f"loopdesk plan: {planned(plan)}."


def _effect(effect: float) -> str:
    """Read back it is the same number."""
    return repr(float(effect)).removesuffix(".0")


def experiment_of(row: object) -> Running | None:
    """None for what cannot be named, is deleted or archived."""
    if not isinstance(row, dict) or type(id := row.get("id")) is not int or row.get("deleted") or row.get("archived"):
        return None
    flag = flag_of(row.get("feature_flag"))
    key = row.get("feature_flag_key") or (flag.key if flag else None)
    if not isinstance(key, str):
        return None
    key = plain(key, _MOST_NAME)
    begun, over = moment_of(row.get("start_date")), moment_of(row.get("end_date"))
    live = PAUSED if flag is not None and not flag.is_on else RUNNING
    description = str(row.get("description") or "")
    return Running(
        id=id,
        name=plain(row.get("name") or "", _MOST_NAME) or key,
        flag=key,
        state=DRAFT if begun is None else ENDED if over is not None else live,
        plan=plan_in(description, key, flag.shares if flag else None),
        started_at=begun,
        ended_at=over,
        updated_at=str(row.get("updated_at") or ""),
        description=description,
    )
