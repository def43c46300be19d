"""Logs of loops -> events: dialects, direction, times, growth, and what is refused. Numbers are counted by hand."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from queries.importers import detect
from queries.importers.commits import moments
from queries.importers.files import LogFile, decode, read
from queries.importers.goals import choose
from queries.importers.log import (
    LogName,
    ParsedLog,
    doubt_about_goal,
    entries,
    judge,
    property_name,
    summarise,
)
from queries.importers.spool import ParsedSpool
from queries.importers.verdicts import Verdict, status_of
from queries.importers.vocabulary import words
from queries.importers.wanted import Wanted
from workspace.errors import LoopdeskError

LOGS = Path(__file__).parent / "logs"
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)
HEADER = "commit\tval_loss\tmemory_gb\tstatus\tdescription\n"


def parsed(text: str, **wanted: Any) -> ParsedLog:
    found = detect(LogFile("log", text, NOON)).parse(text, Wanted(**wanted))
    assert isinstance(found, ParsedLog)
    return found


def fixture(name: str, **wanted: Any) -> ParsedLog:
    return parsed(read(LOGS / name).text, **wanted)


def outcomes(log: ParsedLog) -> str:
    """A letter a round: k kept, c crashed, d discarded."""
    return "".join("k" if each.kept else "c" if each.crashed else "d" for each in judge(log.rounds, log.goal))


def events_of(log: ParsedLog, at: datetime = NOON) -> list[dict[str, Any]]:
    placed = moments(log.rounds, None, FIVE, at)
    made = entries(log, judge(log.rounds, log.goal), placed, LogName("p", "c", "log"))
    return [dict(event) for entry in made for event in entry.events()]


# The autoresearch log


def test_a_results_log_is_understood_without_being_told_anything() -> None:
    log = fixture("compressor.tsv")
    summary = summarise(judge(log.rounds, log.goal), log.goal)
    assert (log.format, log.metric, log.goal) == ("autoresearch", "val_loss", "min")
    assert outcomes(log) == "kkdckddk"
    assert (summary.kept, summary.discarded, summary.crashed, summary.first_score) == (4, 3, 1, 1.5)
    assert summary.best and (summary.best.score, summary.best.row, summary.best.commit) == (1.36, 8, "f00d888")
    assert not log.problems


def test_a_crashed_round_has_no_score_and_keeps_its_other_columns() -> None:
    crash = [event for event in events_of(fixture("compressor.tsv")) if event["properties"]["row"] == 4]
    assert [event["event"] for event in crash] == ["round_started", "round_reverted"]
    assert (
        crash[1]["properties"] | {"failure_mode": "crash", "memory_gb": 0.0, "commit": "badc0de"}
        == crash[1]["properties"]
    )
    assert not any("score" in event["properties"] or "delta" in event["properties"] for event in crash)


def test_events_hold_what_the_log_says_and_nothing_else() -> None:
    events = events_of(fixture("compressor.tsv"))
    assert len(events) == 8 + 7 + 8
    assert {event["event"] for event in events} == {"round_started", "round_scored", "round_kept", "round_reverted"}
    scored = next(event for event in events if event["event"] == "round_scored" and event["properties"]["row"] == 5)
    assert scored["distinct_id"] == "p:c:loop"
    properties = {key: value for key, value in scored["properties"].items() if not key.endswith("_id")}
    assert properties == {
        "project": "p", "client": "c", "agent": "loop", "imported_from": "log", "row": 5, "commit": "facade5",
        "description": "lazy matching", "score": 1.39, "score_goal": "min", "metric": "val_loss", "memory_gb": 2.4,
        "time_estimated": True,
    }  # fmt: skip


def test_delta_is_against_the_best_kept_round_before() -> None:
    judged = judge(fixture("compressor.tsv").rounds, "min")
    deltas = [None if each.delta is None else round(each.delta, 6) for each in judged]
    assert deltas == [None, -0.08, 0.035, None, -0.03, 0.001, -0.002, -0.03]
    assert [each.new_best for each in judged] == [True, True, False, False, True, False, False, True]
    # Row 7 was better than the best, and thrown away all the same.
    assert [each.failure_mode for each in judged if not each.kept] == [
        "no_improvement", "crash", "no_improvement", "discarded",
    ]  # fmt: skip


def test_a_comma_log_with_bom_crlf_and_other_words_is_the_same_to_us() -> None:
    log = fixture("agent-rewards.csv")
    assert (log.metric, log.goal, outcomes(log)) == ("reward", "max", "kkdck")
    assert [each.description for each in log.rounds][::2] == ["start, as it was", 'say "please"', "shorter prompts"]
    assert log.rounds[3].status.failure_mode == "timeout"
    assert log.rounds[1].extras == {"iteration": 2, "tokens": 1350}


def test_utf16_as_some_shells_write_it_is_read() -> None:
    assert outcomes(parsed(decode((LOGS / "compressor.tsv").read_text().encode("utf-16")))) == "kkdckddk"


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        *[
            (word, Verdict.KEPT)
            for word in ("keep", "KEPT", "accepted", "Improved!", "yes", "✅ keep", "✓", "keep (best)")
        ],
        *[(word, Verdict.DISCARDED) for word in ("discard", "Reverted", "rejected", "no", "not kept", "no-op", "✗")],
        *[
            (word, Verdict.CRASHED)
            for word in ("crash", "ERROR: cuda", "fail", "OOM", "time-out", "jsonFail", "val_fail")
        ],
        *[(word, Verdict.UNSAID) for word in ("ok", "success", "done")],
        *[(word, Verdict.PENDING) for word in ("running", "in progress")],
    ],
)
def test_status_words_of_many_dialects(word: str, verdict: Verdict) -> None:
    status = status_of(word)
    assert status and status.verdict is verdict


def test_without_a_status_column_a_better_score_was_kept() -> None:
    log = parsed("iteration\tval_loss\n1\t2.0\n2\t1.5\n3\t1.7\n4\t0.000000\n5\tnan\n6\t1.4\n")
    assert outcomes(log) == "kkdcck"


def test_a_perfect_zero_is_a_score_where_it_can_be_one() -> None:
    log = parsed("iteration\terror_count\tstatus\n1\t3\tkeep\n2\t0\tkeep\n")
    assert [each.score for each in log.rounds] == [3, 0]


def test_two_status_columns_are_read_together() -> None:
    log = parsed("commit\tscore\tstatus\tkept\nabcd\t0.5\tok\ttrue\nabce\t0.4\tok\tfalse\nabcf\t0.5\tcrash\tfalse\n")
    assert outcomes(log) == "kdc"


def test_a_round_that_still_runs_is_left_for_the_next_import() -> None:
    log = parsed(HEADER + "aaaa\t2.0\t1\tkeep\tstart\nbbbb\t-\t-\trunning\ttrying\n")
    assert len(log.rounds) == 1 and not any(problem.lost for problem in log.problems)


def test_nan_on_a_kept_round_is_told_and_is_no_score() -> None:
    log = parsed(HEADER + "aaaa\t2.0\t1\tkeep\tstart\nbbbb\tnan\t1\tkeep\tx\ncccc\t-inf\t1\tdiscard\ty\n")
    assert [each.score for each in log.rounds] == [2.0, None, None]
    assert [problem.place for problem in log.problems] == ["line 3", "line 4"]
    assert summarise(judge(log.rounds, "min"), "min").best == log.rounds[0]


def test_extra_columns_cannot_pose_as_our_own_properties() -> None:
    log = parsed(
        "commit\tval_loss\tstatus\tproject\tok\t$ai_model\tcost_usd\tmodel\nabcd\t1.0\tkeep\tevil\tfalse\tx\t0.25\tbig\n"
    )
    events = {event["event"]: event["properties"] for event in events_of(log)}
    scored = events["round_scored"]
    assert (scored["project"], scored["log_project"], scored["log_ok"], scored["log_ai_model"]) == (
        "p",
        "evil",
        "false",
        "x",
    )
    assert "ok" not in scored and "$ai_model" not in scored and "cost_usd" not in scored
    assert (events["round_kept"]["cost_usd"], events["round_started"]["model"]) == (0.25, "big")
    assert property_name("memory_gb") == "memory_gb"


def test_dimension_columns_become_dimensions() -> None:
    log = parsed("commit\tscore\tdim_recall\tdim_tone\tstatus\nabcd\t0.5\t0.25\tn/a\tkeep\n")
    assert log.metric == "score" and log.rounds[0].dims == {"recall": 0.25}


def test_descriptions_keep_quotes_tabs_and_strange_characters() -> None:
    cells = ['say "hi" and "ho"', "a\tb", "\x1b[31mred \u2028 end", '"quoted ""twice"""']
    log = parsed(HEADER + "".join(f"aaa{place}\t1.{place}\t1\tkeep\t{cell}\n" for place, cell in enumerate(cells)))
    assert [each.description for each in log.rounds] == [*cells[:3], 'quoted "twice"']


