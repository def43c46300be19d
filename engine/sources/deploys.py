"""A deploy of a loop's own code after which its rounds got worse: scores, kept share, cost, or more without a score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from engine.sources.facts import Loop, Round, by_night, by_project
from engine.sources.source import RECENT_NIGHTS, Evidence, Finding, Source, at, extra, named
from engine.sources.stats import fisher_less, mad, rank_sum_less
from queries.views.words import counted, listed, money, share, signed


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A change counts when it is both large and, by `most_chance`, no accident of a few rounds."""

    rounds: int = 12
    """Fewest rounds on each side."""
    nights_before: int = 3
    days_blamed: int = 7
    """How long what happens under a bad deploy is the deploy's."""
    hours_after: float = 24.0
    """Later rounds say more about what came after the deploy."""
    most_chance: float = 0.001
    score_mads: float = 3.0
    """How far the median score must fall, in median absolute deviations of the time before."""
    kept_ratio: float = 0.5
    cost_ratio: float = 1.8
    """Of the median round's cost."""
    dearest_ratio: float = 1.25
    """Of the dearest night before: nights differ by themselves, and rounds of one night are alike."""
    error_ratio: float = 2.0
    error_points: float = 0.1


@dataclass(frozen=True, slots=True)
class Deploy:
    """A new `git_sha` of a project, the one before it, and the rounds on both sides of it."""

    project: str
    sha: str
    sha_before: str
    first_seen: datetime
    after: tuple[Round, ...]
    before: tuple[Round, ...]


@dataclass(frozen=True, slots=True)
class Worse:
    """One thing that got worse, as a sentence and as numbers."""

    what: str
    metric: str
    said: str
    now: float
    before: float


def deploys(rounds: Sequence[Round], limits: Thresholds, since: datetime) -> Iterator[Deploy]:
    """Each project's shas after its first one that appeared since then, in order. A return to an older sha is no new
    one."""
    for project, mine in by_project(rounds).items():
        seen: dict[str, datetime] = {}
        for round in mine:
            if not round.git_sha or round.git_sha in seen:
                continue
            seen[round.git_sha] = start = round.started
            if len(seen) == 1 or start < since:
                continue
            earliest, latest = start - timedelta(days=limits.nights_before), start + timedelta(hours=limits.hours_after)
            before = [one for one in mine if earliest <= one.started < start and one.git_sha]
            clients = {one.loop for one in mine if one.git_sha == round.git_sha}
            yield Deploy(
                project=project,
                sha=round.git_sha,
                sha_before=before[-1].git_sha if before else "",
                first_seen=start,
                after=tuple(one for one in mine if one.git_sha == round.git_sha and one.started < latest),
                before=tuple(one for one in before if one.loop in clients),
            )


def worsened(deploy: Deploy, limits: Thresholds) -> tuple[Worse, ...]:
    if not deploy.before:
        return ()
    found = (_score(deploy, limits), _kept(deploy, limits), _cost(deploy, limits), _errors(deploy, limits))
    return tuple(one for one in found if one)


def blamed(rounds: Sequence[Round], limits: Thresholds, now: datetime) -> frozenset[tuple[str, str]]:
    """(project, sha) of the deploys of these days that made things worse."""
    since = now - timedelta(days=limits.days_blamed)
    return frozenset(
        (deploy.project, deploy.sha) for deploy in deploys(rounds, limits, since) if worsened(deploy, limits)
    )


def _score(deploy: Deploy, limits: Thresholds) -> Worse | None:
    """Scores relative to the best so far: they can be compared over nights in which the best itself moved. The
    direction of the goal is in `gain`."""
    after, before = _known(deploy.after, "gain"), _known(deploy.before, "gain")
    if min(len(after), len(before)) < limits.rounds:
        return None
    now, then = median(after), median(before)
    if then - now <= limits.score_mads * max(mad(before), 1e-12) or rank_sum_less(after, before) >= limits.most_chance:
        return None
    said = (
        f"Scores lie {signed(now)} from the best so far (median of {counted(len(after), 'round')}, plus is better), "
        f"{signed(then)} before ({counted(len(before), 'round')})."
    )
    return Worse("scores", "score", said, now, then)


def _kept(deploy: Deploy, limits: Thresholds) -> Worse | None:
    (kept, decided), (kept_before, decided_before) = (_kept_of(side) for side in (deploy.after, deploy.before))
    if (
        min(decided, decided_before) < limits.rounds
        or kept / decided > limits.kept_ratio * kept_before / decided_before
    ):
        return None
    if fisher_less(kept, decided, kept_before, decided_before) >= limits.most_chance:
        return None
    now, then = kept / decided, kept_before / decided_before
    said = (
        f"{share(now)} of rounds kept ({kept} of {decided}), {share(then)} before ({kept_before} of {decided_before})."
    )
    return Worse("kept share", "kept_share", said, now, then)


