"""Experiments started and ended from the desk: on the embedded store over HTTP, and on a PostHog that says no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.limiter import Limiter, account
from queries.remote_errors import PostHogConflict, PostHogUnreachable
from queries.remote_exchange import Exchanges
from queries.remote_http import CutOff, Transport
from queries.rest import RemoteRest, Rest, Unanswered
from queries.rest_experiments import (
    ExperimentMoved,
    apply,
    ended,
    experiment_on,
    experiments,
    plan_in,
    planned,
    started,
    with_plan,
)
from queries.rest_flags import Flag, FlagMoved, flag_named, rolled_out, switched
from queries.rest_flags import apply as apply_to_flag
from queries.views.experiment import Plan
from tests.conftest import Served
from tests.posthog_double import Double, Received, Scripted, json_answer, refusal
from tests.rest_calls import EVERYONE, HALVES
from workspace.errors import LoopdeskError

KEY = "phx_" + "s3cret" * 6
PLAN = Plan("scorer_v2", rounds=200)
BOTH = {**EVERYONE, "multivariate": HALVES}


@pytest.fixture
def open_remote(tmp_path: Path) -> Iterator[Callable[..., RemoteRest]]:
    opened: list[RemoteRest] = []

    def connect(url: str, key: str = KEY) -> RemoteRest:
        limiter = Limiter(tmp_path / "limits")
        opened.append(RemoteRest(Exchanges(Transport(url, key), limiter, account(url, key), pause=lambda _: None)))
        return opened[-1]

    yield connect
    for rest in opened:
        rest.close()


@pytest.fixture
def rest(serve: Callable[..., Served], open_remote: Callable[..., RemoteRest], tmp_path: Path) -> Rest:
    served = serve(tmp_path / "served")
    return open_remote(served.url, served.personal_key)


@dataclass
class Faulty:
    """Passes everything on; `faults` are raised once each, before or after the request of that method and path's end
    was done."""

    rest: Rest
    faults: dict[tuple[str, str], str]
    sent: list[tuple[str, str]] = field(default_factory=list)

    @property
    def place(self) -> str:
        return self.rest.place

    def ask(self, method: str, path: str, document: dict | None = None) -> object:
        found = next((key for key in self.faults if key[0] == method and path.endswith(key[1])), None)
        when = self.faults.pop(found) if found else ""
        if when == "before":
            raise PostHogUnreachable("the line is dead")
        self.sent.append((method, path))
        answer = self.rest.ask(method, path, document)
        if when == "after":
            raise PostHogUnreachable("the answer was lost")
        return answer

    def close(self) -> None:
        pass


def make(rest: Rest, key: str = "scorer_v2", **fields: object) -> Flag:
    rest.ask("POST", "feature_flags/", {"key": key, "filters": BOTH, "active": False, **fields})
    return flag_named(rest, key)


def drafted(rest: Rest, **fields: object) -> int:
    made = rest.ask("POST", "experiments/", {"name": "By hand", "feature_flag_key": "scorer_v2", **fields})
    assert isinstance(made, dict)
    return made["id"]


def test_an_experiment_is_started_by_its_plan_and_ended(rest: Rest):
    change = started(make(rest), PLAN, experiments(rest))
    assert change.said == (
        "scorer_v2: start an experiment over 200 scored rounds of each variant (control 50 %, test 50 %); "
        "the flag off → on; each agent keeps one variant, so few agents are compared"
    )
    by_round = make(rest, "another", bucketing_identifier="device_id")
    assert "each agent" not in started(by_round, PLAN).said
    made = apply(rest, change)
    assert (made.flag, made.state) == ("scorer_v2", "running") and made.started_at and not made.ended_at
    assert made.plan == replace(PLAN, shares={"control": 50, "test": 50})
    assert experiments(rest) == (made,) and flag_named(rest, "scorer_v2").is_on
    over = apply(rest, ended(made))
    assert over.state == "ended" and over.ended_at and over.ended_at >= made.started_at
    assert flag_named(rest, "scorer_v2").is_on
    with pytest.raises(LoopdeskError, match="has ended already"):
        ended(over)
    again = apply(rest, started(flag_named(rest, "scorer_v2"), Plan("scorer_v2", effect=0.02), experiments(rest)))
    assert again.id != made.id and again.plan and again.plan.effect == 0.02
    assert experiment_on(experiments(rest), "scorer_v2") == again and experiment_on(experiments(rest), "x") is None


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        (EVERYONE, "no variants"),
        ({**EVERYONE, "multivariate": {"variants": [{"key": "control", "rollout_percentage": 100}]}}, "only control"),
        ({**EVERYONE, "multivariate": {"variants": [{"key": key, "rollout_percentage": 50} for key in "ab"]}}, "a, b"),
    ],
)
def test_a_flag_that_cannot_carry_an_experiment_is_refused(rest: Rest, filters: dict, why: str):
    flag = make(rest, filters=filters)
    with pytest.raises(LoopdeskError, match=why):
        started(flag, PLAN)
    assert experiments(rest) == ()


@pytest.mark.parametrize(
    "plan",
    [
        Plan("x"),
        Plan("x", rounds=3),
        Plan("x", rounds=200, effect=0.1),
        *(Plan("x", effect=effect) for effect in (0.0, -0.1, float("nan"), float("inf"))),
    ],
)
def test_a_plan_that_is_none_is_refused(rest: Rest, plan: Plan):
    flag = make(rest)
    with pytest.raises(LoopdeskError):
        started(flag, plan)


def test_a_draft_that_is_there_is_launched_and_keeps_its_words(rest: Rest):
    flag, id = make(rest), drafted(rest, description="Does the new scorer\nagree with people?")
    change = started(flag, PLAN, experiments(rest))
    assert 'launch the draft "By hand"' in change.said
    made = apply(rest, change)
    assert (made.id, made.state, made.plan and made.plan.rounds) == (id, "running", 200)
    assert made.description.splitlines()[:2] == ["Does the new scorer", "agree with people?"]
    with pytest.raises(LoopdeskError, match="is running on scorer_v2 already"):
        started(flag, Plan("scorer_v2", rounds=300), experiments(rest))
    assert apply(rest, change) == made and len(experiments(rest)) == 1


def test_a_running_one_without_a_plan_is_given_one(rest: Rest):
    drafted_flag, id = make(rest), drafted(rest, start_date="2026-11-20T00:00:00Z")
    flag = flag_named(rest, drafted_flag.key)
    change = started(flag, PLAN, experiments(rest))
    assert "write the plan" in change.said and "runs already" in change.said
    made = apply(rest, change)
    assert (made.id, made.plan and made.plan.rounds) == (id, 200)
    assert made.started_at == datetime(2026, 11, 20, tzinfo=UTC)


def test_what_moved_since_it_was_read_is_left_alone(rest: Rest):
    flag = make(rest)
    unaware = started(flag, PLAN)
    apply_to_flag(rest, rolled_out(flag, 40))
    with pytest.raises(FlagMoved, match="rollout is 40 %"):
        apply(rest, unaware)
    assert experiments(rest) == ()
    drafted(rest)
    unaware = started(flag_named(rest, "scorer_v2"), PLAN)
    with pytest.raises(ExperimentMoved, match='"By hand" is draft'):
        apply(rest, unaware)
    (draft,) = experiments(rest)
    assert draft.state == "draft"
    made = apply(rest, started(flag_named(rest, "scorer_v2"), PLAN, (draft,)))
    apply_to_flag(rest, switched(flag_named(rest, "scorer_v2"), False))
    with pytest.raises(ExperimentMoved, match="it is paused"):
        apply(rest, ended(made))
    (paused,) = experiments(rest)
    assert apply(rest, ended(paused)).state == "ended"


@pytest.mark.parametrize("path", ["experiments/", "/launch/"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_that_is_broken_off_is_never_made_twice(rest: Rest, path: str, when: str):
    flag = make(rest)
    faulty = Faulty(rest, {("POST", path): when})
    if when == "after":
        assert apply(faulty, started(flag, PLAN)).state == "running"
    else:
        said = "was not launched: the line is dead" if path == "/launch/" else "the line is dead"
        with pytest.raises(LoopdeskError, match=said):
            apply(faulty, started(flag, PLAN))
        assert [one.state for one in experiments(rest)] == (["draft"] if path == "/launch/" else [])
        assert apply(faulty, started(flag, PLAN)).state == "running"
    assert len(experiments(rest)) == 1
    faulty = Faulty(rest, {("POST", "/end/"): "after"})
    (running,) = experiments(rest)
    assert apply(faulty, ended(running)).state == "ended"
    assert apply(faulty, ended(running)).state == "ended"
    assert faulty.sent.count(("POST", f"experiments/{running.id}/end/")) == 1


@pytest.mark.parametrize("verb", ["/launch/", "/end/"])
def test_what_cannot_be_looked_up_after_a_lost_answer_is_not_called_unchanged(rest: Rest, verb: str):
    class Dying(Faulty):
        def ask(self, method: str, path: str, document: dict | None = None) -> object:
            if ("POST", "gone") in self.sent:
                raise PostHogUnreachable("the line is dead")
            answer = super().ask(method, path, document)
            if path.endswith(verb):
                self.sent.append(("POST", "gone"))
                raise CutOff("the answer was lost")
            return answer

    dying, flag = Dying(rest, {}), make(rest)
    running = apply(rest, started(flag, PLAN)) if verb == "/end/" else None
    with pytest.raises(Unanswered, match="Whether the experiment changed is not known"):
        apply(dying, ended(running) if running else started(flag, PLAN))
    assert [one.state for one in experiments(rest)] == ["ended" if running else "running"]


FLAG = {"id": 3, "key": "scorer_v2", "name": "", "active": False, "filters": BOTH, "version": 4}
DRAFT = {"id": 7, "name": "x", "feature_flag_key": "scorer_v2", "feature_flag": FLAG, "start_date": None,
         "end_date": None, "description": "loopdesk plan: 200 scored rounds of each variant."}  # fmt: skip


def test_an_approval_policy_is_a_sentence_and_asked_once(open_remote: Callable[..., RemoteRest]):
    def answer(received: Received) -> Scripted:
        if received.method == "POST":
            return refusal(409, "This action needs an approval", "server_error", "approval_required")
        if received.path.startswith("/api/projects/@current/feature_flags/?"):
            return json_answer({"results": [FLAG]})
        if received.path.startswith("/api/projects/@current/experiments/?"):
            return json_answer({"results": [DRAFT]})
        return json_answer(FLAG if "feature_flags" in received.path else DRAFT)

    with Double([], answer).running() as double:
        rest = open_remote(double.url)
        flag = flag_named(rest, "scorer_v2")
        with pytest.raises(LoopdeskError, match=r"as a draft, but was not launched: .* approved first") as met:
            apply(rest, started(flag, PLAN, experiments(rest)))
        assert isinstance(met.value.__cause__, PostHogConflict)
        assert sum(one.method == "POST" for one in double.received) == 1


def test_what_is_no_experiment_is_left_out(open_remote: Callable[..., RemoteRest]):
    junk: list = [7, {}, {"id": "7"}, {**DRAFT, "deleted": True}, {**DRAFT, "feature_flag_key": 9, "feature_flag": 1}]
    odd = {**DRAFT, "name": "\x1b[31mred", "feature_flag": None, "start_date": "soon", "description": None}
    never = {**DRAFT, "id": 1, "start_date": "9999-12-31T23:59:59-05:00"}
    with Double([json_answer({"results": [*junk, odd, never]})]).running() as double:
        found, last = experiments(open_remote(double.url))
    assert (found.name, found.state, found.plan) == ("red", "draft", None)
    assert last.state == "draft"


@given(
    st.one_of(
        st.integers(8, 1_000_000).map(lambda rounds: Plan("f", rounds=rounds)),
        st.floats(min_value=1e-12, max_value=1e12).map(lambda effect: Plan("f", effect=effect)),
    ),
    st.text(max_size=200),
)
def test_a_plan_is_read_back_as_it_was_written(plan: Plan, around: str):
    whole = with_plan(around, plan)
    assert plan_in(whole, "f") == plan
    other = Plan("f", rounds=77)
    assert plan_in(with_plan(whole, other), "f") == other


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loopdesk plan: many scored rounds of each variant.",
        "loopdesk plan: 0200 scored rounds of each variant.",
        "loopdesk plan: 3 scored rounds of each variant.",
        "loopdesk plan: a difference of nan in the score.",
        "loopdesk plan: a difference of 0 in the score.",
        "loopdesk plan: a difference of 1e999 in the score.",
        "we had loopdesk plan: 200 scored rounds of each variant.",
        "loopdesk plan: 200 scored rounds of each variant.\nloopdesk plan: 300 scored rounds of each variant.",
    ],
)
def test_a_plan_is_read_strictly(line: str):
    assert plan_in(line, "f") is None


def test_a_full_description_is_not_cut(rest: Rest):
    make(rest)
    drafted(rest, description="x" * 2_990)
    with pytest.raises(LoopdeskError, match="no room"):
        apply(rest, started(flag_named(rest, "scorer_v2"), PLAN, experiments(rest)))
    assert planned(PLAN) == "200 scored rounds of each variant"
