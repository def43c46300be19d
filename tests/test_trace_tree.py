"""Events -> the tree of a round: paired, nested, marked; nothing is lost, whatever order and however often it comes."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.local.ingest import microseconds
from queries.simulator import simulate
from queries.views.trace import rows
from queries.views.trace.account import account
from queries.views.trace.events import Event, Events
from queries.views.trace.grower import grow
from queries.views.trace.tree import KINDS, NOBODY, Mark, Tree
from tests.conftest import NOW

START = microseconds(NOW) - 600_000_000
LATER = microseconds(NOW) + 86_400_000_000
ROUND = "01JROUND"


def ev(name: str, at_s: float, key: object = "", **fields: object) -> Event:
    """An event so many seconds into the round; `key` tells twins apart."""
    at = START + int(at_s * 1e6)
    uuid = str(uuid5(NAMESPACE_URL, f"{name}|{at}|{key}|{sorted(fields.items())}"))
    fields.setdefault("arrived_us", at + 1_000)
    return Event(uuid=uuid, event=name, at_us=at, **fields)  # type: ignore[arg-type]


def tree(*events: Event, now_us: int = LATER) -> Tree:
    return grow(ROUND, Events.of(events), now_us)


def said(found: Tree) -> list[str]:
    """Every row as `depth kind label [marks]`, short enough to read in a failing test."""
    shown = (rows.row(found, number) for number in range(len(found)))
    return [f"{row.depth} {row.kind} {row.label}" + (f" {list(row.marks)}" if row.marks else "") for row in shown]


STARTED = ev("round_started", 0, model="small", score=0.7)
KEPT = ev("round_kept", 100, delta=0.1, cost_usd=0.5)


# Pairs


def test_a_call_and_its_return_are_one_row_with_a_duration():
    call = ev("step.tool_called", 1, step_id="S1", tool="pytest", text='{\\"path\\": \\"t\\"}')
    answer = ev("step.tool_returned", 3.5, step_id="S1", tool="pytest", ok="true", latency_ms=2400.0)
    found = tree(STARTED, call, answer, KEPT)
    assert said(found) == [
        "0 round round 01JROUND  small  baseline 0.700",
        '1 tool pytest  {"path": "t"} [\'ok\']',
        "1 round kept  +0.100",
    ]
    assert rows.row(found, 1).duration_s == 2.5


def test_a_failed_call_its_retry_and_the_next_attempt_stand_together():
    found = tree(
        STARTED,
        ev("step.tool_called", 1, step_id="S1", tool="read"),
        ev("step.tool_returned", 2, step_id="S1", tool="read", ok="false", text="reset"),
        ev("step.retry", 3, step_id="S1", text="attempt 2: reset"),
        ev("step.tool_called", 4, step_id="S1", tool="read", text="{}"),
        ev("step.tool_returned", 5, step_id="S1", tool="read", ok="true"),
        KEPT,
    )
    assert said(found)[1:4] == [
        "1 tool read  → reset ['failed']",
        "2 retry attempt 2: reset",
        "2 tool read ['ok']",
    ]
    assert rows.row(found, 1).is_error and not rows.row(found, 3).is_error


def test_a_call_without_a_return_is_marked_and_in_a_young_round_still_runs():
    call = ev("step.tool_called", 1, step_id="S1", tool="train")
    assert said(tree(STARTED, call))[1] == "1 tool train ['no return']"
    young = tree(STARTED, call, now_us=START + 60_000_000)
    assert said(young)[1] == "1 tool train ['running']"
    assert young.is_running and account(young).outcome == "running"


def test_a_return_without_a_call_is_marked_and_starts_where_its_latency_says():
    found = tree(STARTED, ev("step.tool_returned", 9, step_id="S1", tool="train", ok="true", latency_ms=4000.0))
    row = rows.row(found, 1)
    assert row.marks == ("no call",)
    assert (row.offset_s, row.duration_s) == (5.0, 4.0)


def test_a_return_from_before_its_call_is_paired_and_the_clocks_are_marked():
    found = tree(
        STARTED,
        ev("step.tool_returned", 4, step_id="S1", tool="train", ok="true"),
        ev("step.tool_called", 5, step_id="S1", tool="train"),
    )
    assert said(found)[1:] == ["1 tool train ['clocks differ']"]


def test_calls_without_step_ids_pair_by_agent_and_tool():
    found = tree(
        STARTED,
        ev("step.tool_called", 1, agent="a", tool="x"),
        ev("step.tool_called", 2, agent="b", tool="x"),
        ev("step.tool_returned", 3, agent="b", tool="x", ok="true"),
        ev("step.tool_returned", 4, agent="a", tool="x", ok="false"),
    )
    assert [(rows.row(found, n).offset_s, rows.row(found, n).duration_s) for n in (1, 2)] == [(1.0, 3.0), (2.0, 1.0)]
    assert said(found)[1] == "1 tool x ['failed']"


# Model calls


def generation(at_s: float, **fields: object) -> Event:
    return ev("$ai_generation", at_s, **{"model": "sonnet", "latency_ms": 1000.0, **fields})


def test_a_model_call_stands_under_the_step_or_eval_or_span_that_its_parent_id_names():
    found = tree(
        STARTED,
        generation(1, span_id="G1", parent_id="S1", text="plan"),
        ev("step.plan", 1.1, step_id="S1", text="try less"),
        ev("$ai_span", 9, span_id="SP", text="agent"),
        generation(8, span_id="G2", parent_id="SP"),
        ev("eval.run", 20, suite_id="E1", text="suite"),
        generation(21, span_id="G3", parent_id="E1", text="judge"),
        ev("eval.case", 22, suite_id="E1", case_id="c/1", score=0.9, ok="true"),
    )
    assert said(found)[1:] == [
        "1 plan try less",
        "2 generation sonnet  plan",
        "1 tool span  agent",
        "2 generation sonnet",
        "1 eval suite  1 of 1 passed",
        "2 generation sonnet  judge",
        "2 case c/1  0.900 ['passed']",
    ]


def test_a_model_call_without_a_parent_is_placed_by_time_and_agent():
    found = tree(
        STARTED,
        generation(5, agent="coder", text="inside"),
        ev("step.tool_called", 1, step_id="S1", agent="coder", tool="agent_run"),
        ev("step.tool_returned", 9, step_id="S1", agent="coder", tool="agent_run", ok="true"),
        generation(5.5, agent="critic", text="elsewhere"),
        generation(20, agent="planner", text="before the plan"),
        ev("step.plan", 20.5, step_id="S2", agent="planner", text="next"),
        generation(31, agent="coder", text="propose"),
        ev("proposal_generated", 31.01, agent="coder"),
    )
    assert said(found)[1:] == [
        "1 tool agent_run ['ok']",
        "2 generation sonnet  inside",
        "1 generation sonnet  elsewhere",
        "1 plan next",
        "2 generation sonnet  before the plan",
        "1 round proposed",
        "2 generation sonnet  propose",
    ]


def test_a_parent_that_is_the_trace_is_the_round_and_one_that_is_not_there_is_marked():
    found = tree(STARTED, generation(2, parent_id=ROUND), generation(3, key=2, parent_id="lost"))
    assert said(found)[1:] == ["1 generation sonnet", "1 generation sonnet ['parent missing']"]


def test_parents_in_a_loop_are_cut_and_marked():
    found = tree(
        STARTED,
        generation(2, span_id="A", parent_id="B", text="a"),
        generation(3, span_id="B", parent_id="A", text="b"),
        generation(4, span_id="C", parent_id="C", text="c"),
    )
    assert said(found)[1:] == [
        "1 generation sonnet  a ['parents in a loop']",
        "2 generation sonnet  b",
        "1 generation sonnet  c ['parents in a loop']",
    ]


def test_a_parent_may_be_named_by_its_uuid():
    outer = ev("$ai_span", 5, text="outer")
    found = tree(STARTED, outer, generation(4, parent_id=outer.uuid))
    assert said(found)[1:] == ["1 tool span  outer", "2 generation sonnet"]


def test_a_failed_model_call_is_an_error():
    found = tree(STARTED, generation(2, ok="false", text="overloaded"))
    assert said(found)[1] == "1 generation sonnet  overloaded ['failed']"


# Evals


def test_cases_and_regressions_stand_under_their_suite_with_pass_or_fail():
    found = tree(
        STARTED,
        ev("eval.run", 1, suite_id="E", text="suite"),
        ev("eval.case", 2, suite_id="E", case_id="one", score=0.9, ok="true", text="good"),
        ev("eval.case", 3, suite_id="E", case_id="two", score=0.4, ok="false"),
        ev("eval.regression", 4, suite_id="E", case_id="two", text="tone 0.8 → 0.4"),
    )
    assert said(found)[1:] == [
        "1 eval suite  1 of 2 passed",
        "2 case one  0.900  good ['passed']",
        "2 case two  0.400 ['failed']",
        "2 regression tone 0.8 → 0.4 ['failed']",
    ]


def test_cases_whose_suite_never_started_are_kept_together():
    case = [ev("eval.case", at, suite_id="E", case_id=f"c{at}", ok="true") for at in (2, 3)]
    found = tree(STARTED, *case)
    assert said(found)[1:] == [
        "1 eval suite  2 of 2 passed ['no start']",
        "2 case c2 ['passed']",
        "2 case c3 ['passed']",
    ]


# Escalations, errors, what nobody knows


def test_escalations_exceptions_and_unknown_events_have_rows():
    found = tree(
        STARTED,
        ev("model_escalated", 1, text="small → big: stall"),
        ev("$exception", 2, text="OutOfMemoryError: CUDA"),
        ev("something.new", 3),
        ev("token_machine.request", 4, model="small", text="proposal: grade B"),
    )
    assert said(found)[1:] == [
        "1 escalation small → big: stall",
        "1 error OutOfMemoryError: CUDA ['failed']",
        "1 observation something.new",
        "1 observation router  small  proposal: grade B",
    ]


def test_a_round_without_its_start_says_so():
    found = tree(ev("step.plan", 3, step_id="S", text="x"))
    assert said(found)[0] == "0 round round 01JROUND ['no start']"


def test_a_trace_that_is_of_no_round_lacks_no_start():
    call, end = ev("$ai_generation", 1), ev("$ai_trace", 3)
    assert said(tree(call, end))[0] == "0 round round 01JROUND"
    assert said(tree(call, ev("round_scored", 2, score=0.5), end))[0] == "0 round round 01JROUND ['no start']"


def test_nothing_at_all_is_a_round_without_events():
    found = tree()
    assert said(found) == ["0 round round 01JROUND ['no start']"]
    assert account(found).verdict == "No events of this round are here."


def test_labels_are_one_printable_line_however_hostile_the_words():
    text = "\\u001b]0;owned\\u0007red \\u202e[bold]x[/bold]\\nnext" + "y" * 500
    found = tree(STARTED, ev("step.plan", 1, step_id="S", text=text))
    label = rows.row(found, 1).label
    assert label.startswith("red [bold]x[/bold] next") and label.isprintable() and len(label) <= rows.LONGEST_LABEL


# Duplicates, clocks, late arrivals


def test_the_same_event_twice_is_one_row_that_counts_it():
    plan = ev("step.plan", 1, step_id="S", text="x")
    found = tree(STARTED, plan, plan, plan, KEPT)
    assert said(found)[1] == "1 plan x ['×3']"
    assert found.duplicates == 2


def test_a_resent_event_with_a_new_uuid_is_a_duplicate_too():
    found = tree(
        STARTED, ev("step.plan", 1, "a", step_id="S", text="x"), ev("step.plan", 1, "b", step_id="S", text="x")
    )
    assert found.duplicates == 1 and len(found) == 2


def test_a_second_return_of_one_call_is_no_duplicate_but_has_no_call():
    found = tree(
        STARTED,
        ev("step.tool_called", 1, step_id="S", tool="x"),
        ev("step.tool_returned", 2, step_id="S", tool="x", ok="true"),
        ev("step.tool_returned", 3, step_id="S", tool="x", ok="true"),
    )
    assert said(found)[1:] == ["1 tool x ['ok']", "2 tool x ['no call']"]


def test_an_event_by_another_clock_is_marked_and_does_not_squeeze_the_picture():
    found = tree(STARTED, ev("step.plan", -7200, step_id="S", text="x"), KEPT)
    assert said(found)[1] == "1 plan x ['outside the round']"
    assert (found.began_us, found.ended_us) == (STARTED.at_us, KEPT.at_us)


def test_what_arrives_long_after_the_outcome_is_late():
    late = ev("step.plan", 5, step_id="S", text="x", arrived_us=KEPT.at_us + 120_000_000)
    assert said(tree(STARTED, late, KEPT))[1] == "1 plan x ['late']"


# As of a moment


def test_cost_is_of_one_source_and_the_rounds_own_total_ends_it():
    found = tree(
        STARTED,
        generation(10, cost_usd=0.1, tokens_in=10.0, tokens_out=1.0),
        ev("token_machine.request", 10.1, cost_usd=0.1, tokens_in=10.0),
        ev("proposal_generated", 10.2, cost_usd=0.1),
        generation(20, key=2, cost_usd=0.2, tokens_in=20.0),
        ev("round_scored", 30, score=0.8, goal="max"),
        KEPT,
    )
    told = account(found)
    assert told.at(START + 5_000_000).cost_usd is None
    middle = told.at(START + 15_000_000)
    assert (middle.cost_usd, middle.tokens, middle.score, middle.elapsed_s) == (0.1, 11.0, None, 15.0)
    end = told.whole
    assert (end.cost_usd, end.tokens, end.score, end.is_better) == (0.5, 31.0, 0.8, True)
    assert told.cost_source == "model calls"
    assert told.verdict == "Kept, score 0.800 (+0.100 better), $0.50 by the round's end, 7 events."


def test_less_is_better_where_the_goal_says_so():
    scored = ev("round_scored", 30, score=0.6, goal="min")
    assert account(tree(STARTED, scored, KEPT)).whole.is_better is True


def test_the_verdict_counts_what_is_odd():
    found = tree(
        STARTED,
        ev("step.tool_called", 1, step_id="S", tool="x"),
        ev("$exception", 2, text="E: x"),
        ev("step.retry", 3, step_id="T", text="attempt 2"),
    )
    assert account(found).verdict == "Lost, 4 events; 1 failed, 1 retry and 1 without its other half."


# Whatever comes


NAMES = st.sampled_from(
    ("round_started", "step.tool_called", "step.tool_returned", "step.plan", "step.retry", "odd")
) | (
    st.sampled_from(("eval.run", "eval.case", "eval.regression", "$ai_generation", "$ai_span", "$exception"))
    | st.sampled_from(("round_scored", "round_kept", "proposal_generated"))
)
IDS = st.sampled_from((None, None, "A", "B", "C"))
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, min_value=-1e18, max_value=1e18))
ANY = st.builds(
    Event,
    uuid=st.uuids().map(str),
    event=NAMES,
    at_us=st.integers(START, START + 40),
    arrived_us=st.one_of(st.none(), st.integers(START, START + 10**9)),
    agent=st.sampled_from((None, "a", "b")),
    step_id=IDS,
    suite_id=IDS,
    span_id=IDS,
    parent_id=IDS,
    tool=st.sampled_from((None, "t")),
    ok=st.sampled_from((None, "true", "false")),
    text=st.one_of(st.none(), st.text(max_size=20)),
    latency_ms=NUMBERS,
    cost_usd=NUMBERS,
    score=NUMBERS,
)


def places(found: Tree) -> list[int]:
    return [place for number in range(len(found)) for place in found.places(number)]


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY, max_size=25), st.randoms(use_true_random=False))
def test_every_event_is_in_exactly_one_row_whatever_comes(events: list[Event], chance: random.Random):
    twice = [event for event in events if chance.random() < 0.3]
    sent = [*events, *twice]
    chance.shuffle(sent)
    found = tree(*sent)
    assert Counter(places(found)) == Counter(range(len(sent)))
    assert found.duplicates >= len(twice)
    assert found.parent[0] == NOBODY and found.size[0] == len(found)
    for number in range(1, len(found)):
        above = found.parent[number]
        assert above < number < above + found.size[above]
        assert found.depth[number] == found.depth[above] + 1
        assert found.start_us[above] <= found.start_us[number] <= found.end_us[number] <= found.end_us[above]
    assert [rows.row(found, number).label for number in range(len(found))]
    assert account(found).verdict


@settings(max_examples=150, deadline=None)
@given(st.lists(ANY, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(events: list[Event], chance: random.Random):
    shuffled = [*events]
    chance.shuffle(shuffled)
    assert said(tree(*events)) == said(tree(*shuffled))


@pytest.fixture(scope="module")
def night() -> dict[str, list[Event]]:
    """The rounds of a simulated night, as `trace_events` would answer them."""
    found: dict[str, list[Event]] = {}
    for batch in simulate(3, until=NOW, nights=1, quiet=True):
        for wire in batch:
            told = wire["properties"]
            if "round_id" in told:
                found.setdefault(told["round_id"], []).append(of_wire(wire))
    return found


def of_wire(wire: dict) -> Event:
    told = wire["properties"]
    ok = told.get("ok", told.get("passed"))
    at = microseconds(datetime.fromisoformat(wire["timestamp"]))
    return Event(
        uuid=wire["uuid"],
        event=wire["event"],
        at_us=at,
        arrived_us=at,
        agent=told.get("agent"),
        step_id=told.get("step_id"),
        suite_id=told.get("suite_id"),
        case_id=told.get("case_id"),
        span_id=told.get("$ai_span_id"),
        parent_id=told.get("$ai_parent_id"),
        tool=told.get("tool"),
        model=told.get("$ai_model", told.get("model")),
        ok=None if ok is None else str(ok).lower(),
        latency_ms=told.get("latency_ms"),
        cost_usd=told.get("cost_usd"),
        score=told.get("score"),
    )


def test_rounds_of_a_night_have_no_oddities_but_their_crashes(night: dict[str, list[Event]]):
    assert len(night) > 100
    odd = Mark.NO_CALL | Mark.NO_PARENT | Mark.PARENT_LOOP | Mark.CLOCK | Mark.OUTSIDE | Mark.TWICE | Mark.NO_START
    for round_id, events in night.items():
        found = grow(round_id, Events.of(events), LATER)
        assert not any(mark & odd for mark in found.marks)
        kinds = Counter(KINDS[kind] for kind in found.kind)
        assert kinds["generation"] == sum(event.event == "$ai_generation" for event in events)
        assert all(found.depth[n] >= 2 for n in range(len(found)) if KINDS[found.kind[n]] == "case")


def test_losing_any_event_never_loses_another(night: dict[str, list[Event]]):
    round_id, events = max(night.items(), key=lambda pair: len(pair[1]))
    for missing in range(len(events)):
        rest = events[:missing] + events[missing + 1 :]
        assert Counter(places(grow(round_id, Events.of(rest), LATER))) == Counter(range(len(rest)))


def test_more_events_keep_the_keys_of_the_rows_that_were_there():
    first = [STARTED, ev("step.tool_called", 1, step_id="S", tool="x"), ev("eval.case", 2, suite_id="E", case_id="c")]
    more = [*first, ev("step.tool_returned", 3, step_id="S", tool="x", ok="true"), KEPT]
    before, after = tree(*first), tree(*more)
    keys = [{rows.key(found, number) for number in range(len(found))} for found in (before, after)]
    assert keys[0] - {b"round"} <= keys[1] | {b"round"}
    assert timedelta(microseconds=after.ended_us - after.began_us) == timedelta(seconds=100)
