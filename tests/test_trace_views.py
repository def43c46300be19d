"""What is made of a tree: what is shown of it, how it plays, how two compare, and what is exported."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from queries.views.trace import export
from queries.views.trace.account import account
from queries.views.trace.compare import Side, compare
from queries.views.trace.detail import LONGEST, Line, Said, detail, properties_json
from queries.views.trace.events import Event
from queries.views.trace.replay import IDLE_S, replay
from queries.views.trace.rows import key, row
from queries.views.trace.shown import Folds, Wanted, following, matches, place_of, visible
from queries.views.trace.tree import KINDS, Mark, Tree
from tests.test_trace_tree import ANY, KEPT, STARTED, ev, generation, tree
from themes.loader import load
from tui.palette import palette
from tui.widgets.tracedetail import wrapped

PALETTE, ASCII = palette(load("loopdesk-dark")), palette(load("loopdesk-dark"), ascii=True)


def sample() -> Tree:
    return tree(
        STARTED,
        generation(3, span_id="G", parent_id="P", cost_usd=0.1, tokens_in=12_000.0),
        ev("step.plan", 3.1, step_id="P", text="less | *more*"),
        ev("step.tool_called", 4, step_id="T", tool="read"),
        ev("step.tool_returned", 5, step_id="T", tool="read", ok="false", text="reset"),
        ev("step.retry", 6, step_id="T", text="attempt 2: reset"),
        ev("eval.run", 90, suite_id="E", text="suite"),
        ev("eval.case", 91, suite_id="E", case_id="one", ok="true"),
        ev("round_scored", 95, score=0.8),
        KEPT,
    )


def kinds(found: Tree, numbers) -> list[str]:
    return [KINDS[found.kind[number]] for number in numbers]


# Shown


def test_folded_to_a_depth_deeper_rows_are_left_out():
    found = sample()
    assert kinds(found, visible(found, Folds(depth=1), Wanted())) == ["round", "plan", "tool", "eval", "round", "round"]
    assert list(visible(found, Folds(depth=0), Wanted())) == [0]
    assert list(visible(found, Folds(), Wanted())) == list(range(len(found)))


def test_one_row_turned_is_the_other_way_round_and_stays_so_when_events_arrive():
    found = sample()
    plan = kinds(found, range(len(found))).index("plan")
    folds = Folds(depth=1).toggled(found, plan)
    assert kinds(found, visible(found, folds, Wanted()))[:3] == ["round", "plan", "generation"]
    plan_said = ev("step.plan", 3.1, step_id="P", text="less | *more*")
    more = tree(STARTED, ev("step.observation", 1, step_id="O"), plan_said, generation(3, span_id="G", parent_id="P"))
    assert "generation" in kinds(more, visible(more, folds, Wanted()))


def test_opening_a_row_opens_what_is_above_it_only():
    found = sample()
    case = kinds(found, range(len(found))).index("case")
    shown = visible(found, Folds(depth=1).opened(found, case), Wanted())
    assert case in shown and "generation" not in kinds(found, shown)


def test_what_is_wanted_is_shown_with_what_it_stands_under_whatever_is_folded():
    found = sample()
    shown = visible(found, Folds(depth=0), Wanted(kinds=frozenset({"generation"})))
    assert kinds(found, shown) == ["round", "plan", "generation"]
    assert kinds(found, visible(found, Folds(), Wanted(errors_only=True))) == ["round", "tool", "retry"]
    assert kinds(found, visible(found, Folds(), Wanted(text="RESET"))) == ["round", "tool", "retry"]
    assert list(visible(found, Folds(), Wanted(text="nowhere"))) == []


def test_a_hidden_row_is_where_its_nearest_shown_parent_is():
    found = sample()
    case = kinds(found, range(len(found))).index("case")
    shown = visible(found, Folds(depth=1), Wanted())
    assert kinds(found, [shown[place_of(shown, found, case)]]) == ["eval"]


def test_the_next_row_of_a_kind_goes_round_and_knows_when_there_is_none():
    found = sample()
    tool = kinds(found, range(len(found))).index("tool")
    assert following(found, 0, lambda number: bool(found.marks[number] & Mark.FAILED)) == tool
    assert following(found, len(found) - 1, lambda number: bool(found.marks[number] & Mark.FAILED)) == tool
    assert following(found, 0, lambda number: False) is None


@settings(max_examples=150, deadline=None)
@given(st.lists(ANY, max_size=20), st.integers(0, 4), st.sets(st.integers(0, 30)), st.sampled_from(KINDS))
def test_what_is_shown_always_has_its_parents_and_is_in_order(events, depth: int, turned: set[int], kind: str):
    found = tree(*events)
    folds = Folds(depth, frozenset(key(found, number) for number in turned if number < len(found)))
    shown = list(visible(found, folds, Wanted()))
    assert shown == sorted(set(shown)) and shown[0] == 0
    assert all(found.parent[number] in shown for number in shown if number)
    assert all(not folds.is_folded(found, found.parent[number]) for number in shown if number)
    wanted = Wanted(kinds=frozenset({kind}))
    assert set(matches(found, wanted)) <= set(visible(found, folds, wanted))


# Replay


def test_a_replay_goes_by_time_with_idle_time_cut_short():
    found = sample()
    played = replay(found)
    assert kinds(found, played.rows) == [
        "round", "generation", "plan", "tool", "retry", "eval", "case", "round", "round",
    ]  # fmt: skip
    assert max(b - a for a, b in pairwise(played.clock_s)) == pytest.approx(IDLE_S)
    assert played.length_s < 10
    assert played.reached(0) == 0 and played.reached(1e9) == played.rows[-1]
    assert played.stepped(played.rows[-1], 1) == played.rows[-1]


def test_scrubbing_always_moves_but_at_the_ends():
    found = sample()
    played = replay(found)
    row_number, seen = 0, [0]
    for _ in range(100):
        row_number = played.scrubbed(row_number, 1)
        seen.append(row_number)
    assert seen[-1] == played.rows[-1]
    assert played.order[played.scrubbed(seen[-1], -1)] == len(played.rows) - 2


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY, max_size=20))
def test_a_replay_passes_every_row_once_and_time_never_runs_back(events: list[Event]):
    found = tree(*events)
    played = replay(found)
    assert sorted(played.rows) == list(range(len(found)))
    assert list(played.clock_s) == sorted(played.clock_s) and list(played.at_us) == sorted(played.at_us)
    for number in range(len(found)):
        assert played.reached(played.clock_of(number)) == number
        assert played.scrubbed(number, 1) in played.rows and played.scrubbed(number, -1) in played.rows


# Compared


def side(**changed: object) -> Side:
    made = {"round_id": "A", "outcome": "kept", "goal": "max", "score": 0.7, "cost_usd": 0.2, "tokens": 10.0,
            "duration_s": 60.0, "calls": 3, "steps": 9, "proposed": (("plan", "x"),), "dimensions": {}}  # fmt: skip
    return Side(**{**made, **changed})  # type: ignore[arg-type]


def test_a_comparison_says_what_moved_the_largest_change_first():
    before = side(dimensions={"tone": 0.5, "reach": 0.9, "gone": 0.1})
    told = compare(
        before, side(round_id="B", score=0.72, cost_usd=0.1, dimensions={"tone": 0.6, "reach": 0.5, "new": 1.0})
    )
    assert [one.name for one in told.dimensions] == ["reach", "tone", "gone", "new"]
    assert [one.is_better for one in told.dimensions] == [False, True, None, None]
    assert told.verdict == "Score 0.700 → 0.720 (+0.020 better); 1 dimension rose and 1 fell; cost $0.20 → $0.10."


@pytest.mark.parametrize(
    ("goal", "score", "said"),
    [
        ("min", 0.6, "Score 0.700 → 0.600 (−0.100 better)"),
        ("max", 0.6, "Score 0.700 → 0.600 (−0.100 worse)"),
        ("max", 0.7, "The same score, 0.700"),
        ("max", None, "Kept without a score"),
    ],
)
def test_better_follows_the_goal(goal: str, score: float | None, said: str):
    assert compare(side(goal=goal), side(goal=goal, score=score)).verdict.startswith(said)


# Exported


def test_text_has_a_line_a_row_and_is_ascii_where_asked():
    found = sample()
    lines = list(export.text(found, account(found)))
    assert len(lines) == 1 + len(found)
    assert "generation   " in lines[3] and lines[3].rstrip().endswith("$0.10")
    assert all(line.isascii() for line in export.text(found, account(found), ascii=True))
    assert all(len(line) <= 120 for line in export.text(found, account(found), width=100))


def test_depth_leaves_out_what_is_deeper():
    found = sample()
    assert len(list(export.text(found, account(found), 0))) == 2
    assert [one["depth"] for one in export.document(found, account(found), 1)["rows"]] == [0, 1, 1, 1, 1, 1]


def test_markdown_is_not_broken_by_what_events_say():
    found = sample()
    lines = list(export.markdown(found, account(found)))
    assert "less \\| \\*more\\*" in lines[7]
    assert all(line.replace("\\|", "").count("|") == 8 for line in lines[4:])


def test_json_has_stable_keys_and_every_event():
    found = sample()
    document = json.loads(export.to_json(found, account(found)))
    assert list(document) == [
        "trace_id", "outcome", "verdict", "started", "ended", "duration_s", "score", "baseline_score", "score_goal",
        "cost_usd", "cost_source", "tokens", "events", "duplicates", "rows",
    ]  # fmt: skip
    assert sum(len(one["events"]) for one in document["rows"]) == document["events"] == 10


def test_durations_and_offsets_read_well():
    assert [export.duration(s) for s in (None, 0.008, 1.24, 42, 125, 3720, 400_000)] == [
        "", "8ms", "1.2s", "42.0s", "2m 05s", "1h 02m", "4d",
    ]  # fmt: skip
    assert [export.offset(s) for s in (0, -7.3, 65)] == ["+0.0s", "−7.3s", "+1m 05s"]
    assert [export.count(n) for n in (None, 940, 12_345, 1_234_567)] == ["", "940", "12.3k", "1.2M"]


# In full


HOSTILE = {"args_json": '{"a": "\x1b[31mred\u202e"}', "[b]k\x07": "v\r\nw", "n": 1, "big": "x" * (LONGEST + 5)}


def test_a_row_in_full_is_printable_and_says_what_it_leaves_out():
    said = Said("u", "step.tool_called", "2026-11-20T07:00:00+00:00", "d\x1b]0;x\x07", HOSTILE)
    lines = detail(row(sample(), 0), [said])
    assert all(line.text.isprintable() for line in lines)
    texts = [line.text for line in lines]
    assert "args_json:" in texts and '    "a": "\\u001b[31mred"' in texts and "n: 1" in texts
    assert "  and 5 more characters" in texts
    assert texts.index("args_json:") < texts.index("n: 1")
    assert properties_json([said]).replace("\n", "").isprintable()


def test_marks_are_explained():
    found = tree(STARTED, ev("step.tool_called", 1, step_id="S", tool="x"))
    texts = [line.text for line in detail(row(found, 1), [])]
    assert "no return: The call was never answered, as far as events came." in texts


@given(st.text(max_size=300), st.integers(8, 60))
def test_wrapping_keeps_every_word_within_the_width(text: str, width: int):
    from workspace.text import plain_lines

    line = plain_lines(text)[0]
    for chosen in (PALETTE, ASCII):
        pieces = [piece for piece, _ in wrapped(Line("text", line), width, chosen)]
        assert all(cell_len(piece) <= width for piece in pieces)
    joined = "".join(piece for piece, _ in wrapped(Line("text", line), width, PALETTE)).replace(" ", "")
    assert len(joined) <= len(line)


def test_a_very_long_line_is_wrapped_at_once():
    assert len(wrapped(Line("text", "x" * 200_000), 50, PALETTE)) == 4_000
