"""The simulated weekend: its shape on the wire, and each story measured from the events alone, over many seeds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from statistics import mean
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from ulid import ULID

from queries.local.ingest import to_row
from queries.simulator import Story, night_spans, simulate, stories

ZONE = ZoneInfo("Europe/Vienna")
UNTIL = datetime(2025, 11, 24, 7, 30, tzinfo=ZONE)  # a Monday morning
NIGHTS = 4
SEEDS = range(1, 4)
CORE = {"round_started", "proposal_generated", "proposal_applied", "round_scored", "round_kept", "round_reverted"}
ENDINGS = {"round_kept", "round_reverted"}
EVERYWHERE = {"project", "client", "run_id", "round_id", "agent", "git_sha", "simulated"}

# DESIGN section 4, as far as every such event has them; dimensions come on top.
PROPERTIES = {
    "round_started": "model diff_lines baseline_score n_prior_rounds",
    "proposal_generated": "prompt_tokens completion_tokens cost_usd latency_ms",
    "proposal_applied": "target diff_bytes apply_latency_ms",
    "round_scored": "score score_goal scorer_version scorer_variant quality_score",
    "round_kept": "delta new_best cost_usd",
    "round_reverted": "failure_mode cost_usd regressed_dimensions",
    "model_escalated": "from_model to_model stall_rounds reason",
    "stop_triggered": "reason rounds_completed total_cost_usd final_best_score",
    "finetune_batch_published": "batch_id n_examples r2_key target_model",
    "step.plan": "step_id plan next_action confidence",
    "step.tool_called": "step_id tool args_json timeout_ms",
    "step.tool_returned": "step_id tool ok latency_ms result_bytes",
    "step.observation": "step_id source value delta_from_last",
    "step.reflection": "step_id verdict issues retry",
    "step.retry": "step_id cause attempt prior_error",
    "eval.run": "suite_id suite n_cases scorer_version",
    "eval.case": "suite_id case_id dim score rationale passed",
    "eval.regression": "suite_id case_id dim prior_score new_score delta",
    "token_machine.request": "user_id task_type model_used input_tokens output_tokens cost_usd quality_score"
    " efficiency_grade latency_ms",
    "token_machine.team_summary": "total_requests total_cost avg_quality worst_performer best_performer"
    " escalation_candidates",
    "token_machine.anomaly": "type user_id task_type recommendation",
    "$exception": "$exception_list $exception_level",
}
WORDS = """
    project client run_id round_id agent git_sha model target score_goal scorer_version scorer_variant failure_mode
    from_model to_model reason batch_id r2_key target_model step_id plan next_action tool args_json source error
    verdict cause prior_error suite_id suite case_id dim rationale user_id task_type model_used efficiency_grade
    worst_performer best_performer type recommendation phase