# Metric and goal


@pytest.mark.parametrize(
    ("header", "row", "metric"),
    [
        ("commit\tmemory_gb\ttrain_loss\tval_loss\tstatus", "abcd\t4\t1.0\t2.0\tkeep", "val_loss"),
        ("round\tlatency_ms\taccuracy\tstatus", "1\t30\t0.5\tkeep", "accuracy"),
        ("commit\tlatency_ms\tstatus", "abcd\t30\tkeep", "latency_ms"),
        ("experiment\tratio\tdelta\tstatus", "12\t3.1\t0.2\tkeep", "ratio"),
        (
            "iteration\tcommit\tmetric\tdelta\tguard\tstatus\tdescription",
            "0\tabcd\t85.2\t0.0\tpass\tbaseline\tx",
            "metric",
        ),
        ("commit\tval_loss\tstatus", "abcd\t-\tcrash", "val_loss"),
    ],
)
def test_the_metric_is_found_among_the_columns(header: str, row: str, metric: str) -> None:
    assert parsed(f"{header}\n{row}\n").metric == metric


@pytest.mark.parametrize(
    ("metric", "goal"),
    [
        ("val_bpb", "min"), ("valLoss", "min"), ("testRMSE", "min"), ("p95_latency", "min"), ("error_rate", "min"),
        ("seconds_per_step", "min"), ("bits_per_byte", "min"), ("neg_log_likelihood", "min"), ("perplexity", "min"),
        ("accuracy", "max"), ("f1", "max"), ("tokens_per_second", "max"), ("neg_mean_squared_error", "max"),
        ("compression_ratio", "max"), ("log_likelihood", "max"), ("pass_rate", "max"), ("metric", "max"),
    ],
)  # fmt: skip
def test_the_goal_is_read_from_the_name(metric: str, goal: str) -> None:
    assert choose(metric).goal == goal


