"""The boards about the router, on events made and counted by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from queries.gallery.anomalies import HOUR, activity, base_rate, is_followed
from queries.gallery.routing import BOARDS, SIBLINGS
from queries.gallery.sheet import Mark, Tone
from queries.gallery.spending import spend
from queries.gallery.teams import candidates
from queries.views.filters import Filters
from tests import hostile, router_events
from tests.gallery_store import MORNING, NIGHT, assert_whole, at, by_heading, column, filled, told


def requests(model: str, number: int, qualities: Sequence[float], **properties: object) -> Iterator[dict]:
    """One a minute from 20:00 on, each in a round of its own, qualities in turn."""
    for place in range(number):
        given = {
            "task_type": "proposal",
            "model_used": model,
            "quality_score": qualities[place % len(qualities)],
            "cost_usd": 0.02,
        }
        when = at("20:00") + timedelta(minutes=place)
        yield told("token_machine.request", when, f"{model}-{place}", **{**given, **properties})


def begun(events: Sequence[dict]) -> list[dict]:
    """The events, and that each of their rounds began."""
    starts = {one["properties"]["round_id"]: datetime.fromisoformat(one["timestamp"]) for one in events}
    return [*events, *(told("round_started", when, name) for name, when in starts.items())]


# 1. Quality


def test_the_best_model_leads_by_more_than_noise_and_enough_values(tmp_path: Path):
    events = [
        *requests("small", 30, [0.9, 0.8], efficiency_grade="A"),
        *requests("large", 25, [0.6, 0.5], cost_usd=0.1, efficiency_grade="C"),
        *requests("tiny", 3, [1.0]),
    ]
    with filled(tmp_path, begun(events)) as store:
        sheet = store.sheet(BOARDS["quality"])
        assert_whole(sheet)
        assert column(sheet, "model") == ["tiny", "small", "large"]
        assert [row.word for row in sheet.rows] == ["few", "best", ""]
        assert sheet.rows[1].tone is Tone.GOOD
        assert column(sheet, "quality") == pytest.approx([1.0, 0.85, 0.552])  # large: 13 times 0.6, 12 times 0.5
        assert column(sheet, "rated") == [3, 30, 25]
        assert column(sheet, "per request") == pytest.approx([0.02, 0.02, 0.1])
        assert column(sheet, "grade") == [None, "A 100 %", "C 100 %"]
        assert "small is best at proposal" in sheet.verdict and "58 rated" in sheet.verdict
        assert len(sheet.verdict) <= 80
        assert store.behind(sheet.rows[0]) == {"tiny-0", "tiny-1", "tiny-2"}


def test_no_model_is_best_where_chance_will_do(tmp_path: Path):
    events = [*requests("small", 30, [0.9, 0.5]), *requests("large", 30, [0.89, 0.5])]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["quality"])
    assert {row.word for row in sheet.rows} == {""} and "No model is clearly best" in sheet.verdict


def test_types_of_task_are_compared_each_by_itself(tmp_path: Path):
    events = [
        *requests("small", 40, [0.9, 0.88]),
        *requests("large", 25, [0.4, 0.42]),
        *requests("small", 25, [0.3, 0.31], task_type="score"),
        *requests("large", 25, [0.7, 0.71], task_type="score"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["quality"])
    assert [(row.cells[0], row.cells[1]) for row in sheet.rows if row.word == "best"] == [
        ("proposal", "small"),
        ("score", "large"),
    ]
    assert sheet.verdict.startswith("Best: small at proposal and large at score")


def test_what_is_not_sent_is_a_row_and_a_note(tmp_path: Path):
    events = [*requests("small", 3, [0.9]), *requests("small", 1, [0.9], task_type=None, quality_score=None)]
    with filled(tmp_path, begun(events)) as store:
        sheet = store.sheet(BOARDS["quality"])
        assert column(sheet, "task type") == ["proposal", "(no task type)"]
        assert by_heading(sheet, sheet.rows[1])["quality"] is None
        assert "25 % of requests name no task type." in sheet.notes
        assert "25 % of requests have no quality." in sheet.notes
        assert store.behind(sheet.rows[1]) == {"small-0"}


def test_a_rounds_quality_goes_to_the_model_that_began_it(tmp_path: Path):
    events = []
    for place in range(24):
        name, when = f"r{place}", at("21:00") + timedelta(minutes=10 * place)
        model = "small" if place < 12 else "large"
        events += [
            told("round_started", when, name, model=model, task_type="proposal" if place != 23 else None),
            told("model_escalated", when + timedelta(minutes=1), name, to_model="huge"),
            told("round_scored", when + timedelta(minutes=2), name, quality_score=0.5 if place < 12 else 0.75),
            told("round_reverted", when + timedelta(minutes=3), name, cost_usd=0.5),
        ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["quality_rounds"])
        assert [row.cells[:4] for row in sheet.rows] == [
            ("proposal", "large", 0.75, 11),
            ("proposal", "small", 0.5, 12),
            ("(no task type)", "large", 0.75, 1),
        ]
        assert column(sheet, "per round") == [0.5, 0.5, 0.5]
        assert store.behind(sheet.rows[0]) == {f"r{place}" for place in range(12, 23)}
        assert store.behind(sheet.rows[2]) == {"r23"}
        assert "No model is clearly best" in sheet.verdict  # too few of each


# 2. Spend


def test_spend_has_a_course_by_hour_and_the_night_before(tmp_path: Path):
    events = [
        told("token_machine.request", at("20:10"), "a", task_type="proposal", cost_usd=1.0),
        told("token_machine.request", at("20:50"), "b", task_type="proposal", cost_usd=0.5),
        told("token_machine.request", at("22:00"), "c", task_type="proposal", cost_usd=2.0),
        told("token_machine.request", at("22:30"), "d", task_type="score", cost_usd=0.25),
        told("token_machine.request", at("23:30"), "e", task_type="score"),
        told("token_machine.request", at("21:00", 18), "f", task_type="proposal", cost_usd=0.7),
    ]
    with filled(tmp_path, begun(events)) as store:
        sheet = store.sheet(BOARDS["spend"])
        assert_whole(sheet)
        first, second = (by_heading(sheet, row) for row in sheet.rows)
        assert (first["task type"], first["spent"], first["before"], first["requests"]) == ("proposal", 3.5, 0.7, 3)
        assert (second["task type"], second["spent"], second["before"], second["each"]) == ("score", 0.25, None, 0.25)
        assert first["course"] == (None, None, 1.5, None, 2.0, *[None] * 9)
        assert second["course"] == (None, None, None, None, 0.25, *[None] * 9)  # at 23:30 nobody sent a cost
        assert sheet.verdict == "$3.75 on 2 types of task, most on proposal (93 %); proposal 5.0× the night before."
        assert "20 % of requests have no cost." in sheet.notes
        assert store.behind(sheet.rows[0]) == {"a", "b", "c"}


def test_the_two_senders_of_one_call_are_never_added(tmp_path: Path):
    costs = {"$ai_input_cost_usd": 1.5, "$ai_output_cost_usd": 0.5}
    events = [
        told("token_machine.request", at("20:10"), "a", task_type="proposal", cost_usd=2.0),
        told("$ai_generation", at("20:10"), "a", task_type="proposal", **{"$ai_model": "m", **costs}),
        told("$ai_generation", at("20:20"), "b", **{"$ai_model": "m", **costs}),
    ]
    with filled(tmp_path, events) as store:
        router, calls = (store.sheet(BOARDS[name]) for name in ("spend", "spend_generations"))
        assert column(router, "spent") == [2.0]
        assert (column(calls, "task type"), column(calls, "spent")) == (["(no task type)", "proposal"], [2.0, 2.0])
        assert router.notes[0] != calls.notes[0]
        assert store.behind(calls.rows[1]) == {"a"} and store.behind(calls.rows[0]) == {"b"}


def test_a_mark_stands_where_a_tasks_requests_went_to_another_model(tmp_path: Path):
    def hour(clock: str, **models: int) -> Iterator[dict]:
        for model, number in models.items():
            for place in range(number):
                when = at(clock) + timedelta(minutes=place)
                yield told("token_machine.request", when, model, task_type="proposal", model_used=model, cost_usd=0.1)

    events = [
        *hour("19:00", small=12, large=3),
        *hour("20:00", small=1, large=8),  # nine are too few to say
        *hour("21:00", small=6, large=6),  # neither has more than half
        *hour("22:00", small=2, large=11),
        *hour("23:00", large=20),
    ]
    asked = Mark("2026-11-19 19:00:00", "rule: proposals to large")
    outside = Mark("2026-11-18 19:00:00", "earlier")
    with filled(tmp_path, events) as store:
        found = store.sheet(BOARDS["spend"])
        assert found.marks == (Mark("2026-11-19 22:00:00", "proposal of autoagent: small → large"),)
        board = replace(BOARDS["spend"], view=lambda window, rows: spend(window, *rows, marks=(outside, asked)))
        assert store.sheet(board).marks == (asked, *found.marks)


# 3. Reverts after anomalies


def night_of(reverts: Sequence[datetime], active: Sequence[datetime], **properties: object) -> list[dict]:
    """Rounds in each of the hours, and reverts at those times."""
    return [
        *(told("round_started", hour + timedelta(minutes=1), f"s{n}", **properties) for n, hour in enumerate(active)),
        *(told("round_reverted", moment, f"r{n}", **properties) for n, moment in enumerate(reverts)),
    ]


def anomaly(clock: str, type: str = "cost_spike", **properties: object) -> dict:
    return told("token_machine.anomaly", at(clock), **{"type": type, **properties})


def test_the_base_rate_is_the_time_that_a_revert_follows(tmp_path: Path):
    """20:00 to 20:30 and from 21:15 on, up to 22:15, a revert follows: 30 + 45 + 15 minutes of 180."""
    events = [
        *night_of([at("20:30"), at("22:15")], [at("20:00"), at("21:00"), at("22:00")]),
        anomaly("20:29"),
        anomaly("20:45"),
        anomaly("21:15"),
        anomaly("22:20"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["anomaly_reverts"])
        found = by_heading(sheet, sheet.rows[0])
        # Two in the hour from 20:00 are one trial, the first of which is followed.
        assert (found["seen"], found["hours"], found["reverted"]) == (4, 3, 2)
        assert (found["share"], found["base rate"]) == pytest.approx((2 / 3, 0.5))
        assert found["by chance"] == pytest.approx(0.5)  # P of 2 or 3 of 3 at one half
        assert sheet.rows[0].word == "too few to tell" and "too few" in sheet.verdict
        assert store.behind(sheet.rows[0]) == {"r0", "r1"}


def test_a_revert_counts_for_its_project_and_client_and_up_to_the_hour(tmp_path: Path):
    events = [
        *night_of([at("21:00")], [at("20:00"), at("21:00")]),
        anomaly("20:00", "in time"),
        anomaly("19:59", "a minute late"),
        anomaly("20:30", "of another client", client="globex"),
        anomaly("20:30", "of another project", project="gtm"),
        anomaly("20:30", "of no client", client=None),
        anomaly("21:00", "as it happens"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["anomaly_reverts"])
    found = {row.cells[0]: by_heading(sheet, row)["reverted"] for row in sheet.rows}
    assert found == {
        "in time": 1,
        "a minute late": 0,
        "of another client": None,  # which had no rounds: nothing to compare with
        "of another project": None,
        "of no client": 1,
        "as it happens": 0,
    }
    assert any("2 anomalies of loops without" in note for note in sheet.notes)


def test_more_than_chance_and_less_than_chance_are_told_apart(tmp_path: Path):
    """Of 20 hours, eight have a revert at half past: a spike comes ten minutes before each, a dip after each."""
    hours = [at("12:00") + timedelta(hours=n) for n in range(20)]
    reverted = [hour + timedelta(minutes=30) for hour in hours[1:17:2]]
    events = [
        *night_of(reverted, hours),
        *(anomaly("20:00") | {"timestamp": (moment - timedelta(minutes=10)).isoformat()} for moment in reverted),
        *(anomaly("20:00", "dip") | {"timestamp": (moment + timedelta(minutes=5)).isoformat()} for moment in reverted),
    ]
    for place, one in enumerate(events):
        one["uuid"] = f"00000000-0000-4000-8000-{place:012}"
    day = replace(NIGHT, span=replace(NIGHT.span, since=at("12:00"), until=MORNING))
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["anomaly_reverts"], day)
    spike, dip = sheet.rows
    assert (spike.word, spike.tone, dip.word) == ("more than chance", Tone.BAD, "less than chance")
    base = by_heading(sheet, spike)["base rate"]
    # Eight hours' length of 19 whole ones: the last one's next hour is not over.
    assert base == pytest.approx(8 / 19)
    assert by_heading(sheet, spike)["by chance"] == pytest.approx(2 * (8 / 19) ** 8)
    assert sheet.verdict == "cost_spike: reverts after 8 of 8 (100 %), base rate 42 %: more than chance."


def test_a_few_trials_say_nothing_however_they_come_out(tmp_path: Path):
    hours = [at("12:00") + timedelta(hours=n) for n in range(18)]
    events = [
        *night_of([at("20:30"), at("22:30"), at("02:30", 20), at("04:30", 20)], hours),
        *(anomaly(clock) for clock in ("20:20", "22:20")),
        *(told("token_machine.anomaly", at(clock, 20), type="cost_spike") for clock in ("02:20", "04:20")),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["anomaly_reverts"])
    found = by_heading(sheet, sheet.rows[0])
    assert (found["hours"], found["share"]) == (4, 1.0)
    assert isinstance(found["by chance"], float) and found["by chance"] < 0.05
    assert sheet.rows[0].word == "too few to tell"


def test_an_anomaly_is_open_until_its_hour_is_over(tmp_path: Path):
    events = [
        *night_of([], [at("05:00", 20), at("06:00", 20)]),
        told("token_machine.anomaly", at("07:30", 20), type="x"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["anomaly_reverts"])
    assert by_heading(sheet, sheet.rows[0])["share"] is None
    assert any("still open" in note for note in sheet.notes)


@given(some.lists(some.integers(0, 599), max_size=12), some.sets(some.integers(0, 8), min_size=1))
@settings(max_examples=60, deadline=None)
def test_the_base_rate_is_what_trying_every_minute_gives(minutes: list[int], others: set[int]):
    start = datetime(2026, 11, 19, 20, tzinfo=UTC)
    reverts = sorted(start + timedelta(minutes=minute) for minute in minutes)
    hours = {start + HOUR * n for n in others} | {start + HOUR * (minute // 60) for minute in minutes}
    rows = [
        {
            "project": "a",
            "client": None,
            "hour": hour.isoformat(),
            "first_revert": min(mine).isoformat() if mine else "1970-01-01T00:00:00+00:00",
            "last_revert": max(mine).isoformat() if mine else "1970-01-01T00:00:00+00:00",
        }
        for hour in hours
        for mine in [[moment for moment in reverts if hour <= moment < hour + HOUR]]
    ]
    active = activity(("a", ""), rows)
    assert active.keys() == hours
    settled = start + 11 * HOUR
    tried = [hour + timedelta(minutes=n, seconds=30) for hour in hours for n in range(60)]
    follows = [any(moment < one <= moment + HOUR for one in reverts) for moment in tried]
    whole = [hour for hour in hours if hour + 2 * HOUR <= settled]
    counted = [told for moment, told in zip(tried, follows, strict=True) if any(h <= moment < h + HOUR for h in whole)]
    assert base_rate(active, start, settled) == pytest.approx(sum(counted) / len(counted) if counted else 0)
    for moment, expected in zip(tried, follows, strict=True):
        assert is_followed(moment, moment.replace(minute=0, second=0), active) is expected


# 4. Teams


def test_a_team_has_whom_its_summaries_named_most_and_the_last_ones_figures(tmp_path: Path):
    def summary(clock: str, best: str, worst: str, quality: float, waiting: object, **properties: object) -> dict:
        return told(
            "token_machine.team_summary", at(clock), best_performer=best, worst_performer=worst, avg_quality=quality,
            escalation_candidates=waiting, **{"total_requests": 40, "total_cost": 1.5, "run_id": "run", **properties},
        )  # fmt: skip

    events = [
        summary("20:00", "ann", "bob", 0.5, []),
        summary("20:30", "ann", "cy", 0.7, ["bob"]),
        summary("22:00", "bob", "cy", 0.9, ["cy", "dee", "eve"], total_requests=60, total_cost=2.5),
        summary("21:00", "zoe", "yan", 0.8, "", client="globex"),
        told("round_started", at("21:30"), "r1", run_id="run"),
        told("round_started", at("21:40"), "r2", run_id="another"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["teams"])
        assert_whole(sheet)
        first, second = (by_heading(sheet, row) for row in sheet.rows)
        assert (first["team"], first["best"], first["worst"]) == ("internal", "ann 2 of 3", "cy 2 of 3")
        assert first["candidates"] == "cy and 2 more"
        assert (first["requests"], first["cost"], first["quality"], first["summaries"]) == (60, 2.5, 0.9, 3)
        assert first["course of quality"] == (None, None, pytest.approx(0.6), None, 0.9, *[None] * 9)
        assert (second["team"], second["best"], second["candidates"]) == ("globex", "zoe", None)
        assert [row.word for row in sheet.rows] == ["escalate", ""]
        assert sheet.verdict == "4 summaries of 2 teams; for a bigger model: cy, dee and eve."
        assert store.behind(sheet.rows[0]) == {"r1"}


def test_teams_with_one_clients_name_are_told_apart_by_their_project(tmp_path: Path):
    owners = [{}, {"project": "gtm"}, {"project": "gtm", "client": "moss"}, {"project": "solo", "client": None}]
    events = [told("token_machine.team_summary", at("20:00"), best_performer="a", **owner) for owner in owners]
    events += [told("round_started", at("21:00"), f"r{n}", **owner) for n, owner in enumerate(owners)]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["teams"])
        named = dict(zip(column(sheet, "team"), sheet.rows, strict=True))
        assert set(named) == {"autoagent/internal", "gtm/internal", "moss", "solo"}
        assert store.behind(named["gtm/internal"]) == {"r1"}  # no summary names its run: all rounds of the team


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        (None, ()),
        ("", ()),
        ("[]", ()),
        ('["a", "b c"]', ("a", "b c")),
        ("a, b ,,", ("a", "b")),
        ('[{"user_id": 4}, null, "a"]', ('{"user_id": 4}', "a")),
        ("[oh, no", ("[oh, no",)),
        ("[" * 100_000, ("[" * 100_000,)),
    ],
)
def test_candidates_come_as_a_list_or_as_text(sent: str | None, names: tuple[str, ...]):
    assert candidates(sent) == names


# All


def test_siblings_lead_to_each_other_and_name_their_sources():
    for name, other in SIBLINGS.items():
        assert SIBLINGS[other] == name and {name, other} <= BOARDS.keys()


@pytest.mark.parametrize("name", BOARDS)
def test_nothing_stored_is_a_sentence(name: str, tmp_path: Path):
    with filled(tmp_path, []) as store:
        sheet = store.sheet(BOARDS[name])
    assert sheet.rows == () and sheet.verdict.endswith("in this window.")


def test_odd_values_spoil_no_board(tmp_path: Path):
    events = [*router_events.events(at("21:00")), *hostile.rounds(MORNING)]
    with filled(tmp_path, events) as store:
        for board in BOARDS.values():
            for filters in (Filters(), Filters("autoagent", "acme")):
                sheet = store.sheet(board, filters=filters)
                assert_whole(sheet)
                assert sheet.rows and not any("loopdesk" in str(row.cells) for row in sheet.rows)
                for row in sheet.rows:
                    store.behind(row)


def test_one_number_that_is_none_does_not_spoil_the_mean(tmp_path: Path):
    events = [*requests("small", 4, [0.5]), *requests("small", 2, [1.0], efficiency_grade="D", quality_score="nan")]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["quality"])
    (row,) = sheet.rows
    assert (by_heading(sheet, row)["quality"], by_heading(sheet, row)["rated"]) == (0.5, 4)