"""
OTHERS = "ok passed retry new_best simulated issues regressed_dimensions escalation_candidates"


@dataclass(slots=True)
class Round:
    run: Run
    started: str = ""
    events: dict[str, Mapping] = field(default_factory=dict)  # the last event of each name
    names: list[str] = field(default_factory=list)

    def get(self, event: str, prop: str) -> object:
        return self.events[event]["properties"][prop]

    @property
    def cost(self) -> float:
        return sum(self.get(name, "cost_usd") for name in ENDINGS & self.events.keys())


@dataclass(slots=True)
class Run:
    project: str
    client: str
    night: int  # from the end: -1 is the last
    rounds: list[Round] = field(default_factory=list)
    stops: list[Mapping] = field(default_factory=list)
    exceptions: int = 0
    last_at: str = ""

    @property
    def after_last_kept(self) -> int:
        kept = [number for number, round in enumerate(self.rounds) if "round_kept" in round.events]
        return len(self.rounds) - 1 - max(kept, default=-1)

    @property
    def kept(self) -> int:
        return sum("round_kept" in round.events for round in self.rounds)

    @property
    def cost_per_round(self) -> float:
        return sum(round.cost for round in self.rounds) / len(self.rounds)

    @property
    def longest_escalation(self) -> int:
        longest = streak = 0
        for round in self.rounds:
            streak = streak + 1 if "model_escalated" in round.events else 0
            longest = max(longest, streak)
        return longest

    @property
    def scored(self) -> list[Round]:
        return [round for round in self.rounds if "round_scored" in round.events]

    @property
    def best(self) -> float:
        scores = [round.get("round_scored", "score") for round in self.scored]
        return min(scores) if self.project == "autoresearch" else max(scores)

    @property
    def dims(self) -> dict[str, float]:
        values = defaultdict(list)
        for round in self.scored:
            for name, value in round.events["round_scored"]["properties"].items():
                if name.startswith("dim_"):
                    values[name.removeprefix("dim_")].append(value)
        return {name: mean(found) for name, found in values.items()}


@lru_cache(maxsize=4)  # a weekend takes some 30 MB
def weekend(seed: int, *, quiet: bool = False) -> tuple[Mapping, ...]:
    batches = simulate(seed, until=UNTIL, tz=ZONE, nights=NIGHTS, quiet=quiet)
    return tuple(event for batch in batches for event in batch)


@lru_cache(maxsize=4)  # a weekend takes some 30 MB
def runs(seed: int, *, quiet: bool = False) -> tuple[Run, ...]:
    """Runs by project, client and night, their rounds in the order they were started."""
    spans = night_spans(UNTIL, NIGHTS, ZONE)
    found: dict[str, Run] = {}
    rounds: dict[str, Round] = {}
    for event in sorted(weekend(seed, quiet=quiet), key=lambda event: event["timestamp"]):
        told = event["properties"]
        at = datetime.fromisoformat(event["timestamp"])
        run = found.get(told["run_id"])
        if run is None:
            night = next(number for number, span in enumerate(spans) if span.start <= at <= span.end)
            run = found[told["run_id"]] = Run(told["project"], told["client"], night - NIGHTS)
        run.last_at = event["timestamp"]
        round = rounds.setdefault(told["round_id"], Round(run))
        round.events[event["event"]] = event
        round.names.append(event["event"])
        if event["event"] == "round_started":
            round.started = event["timestamp"]
            run.rounds.append(round)
        run.stops += [event] if event["event"] == "stop_triggered" else []
        run.exceptions += event["event"] == "$exception"
    return tuple(found.values())


@pytest.fixture(scope="module", params=SEEDS)  # pytest runs all tests of one seed, then the next
def seed(request: pytest.FixtureRequest) -> int:
    return request.param


def told_of(seed: int, name: str) -> Story:
    return next(story for story in stories(seed) if story.name == name)


def of(found: Iterable[Run], story: Story) -> list[Run]:
    return [run for run in found if story.touches(run.project, run.client, run.night)]


def others(found: Iterable[Run], story: Story) -> list[Run]:
    return [run for run in found if not story.touches(run.project, run.client, run.night)]


def one(found: Iterable[Run], project: str, night: int) -> Run:
    return next(run for run in found if (run.project, run.night) == (project, night))


# The wire


@pytest.mark.parametrize("quiet", [False, True])
def test_the_same_seed_gives_the_same_events_in_the_same_order(quiet: bool) -> None:
    again = simulate(1, until=UNTIL, tz=ZONE, nights=NIGHTS, quiet=quiet)
    assert [event for batch in again for event in batch] == list(weekend(1, quiet=quiet))


def test_different_seeds_share_no_event() -> None:
    assert not {event["uuid"] for event in weekend(1)} & {event["uuid"] for event in weekend(2)}


def test_the_same_seed_on_another_day_shares_no_event_but_tells_the_same_rounds() -> None:
    later = simulate(1, until=UNTIL + timedelta(days=7), tz=ZONE, nights=NIGHTS)
    moved = [event for batch in later for event in batch]
    assert not {event["uuid"] for event in moved} & {event["uuid"] for event in weekend(1)}

    def scores(events: Iterable[Mapping]) -> list[float]:
        return [event["properties"]["score"] for event in events if event["event"] == "round_scored"]

    assert scores(moved) == scores(weekend(1))


@pytest.mark.parametrize("quiet", [False, True])
def test_a_default_weekend_is_of_the_size_that_a_demo_prepares_in_seconds(quiet: bool) -> None:
    assert 15_000 < len(weekend(1, quiet=quiet)) < 25_000


def test_events_have_the_shape_of_the_wire_and_pass_ingest() -> None:
    for event in weekend(1):
        told = event["properties"]
        assert list(event) == ["event", "distinct_id", "timestamp", "uuid", "properties"]
        assert told.keys() >= EVERYWHERE
        assert told["simulated"] is True
        assert told["$ai_trace_id"] == told["round_id"]
        assert event["distinct_id"] == f"{told['project']}:{told['client']}:{told['agent']}"
        assert UUID(event["uuid"]).version == 7
        json.dumps(told, allow_nan=False)
        to_row(event, now=UNTIL)
    assert len({event["uuid"] for event in weekend(1)}) == len(weekend(1))


def test_every_event_has_its_properties_and_nothing_unknown() -> None:
    seen = set()
    for event in weekend(1):
        name = event["event"]
        seen.add(name)
        if name == "$ai_generation":
            continue
        own = event["properties"].keys() - EVERYWHERE - {"$ai_trace_id"}
        own -= {prop for prop in own if prop.startswith("dim_")} if name == "round_scored" else set()
        own -= {prop for prop in own if prop.startswith("$feature/")}
        own -= {"error"} if name == "step.tool_returned" and not event["properties"]["ok"] else set()
        assert own == set(PROPERTIES[name].split()), name
    assert seen == PROPERTIES.keys() | {"$ai_generation"}


def test_numbers_are_numbers_and_words_are_words() -> None:
    words, others = set(WORDS.split()), set(OTHERS.split())
    for event in weekend(1):
        for name, value in event["properties"].items():
            if name in words:
                assert isinstance(value, str) and value, (event["event"], name)
            elif name not in others and not name.startswith("$"):
                assert isinstance(value, int | float) and not isinstance(value, bool), (event["event"], name)


def test_run_round_and_step_ids_are_ulids_of_their_time() -> None:
    for event in weekend(1):
        at = datetime.fromisoformat(event["timestamp"])
        for name in ("run_id", "round_id", "step_id", "suite_id", "batch_id"):
            if name in event["properties"]:
                made = ULID.from_str(event["properties"][name]).datetime
                # Made before the event, in the same night; a skewed clock may say otherwise by minutes.
                assert timedelta(minutes=-5) < at - made < timedelta(hours=9), name


def test_answered_model_calls_have_tokens_latency_and_a_conversation_but_no_cost() -> None:
    answered = failed = 0
    for event in weekend(1):
        told = event["properties"]
        if event["event"] != "$ai_generation":
            continue
        assert told["$ai_input"][-1]["role"] == "user"
        assert not any("cost" in name for name in told)
        if told.get("$ai_is_error"):
            failed += 1
            assert told["$ai_http_status"] == 529
        else:
            answered += 1
            assert told["$ai_output_choices"][0]["content"][0]["text"]
            assert told["$ai_input_tokens"] > 500 and told["$ai_output_tokens"] > 50
            assert 1 < told["$ai_latency"] < 180
    assert answered > 2000
    assert 0 < failed < answered / 50


def test_a_rounds_proposal_cost_is_within_its_own_cost_and_both_are_cents() -> None:
    for run in runs(1, quiet=True):
        for round in run.rounds:
            assert 0.002 < round.cost < 0.6
            if "proposal_generated" in round.events:
                assert round.get("proposal_generated", "cost_usd") < round.cost


def test_a_runs_total_is_the_sum_of_its_rounds() -> None:
    for run in runs(1, quiet=True):
        stop = run.stops[0]["properties"]
        assert stop["total_cost_usd"] == pytest.approx(sum(round.cost for round in run.rounds), abs=0.001)
        assert stop["rounds_completed"] == len(run.rounds)


def test_the_events_of_a_round_share_run_and_code_and_are_about_twenty() -> None:
    sizes = defaultdict(int)
    shared = defaultdict(set)
    for event in weekend(1):
        told = event["properties"]
        sizes[told["round_id"]] += 1
        shared[told["round_id"]].add((told["project"], told["client"], told["run_id"], told["git_sha"]))
    assert all(len(found) == 1 for found in shared.values())
    assert 17 < mean(sizes.values()) < 25


def test_a_retried_tool_call_keeps_its_step_id() -> None:
    by_step = defaultdict(list)
    for event in weekend(1, quiet=True):
        if event["event"] in ("step.tool_called", "step.tool_returned", "step.retry"):
            by_step[event["properties"]["step_id"]].append(event)
    retried = [events for events in by_step.values() if any(event["event"] == "step.retry" for event in events)]
    assert retried
    for events in by_step.values():
        events.sort(key=lambda event: event["timestamp"])
        names = [event["event"].removeprefix("step.") for event in events]
        attempt = ["tool_called", "tool_returned"]
        assert names == ([*attempt, "retry", *attempt] if "retry" in names else attempt)
    for events in retried:
        assert [events[1]["properties"]["ok"], events[-1]["properties"]["ok"]] == [False, True]


# Rounds


@pytest.mark.parametrize("quiet", [False, True])
def test_a_round_is_scored_only_after_it_was_proposed_and_applied(quiet: bool) -> None:
    lost = defaultdict(int)
    for run in runs(1, quiet=quiet):
        for round in run.rounds:
            stages = [name in round.events for name in ("proposal_generated", "proposal_applied", "round_scored")]
            assert stages == sorted(stages, reverse=True)
            lost[sum(stages)] += 1
            assert all(round.names.count(name) <= 1 for name in CORE)
            if "round_kept" in round.events:
                assert all(stages)
            if "round_reverted" in round.events and not all(stages):
                failures = {"no_proposal", "json_fail", "patch_conflict", "val_fail", "eval_error", "crash"}
                assert round.get("round_reverted", "failure_mode") in failures
    assert all(lost[reached] > 10 for reached in range(4))


def test_a_crashed_round_has_no_score() -> None:
    crashed = [
        round
        for run in runs(1)
        for round in run.rounds
        if "round_reverted" in round.events and round.get("round_reverted", "failure_mode") in ("crash", "eval_error")
    ]
    assert crashed
    assert not any({"round_scored", "eval.run"} & round.events.keys() for round in crashed)


@pytest.mark.parametrize("quiet", [False, True])
def test_best_moves_only_in_the_projects_own_direction(quiet: bool) -> None:
    for run in runs(3, quiet=quiet):
        better = -1 if run.project == "autoresearch" else 1
        best = run.rounds[0].get("round_started", "baseline_score")
        for round in run.rounds:
            assert round.get("round_started", "baseline_score") == best
            if "round_scored" in round.events:
                score = round.get("round_scored", "score")
                assert round.get("round_scored", "score_goal") == ("min" if better < 0 else "max")
                assert ((score - best) * better > 0) == ("round_kept" in round.events)
            if "round_kept" in round.events:
                assert round.get("round_kept", "delta") == pytest.approx(score - best, abs=1e-9)
                assert round.get("round_kept", "new_best") is True
                best = score
        assert run.stops[0]["properties"]["final_best_score"] == best


def test_a_loop_that_carries_over_goes_on_where_it_stopped() -> None:
    for project in ("autoagent", "autoresearch"):
        nights = [one(runs(1), project, night) for night in range(-NIGHTS, 0)]
        for before, after in pairwise(nights):
            ended = before.stops[0]["properties"]["final_best_score"]
            assert after.rounds[0].get("round_started", "baseline_score") == ended


def test_about_one_scored_round_in_five_is_kept_on_quiet_nights() -> None:
    found = [run for seed in (1, 2) for run in runs(seed, quiet=True)]
    assert 0.15 < sum(run.kept for run in found) / sum(len(run.scored) for run in found) < 0.25


def test_dimension_names_belong_to_the_client() -> None:
    names = {(run.project, run.client): frozenset(run.dims) for run in runs(1)}
    assert len(names) == len(set(names.values())) == 5
    assert all(5 <= len(dims) <= 9 for dims in names.values())


# The calendar


@pytest.mark.parametrize(
    "until",
    [
        UNTIL,
        datetime(2025, 11, 24, 0, 5, tzinfo=ZONE),
        datetime(2025, 11, 24, 3, 0, tzinfo=ZONE),
        datetime(2025, 11, 24, 6, 5, tzinfo=ZONE),
        datetime(2025, 11, 24, 23, 59, tzinfo=ZONE),
        datetime(2025, 10, 26, 9, 0, tzinfo=ZONE),  # the clocks went back in the last night
        datetime(2025, 3, 30, 9, 0, tzinfo=ZONE),  # and forward
        datetime(2025, 11, 24, 12, 0, tzinfo=UTC),
    ],
)
def test_all_events_lie_in_their_nights_and_the_last_night_is_over(until: datetime) -> None:
    spans = night_spans(until, 2, ZONE)
    assert spans[-1].end < until
    last = 0
    for batch in simulate(1, until=until, tz=ZONE, nights=2):
        for event in batch:
            at = datetime.fromisoformat(event["timestamp"])
            night = [number for number, span in enumerate(spans) if span.start <= at <= span.end]
            assert len(night) == 1
            last += night == [1]
    assert last > 3000


@pytest.mark.parametrize("hour", range(24))
def test_the_last_night_ended_within_a_day_and_began_in_the_evening_before(hour: int) -> None:
    until = datetime(2025, 11, 24, hour, 30, tzinfo=ZONE)
    night = night_spans(until, 1, ZONE)[0]
    assert timedelta(minutes=10) <= until - night.end < timedelta(hours=18)
    assert timedelta(hours=5) < night.end - night.start <= timedelta(hours=8)
    assert datetime(2025, 11, 23, 18, 0, tzinfo=ZONE) < night.start


def test_rounds_follow_each_other_every_few_minutes() -> None:
    for project, clients in (("autoagent", 1), ("autoresearch", 1), ("gtm-autoresearch", 3)):
        starts = sorted(round.started for run in runs(1, quiet=True) if run.night == -1 and run.project == project
                        for round in run.rounds)  # fmt: skip
        assert 60 <= len(starts) <= 120
        times = [datetime.fromisoformat(start) for start in starts]
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        assert min(gaps) > 120 and max(gaps) < 600
        assert 230 < mean(gaps) < 370, clients


def test_a_naive_until_and_too_few_nights_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="aware"):
        simulate(1, until=datetime(2025, 11, 24))
    with pytest.raises(ValueError, match="two nights"):
        simulate(1, until=UNTIL, nights=1)
    assert list(simulate(1, until=UNTIL, nights=1, quiet=True))


# The stories


def test_plateau(seed: int) -> None:
    story = told_of(seed, "plateau")
    (run,) = of(runs(seed), story)
    assert 40 <= run.after_last_kept <= 56
    assert run.stops[0]["properties"]["reason"] == "stall_limit"
    deploy = told_of(seed, "bad_deploy")
    assert all(other.after_last_kept < 30 for other in others(others(runs(seed), story), deploy))


def test_cost_spike(seed: int) -> None:
    story = told_of(seed, "cost_spike")
    (run,) = of(runs(seed), story)
    usual = mean(other.cost_per_round for other in others(runs(seed), story) if other.project == run.project)
    assert 2.6 < run.cost_per_round / usual < 3.4


def test_escalation_streak(seed: int) -> None:
    story = told_of(seed, "escalation_streak")
    (run,) = of(runs(seed), story)
    assert run.longest_escalation >= 12
    assert all(other.longest_escalation <= 2 for other in others(runs(seed), story))
    escalated = [round for round in run.rounds if "model_escalated" in round.events]
    assert {round.get("model_escalated", "to_model") for round in escalated} == {story.subject}


def test_weak_dimension(seed: int) -> None:
    story = told_of(seed, "weak_dimension")
    found = of(runs(seed), story)
    assert [run.night for run in found] == [-4, -3, -2, -1]
    for run in found:
        dims = run.dims
        assert dims.pop(story.subject) < 0.5
        assert min(dims.values()) > 0.6
    assert all(min(run.dims.values()) > 0.6 for run in others(runs(seed), story))


def test_crashed_run(seed: int) -> None:
    story = told_of(seed, "crashed_run")
    (run,) = of(runs(seed), story)
    open_rounds = [number for number, round in enumerate(run.rounds) if not ENDINGS & round.events.keys()]
    assert [stop["properties"]["reason"] for stop in run.stops] == ["crash"]
    assert run.exceptions == 1
    assert open_rounds == [len(run.rounds) - 2, len(run.rounds) - 1]
    assert not any("round_scored" in run.rounds[number].events for number in open_rounds)
    assert len(run.rounds) < 60
    assert run.last_at == run.stops[0]["timestamp"]
    assert run.stops[0]["properties"]["rounds_completed"] == len(run.rounds) - 2
    for other in others(runs(seed), story):
        assert not other.exceptions
        assert all(ENDINGS & round.events.keys() for round in other.rounds)


def test_bad_deploy(seed: int) -> None:
    story = told_of(seed, "bad_deploy")
    last_night = of(runs(seed), story)
    shas = {round.get("round_started", "git_sha") for run in last_night for round in run.rounds}
    assert len(last_night) == 3 and len(shas) == 2
    earlier = {round.get("round_started", "git_sha") for run in others(runs(seed), story) for round in run.rounds}
    (new,) = shas - earlier
    project = [run for run in runs(seed) if run.project == story.project]
    before = [round for run in project for round in run.rounds if round.get("round_started", "git_sha") != new]
    after = [round for run in last_night for round in run.rounds if round.get("round_started", "git_sha") == new]
    assert max(round.started for round in before) < min(round.started for round in after)

    def kept_rate(rounds: list[Round]) -> float:
        return sum("round_kept" in round.events for round in rounds) / len(rounds)

    def score(rounds: list[Round]) -> float:
        return mean(round.get("round_scored", "score") for round in rounds if "round_scored" in round.events)

    assert len(after) > 80
    assert kept_rate(after) < kept_rate(before) / 2
    assert score(after) < score(before) - 0.05


def test_the_last_morning_shows_one_project_better_one_flat_and_one_hurt(seed: int) -> None:
    found = runs(seed)
    research = [one(found, "autoresearch", night).best for night in range(-NIGHTS, 0)]
    gained = [before - after for before, after in pairwise(research)]
    assert gained[-1] > 1.5 * max(gained[:-1])
    agent = [one(found, "autoagent", night).best for night in range(-NIGHTS, 0)]
    gained = [after - before for before, after in pairwise(agent)]
    assert gained[-1] < 0.3 * min(gained[:-1])

    def best(night: int) -> float:
        return max(run.best for run in found if run.project == "gtm-autoresearch" and run.night == night)

    assert best(-1) < best(-2) - 0.005


def test_late_batch(seed: int) -> None:
    story = told_of(seed, "late_batch")
    behind = lags(weekend(seed))
    late = [event for event, lag in behind if lag > timedelta(minutes=30)]
    assert {event["properties"]["client"] for event in late} == {story.client}
    assert len({event["properties"]["round_id"] for event in late}) == 4
    assert max(lag for _, lag in behind) > timedelta(minutes=60)


def lags(events: Iterable[Mapping]) -> list[tuple[Mapping, timedelta]]:
    """How much older each event is than the newest that arrived before it."""
    newest, found = datetime.min.replace(tzinfo=UTC), []
    for event in events:
        at = datetime.fromisoformat(event["timestamp"])
        newest = max(newest, at)
        found.append((event, newest - at))
    return found


def test_skewed_clock(seed: int) -> None:
    story = told_of(seed, "skewed_clock")

    def judged_early(run: Run) -> int:
        """Rounds whose eval seems to start before their trial, the last tool call, has returned."""
        return sum(
            round.events["eval.run"]["timestamp"] < round.events["step.tool_returned"]["timestamp"]
            for round in run.scored
        )

    (run,) = of(runs(seed), story)
    assert judged_early(run) == len(run.scored)
    assert not any(judged_early(other) for other in others(runs(seed), story))


@pytest.mark.parametrize("quiet", [False, True])
def test_neighbouring_events_arrive_out_of_order_now_and_then(quiet: bool) -> None:
    behind = sum(lag > timedelta(0) for _, lag in lags(weekend(1, quiet=quiet)))
    assert behind > 500


def test_every_story_is_told_of_a_run_that_is_there(seed: int) -> None:
    told = stories(seed)
    assert len({story.name for story in told}) == len(told) == 9
    assert all(of(runs(seed), story) for story in told)


def test_stories_differ_between_seeds() -> None:
    assert len({told_of(seed, "weak_dimension").subject for seed in range(20)}) > 3
    assert len({told_of(seed, "crashed_run").what for seed in range(20)}) > 3


def test_nights_before_the_last_two_are_quiet_but_for_the_weak_dimension() -> None:
    assert {story.name for story in stories(1) if story.touches(story.project, story.client, -3)} == {"weak_dimension"}


def test_a_quiet_weekend_has_no_story(seed: int) -> None:
    found = runs(seed, quiet=True)
    assert len(found) == 5 * NIGHTS
    by_client = defaultdict(list)
    for run in found:
        by_client[run.project, run.client].append(run)
        assert run.after_last_kept < 25
        assert run.longest_escalation <= 1
        assert min(run.dims.values()) > 0.65
        assert run.exceptions == 0
        assert all(ENDINGS & round.events.keys() for round in run.rounds)
        assert run.stops[0]["properties"]["reason"] in ("max_rounds", "time_limit")
        assert len({round.get("round_started", "git_sha") for round in run.rounds}) == 1
    for nights in by_client.values():
        costs = [run.cost_per_round for run in nights]
        assert max(costs) < 1.4 * min(costs)
    assert max(lag for _, lag in lags(weekend(seed, quiet=True))) < timedelta(minutes=15)