def test_what_was_said_beats_the_log_and_the_log_beats_the_name() -> None:
    text = "# metric_direction: higher_is_better\niteration\tval_loss\tstatus\n1\t1.0\tkeep\n"
    assert parsed(text).goal == "max"
    assert parsed(text, goal="min").goal == "min"
    assert parsed(text.replace("val_loss", "reward").replace("higher", "lower")).goal == "min"


def test_a_goal_that_the_kept_rounds_contradict_is_doubted() -> None:
    log = parsed("iteration\tratio\tstatus\n1\t9\tkeep\n2\t8\tkeep\n3\t7\tkeep\n4\t6\tkeep\n")
    assert "--goal min" in (doubt_about_goal(judge(log.rounds, log.goal), log.goal) or "")
    assert doubt_about_goal(judge(log.rounds, "min"), "min") is None


def test_another_column_can_be_named_the_metric() -> None:
    log = fixture("compressor.tsv", metric="Memory_GB")
    assert (log.metric, log.goal, log.rounds[4].score) == ("memory_gb", "min", 2.4)
    assert log.rounds[4].extras == {"val_loss": 1.39}


def test_words_are_found_in_any_spelling() -> None:
    assert words("valBPB") == words("val_bpb") == words("Val-BPB") == ["val", "bpb"]
    assert words("f1_at_k10") == ["f1", "at", "k10"]