def _cost(deploy: Deploy, limits: Thresholds) -> Worse | None:
    after, before = _known(deploy.after, "cost_usd"), _known(deploy.before, "cost_usd")
    if min(len(after), len(before)) < limits.rounds:
        return None
    now, then = median(after), median(before)
    if len({one.night for one in deploy.before}) < 2 and not _is_within_a_night(deploy):
        return None  # what one night costs says little about another
    nightly = [costs for mine in by_night(deploy.before).values() if len(costs := _known(mine, "cost_usd")) >= 4]
    dearest = max((median(costs) for costs in nightly), default=then)
    if now < limits.cost_ratio * then or now < limits.dearest_ratio * dearest:
        return None
    if rank_sum_less(before, after) >= limits.most_chance:
        return None
    return Worse("cost", "cost_usd", f"A round costs {money(now)} (median), {money(then)} before.", now, then)


def _is_within_a_night(deploy: Deploy) -> bool:
    return any(one.night == deploy.after[0].night for one in deploy.before)


def _errors(deploy: Deploy, limits: Thresholds) -> Worse | None:
    """Decided rounds that never got a score."""
    (lost, decided), (lost_before, decided_before) = (_unscored(side) for side in (deploy.after, deploy.before))
    if min(decided, decided_before) < limits.rounds:
        return None
    now, then = lost / decided, lost_before / decided_before
    if now < limits.error_ratio * then or now < then + limits.error_points:
        return None
    if fisher_less(decided - lost, decided, decided_before - lost_before, decided_before) >= limits.most_chance:
        return None
    said = f"{share(now)} of rounds ended without a score ({lost} of {decided}), {share(then)} before."
    return Worse("errors", "unscored_share", said, now, then)


def _known(rounds: Sequence[Round], field: str) -> list[float]:
    return [value for round in rounds if (value := getattr(round, field)) is not None]


def _kept_of(rounds: Sequence[Round]) -> tuple[int, int]:
    return sum(one.is_kept for one in rounds), sum(one.is_decided for one in rounds)


def _unscored(rounds: Sequence[Round]) -> tuple[int, int]:
    decided = [one for one in rounds if one.is_decided]
    return sum("scored" not in one.stages for one in decided), len(decided)


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    for deploy in deploys(evidence.rounds, limits, evidence.now - timedelta(days=RECENT_NIGHTS + 1)):
        if not evidence.is_recent(evidence.night(deploy.first_seen)):
            continue
        worse = worsened(deploy, limits)
        if worse:
            yield _finding(deploy, worse, evidence)


def _finding(deploy: Deploy, worse: tuple[Worse, ...], evidence: Evidence) -> Finding:
    loops = sorted({round.loop for round in deploy.after})
    whole: Loop | str = loops[0] if len(loops) == 1 else deploy.project
    sha, sha_before = named(deploy.sha)[:12], named(deploy.sha_before)[:12]
    clients = [named(loop.client) for loop in loops if loop.client]
    title = f"{named(whole)} got worse with {sha}: {listed([one.what for one in worse], most=4)}"
    said = [
        f"First seen {at(deploy.first_seen, evidence.zone)}; {sha_before} ran before.",
        f"{counted(len(deploy.after), 'round')} since are compared with {len(deploy.before):,} of the nights before.",
        *(one.said for one in worse),
    ]
    if len(clients) > 1:
        said.append(f"It ran for {listed(clients)}.")
    return Finding(
        entity=(deploy.project, deploy.sha),
        title=title,
        said=tuple(said),
        occurred_at=max(round.ended for round in deploy.after),
        extra=extra(
            whole,
            worse[0].metric,
            deploy.after,
            git_sha=deploy.sha,
            git_sha_before=deploy.sha_before,
            git_shas=[deploy.sha_before, deploy.sha],
            clients=[loop.client for loop in loops if loop.client],
            numbers={
                "rounds": len(deploy.after),
                "rounds_before": len(deploy.before),
                **{one.metric: {"now": one.now, "before": one.before} for one in worse},
            },
        ),
    )


SOURCE = Source(
    name="deploys",
    title="Deploys that made a loop worse",
    asks=("round_history",),
    weight=1.0,
    thresholds=Thresholds(),
    find=_find,
)
