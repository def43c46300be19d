"""Many knobs, and documents that PostHog would not write: what is shown stays bounded, and says what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from queries.rest import MOST_LISTED
from queries.rest_experiments import RUNNING, Running, experiment_of
from queries.rest_flags import Flag, flag_of
from queries.variants import Seen
from queries.views.experiment import Plan
from queries.views.filters import Filters
from queries.views.timeline import Annotation, annotation_of, marks_on
from queries.views.window import night
from tests.conftest import NOW
from tests.rest_calls import EVERYONE, HALVES
from tui.knobview import (
    ANNOTATIONS,
    EXPERIMENTS,
    FLAGS,
    MOST_COMPARED,
    FlagRow,
    KnobState,
    experiment_rows,
    head,
    name_of,
    questions,
)
from tui.moments import moment
from tui.screens.knobsections import ALL
from workspace.errors import LoopdeskError


def flag(number: int, **fields: object) -> Flag:
    filters = {**EVERYONE, "multivariate": HALVES}
    made = flag_of(
        {"id": number, "key": f"flag_{number:03}", "active": True, "filters": filters, "version": 1, **fields}
    )
    assert made is not None
    return made


def many(number: int) -> KnobState:
    """As many flags that part the rounds, and an experiment on the last of them."""
    last = f"flag_{number - 1:03}"
    running = Running(1, "Last", last, RUNNING, Plan(last, rounds=60), NOW, None, "", "")
    state = KnobState().answered(FLAGS, tuple(flag(each) for each in range(number)), NOW)
    return state.answered(EXPERIMENTS, (running,), NOW)


def clock(at: datetime, **_: object) -> str:
    return f"{at:%H:%M}"


def test_of_many_flags_what_runs_and_what_rounds_saw_is_compared_and_the_rest_when_it_is_opened():
    state = replace(many(300), seen=Seen(night(NOW, "UTC"), Filters(), {"flag_200": {"control": 3}}))
    names = [name for name, _, _ in questions(state, NOW)]
    assert len(names) == MOST_COMPARED and names[:2] == [
        name_of("flag_299", state.part(EXPERIMENTS).rows[0]),
        "flag_200 ",
    ]
    rows = experiment_rows(state)
    assert len(rows) == 300
    row = rows[-1]
    said = [line.text for line in ALL["Experiments"].details(row, clock)]
    assert not row.is_asked and any(line.startswith("Enter compares") for line in said)
    opened = replace(state, chosen=frozenset({name_of(row.key, None)}))
    assert len(questions(opened, NOW)) == MOST_COMPARED + 1 and experiment_rows(opened)[-1].is_asked


@pytest.mark.parametrize("part", [FLAGS, ANNOTATIONS])
def test_a_list_that_may_go_on_says_so(part: str):
    rows = {
        FLAGS: tuple(flag(each) for each in range(MOST_LISTED)),
        ANNOTATIONS: tuple(Annotation(each, "x", NOW, False) for each in range(MOST_LISTED)),
    }[part]
    said = [words for _, words in head(KnobState().answered(part, rows, NOW), part, clock)]
    assert any("1,000" in words and "more" in words for words in said)
    assert not any("more" in words for _, words in head(KnobState().answered(part, rows[:-1], NOW), part, clock))


@pytest.mark.parametrize("number", [10**400, -1, float("nan"), "half", {"of": 100}, True])
def test_a_share_that_is_no_number_costs_no_more_than_itself(number: object):
    variants = {"variants": [{"key": "control", "rollout_percentage": number}]}
    groups = [{"properties": [], "rollout_percentage": number}]
    made = flag(1, filters={"groups": groups, "multivariate": variants})
    assert made.rollout is None and made.shares == {"control": 0.0}


FAR = ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "0001-01-01")


@pytest.mark.parametrize("at", FAR)
def test_a_moment_that_no_clock_shows_is_none(at: str):
    """One of these in a PostHog would have taken every chart with it."""
    assert annotation_of({"id": 1, "content": "x", "date_marker": at}) is None
    assert FlagRow("x", flag(1, updated_at=at), None).changed_at is None
    found = experiment_of({"id": 1, "feature_flag_key": "x", "start_date": at})
    assert found is not None and found.started_at is None
    with pytest.raises(LoopdeskError):
        moment("The time", at, NOW, ZoneInfo("Pacific/Kiritimati"))


def test_a_mark_far_ahead_harms_no_chart():
    ahead = Annotation(1, "x", NOW + timedelta(days=365_000), False)
    assert marks_on([ahead], night(NOW, "UTC"), "Pacific/Kiritimati") == ()