# Damaged rows and files that are refused


def test_bad_rows_are_told_by_line_and_the_others_stand() -> None:
    good = "".join(f"abc{row}\t2.{row}\t1\tdiscard\tx\n" for row in range(10))
    bad = "dead\t1.9\nbeef\tlots\t1\tkeep\tx\n\n" + HEADER + "cafe\t1.8\t1\tperhaps\tx\n"
    log = parsed(HEADER + "aaaa\t3.0\t1\tkeep\tbase\n" + good + bad + "face\t1.5\t1\tkeep\tlast\n")
    assert [(problem.place, problem.lost) for problem in log.problems] == [
        ("line 13", True), ("line 14", True), ("line 16", False), ("line 17", True),
    ]  # fmt: skip
    assert [
        word in problem.text
        for word, problem in zip(["columns", "lots", "header", "perhaps"], log.problems, strict=True)
    ]
    assert len(log.rounds) == 12 and log.rounds[-1].row == 15


def test_a_last_line_still_being_written_waits_for_the_next_import() -> None:
    text = (LOGS / "compressor.tsv").read_text()
    log = parsed(text[: text.rindex("\t2.5")])
    assert len(log.rounds) == 7 and "cut short" in log.problems[0].text and not log.problems[0].lost
    assert len(parsed(text.rstrip("\n")).rounds) == 8


def test_a_column_named_twice_is_told() -> None:
    log = parsed("commit\tloss\tloss\tstatus\nabcd\t1.0\t2.0\tkeep\n")
    assert log.rounds[0].score == 1.0 and log.rounds[0].extras == {"loss_2": 2}
    assert "loss" in log.problems[0].text and log.problems[0].place == "line 1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        (bytes(range(128, 256)) * 9, "binary"),
        (HEADER.encode(), "no rounds"),
        (b"Dear diary, today\nthe loop, it ran\n", "no format"),
        (b"0.9\t0.8\n0.7\t0.6\n", "no format"),
        (b"commit\tstatus\tdescription\nabcd\tkeep\tno numbers here\n", "can be the metric"),
        (HEADER.encode() + b"aaaa\tx\t1\tkeep\tx\nbbbb\ty\t1\tkeep\ty\ncccc\tz\t1\tkeep\tz\n", "rows cannot be read"),
        (b'{"startTime": "2026-05-03T21:00:00Z", "results": [{"round": 0, "sco', "breaks off"),
        (b'{"results": [}, "rounds": 1}', "damaged JSON"),
        (b'{"rows": []}', 'without a loop\'s "results"'),
        (b'{"results": []}', "empty"),
        (b'{"results": [1, 2, 3]}', "rows cannot be read"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_a_file_that_is_no_log_is_refused_in_a_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "results.tsv"
    path.write_bytes(content)
    with pytest.raises(LoopdeskError, match=said) as refused:
        file = read(path)
        detect(file).parse(file.text, Wanted())
    assert "\n" not in str(refused.value)


def test_what_is_no_ordinary_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 11)
    for name, said in (
        ("pipe", "ordinary"),
        ("", "cannot be read|ordinary"),
        ("absent", "No such"),
        ("large", "larger"),
    ):
        with pytest.raises(LoopdeskError, match=said):
            read(tmp_path / name, limit=10)


def test_one_slip_in_a_short_log_is_not_fatal_but_many_are() -> None:
    rows = ["aaaa\t1.0\t1\tkeep\tx\n", "bbbb\tjunk\t1\tkeep\tx\n"]
    assert len(parsed(HEADER + "".join(rows)).rounds) == 1
    with pytest.raises(LoopdeskError, match="3 of its 13 rows"):
        parsed(HEADER + rows[0] * 10 + rows[1] * 3)


def test_damage_anywhere_never_gives_a_traceback() -> None:
    for name in ("compressor.tsv", "agent-rewards.csv", "landing-page.json", "spool.jsonl"):
        content = (LOGS / name).read_bytes()
        for cut in range(0, len(content), 7):
            for damaged in (content[:cut], content[cut:], content[:cut] + b'"\xff\t{' + content[cut:]):
                try:
                    text = decode(damaged)
                    found = detect(LogFile(name, text, NOON)).parse(text, Wanted())
                except LoopdeskError:
                    continue
                if isinstance(found, ParsedLog):
                    json.dumps(events_of(found), allow_nan=False)


# gtm-autoresearch


def test_a_loop_result_is_understood() -> None:
    log = fixture("landing-page.json")
    assert (log.format, log.client, log.metric, log.goal) == ("gtm-autoresearch", "acme-shoes", "score", "max")
    assert outcomes(log) == "kdckc"
    assert [each.score for each in log.rounds] == [0.6, 0.55, None, 0.75, None]
    assert log.rounds[1].dims == {"recall": 0.75, "toneOfVoice": 0.35}
    assert log.rounds[1].extras == {"round": 1, "issueCount": 11}


def test_failed_rounds_say_how_and_repeat_no_score() -> None:
    events = events_of(fixture("landing-page.json"))
    reverted = [event["properties"] for event in events if event["event"] == "round_reverted"]
    assert [each["failure_mode"] for each in reverted] == ["no_improvement", "json_fail", "val_fail"]
    assert reverted[0]["delta"] == pytest.approx(-0.05)
    scored = [event["properties"] for event in events if event["event"] == "round_scored"]
    assert [each["row"] for each in scored] == [1, 2, 4]
    assert scored[2]["dim_toneOfVoice"] == 0.5 and isinstance(scored[2]["dim_recall"], float)


def test_strange_values_of_a_loop_result_are_told() -> None:
    results = [
        {"score": 0.5, "action": "improved", "dimensions": {"a": 1, "b": None, "c": True}},
        {"score": float("nan"), "action": "reverted"},
        {"score": "0.5", "action": "improved"},
        {"score": 0.4, "action": "shrug"},
    ]
    log = parsed(json.dumps({"results": results, "rounds": 9, "client": "acme"}))
    assert [each.score for each in log.rounds] == [0.5, None] and log.rounds[0].dims == {"a": 1.0}
    assert sorted(problem.place for problem in log.problems if problem.lost) == ["result 3", "result 4"]
    assert any("says 9 rounds but holds 4" in problem.text for problem in log.problems) and log.client == "acme"


# Spooled events


def test_a_damaged_line_of_a_spool_is_told_and_the_rest_stored() -> None:
    lines = (LOGS / "spool.jsonl").read_text().splitlines()
    text = "\n".join([lines[0], lines[1].replace("timestamp", "time"), "garbage", lines[2]]) + "\n"
    found = detect(LogFile("spool", text, NOON)).parse(text, Wanted())
    assert isinstance(found, ParsedSpool) and len(found.events) == 2
    assert [problem.place for problem in found.problems] == ["line 2", "line 3"]


# Identity


def test_ids_are_ulids_that_depend_on_the_identity_alone() -> None:
    name = LogName("autoresearch", "internal", "results.tsv")
    assert name.round_id(1, "abcd", "x") == name.round_id(1, "abcd", "x")
    others = [name.round_id(2, "abcd", "x"), name.round_id(1, "abce", "x"), name.round_id(1, "abcd", "y"), name.run_id]
    assert len({name.round_id(1, "abcd", "x"), *others, LogName("a", "b", "c").round_id(1, "abcd", "x")}) == 6
    # Written down, because another machine and a later version must find the same.
    assert name.run_id == "0VJ8245QZ3J911NR4CDJC4PKG6"
    morning, evening = (
        events_of(fixture("compressor.tsv")),
        events_of(fixture("compressor.tsv"), NOON + timedelta(hours=9)),
    )
    assert [event["uuid"] for event in morning] == [event["uuid"] for event in evening]
    assert len({event["uuid"] for event in morning}) == 23
