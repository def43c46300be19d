"""What is measured for a report: figures that the raw events have too, and no text of a signal in any question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import evidence
from engine.judge import Evidence
from engine.model import Signal
from engine.sources import registry
from queries.backend import QueryResult, QueryTimedOut
from queries.catalog import catalog
from queries.local.backend import LocalBackend
from queries.simulator import simulate
from tests.events import event
from tests.hostile import CORPUS
from tests.sources_store import MORNING, stored, weekend

NIGHT = datetime(2026, 11, 19, 18, tzinfo=UTC)
SINCE = NIGHT - timedelta(days=evidence.NIGHTS - 1)


class Overheard:
    """A backend that remembers what it was asked."""

    def __init__(self, backend: LocalBackend, fails: str = "") -> None:
        self._backend, self._fails = backend, fails
        self.name, self.timezone = backend.name, backend.timezone
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    def query(
        self, text: str, values: Mapping[str, object] | None = None, types: Mapping[str, str] | None = None
    ) -> QueryResult:
        self.asked.append((text, dict(values or {})))
        if self._fails and text == catalog.load(self._fails).text:
            raise QueryTimedOut("It took too long")
        return self._backend.query(text, values, types)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBackend]:
    backend = weekend(tmp_path_factory.mktemp("events"), 1)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def signals(store: LocalBackend) -> dict[str, Signal]:
    return {one.source_type: one for one in registry.collect(store, MORNING, "UTC", {})}


def gathered(backend: object, *signals: Signal) -> list[Evidence]:
    return evidence.gathered(backend, signals, MORNING, "UTC", 18)  # type: ignore[arg-type]


def the(found: Sequence[Evidence], value: str) -> Evidence:
    return next(one for one in found if value in one.values)


def test_kept_rounds_are_those_of_the_events(store: LocalBackend, signals: dict[str, Signal]):
    mine = [
        (one["event"], datetime.fromisoformat(one["timestamp"]))
        for batch in simulate(1, until=MORNING)
        for one in batch
        if one["properties"].get("project") == "autoagent" and one["event"] in ("round_kept", "round_reverted")
    ]
    found = the(gathered(store, signals["plateau"]), "kept")
    for kept, decided, (start, end) in (
        ("kept", "decided", (SINCE, MORNING)),
        ("kept_before", "decided_before", (SINCE - timedelta(days=evidence.NIGHTS), SINCE)),
    ):
        events = [name for name, at in mine if start <= at < end]
        assert (found.values[kept], found.values[decided]) == (events.count("round_kept"), len(events))
    assert f"kept {found.values['kept']} of {found.values['decided']} rounds" in found.said


def test_a_deploy_is_measured_beside_the_version_before_it(store: LocalBackend, signals: dict[str, Signal]):
    deploy = signals["deploys"]
    found = the(gathered(store, deploy), "is_running")
    assert found.values["is_running"] == 1
    assert found.values["kept"] / found.values["decided"] < 0.05  # type: ignore[operator]
    assert str(deploy.extra["git_sha"]) in found.said and str(deploy.extra["git_sha_before"]) in found.said


def test_what_a_round_costs_is_said_of_the_night_and_of_those_before(store: LocalBackend, signals: dict[str, Signal]):
    found = the(gathered(store, signals["cost_spike"]), "per_round_usd")
    told = signals["cost_spike"].extra["numbers"]
    assert isinstance(told, dict)
    assert found.values["per_round_usd"] == pytest.approx(told["per_round_usd"], rel=0.01)
    assert found.values["spent_usd"] == pytest.approx(told["spent_usd"], rel=0.01)


def test_after_a_crash_it_is_counted_what_ran_since(store: LocalBackend, signals: dict[str, Signal]):
    found = gathered(store, signals["bad_stops"], signals["exceptions"])
    assert the(found, "stops").values["stops"] == 1
    assert the(found, "thrown").values["thrown"] == 1
    since = [one.values["rounds_since"] for one in found if "rounds_since" in one.values]
    assert len(since) == 2 and len(set(since)) == 1 and 80 <= since[0] <= 100  # type: ignore[operator]


def test_a_weak_dimension_is_compared_with_its_neighbours(store: LocalBackend, signals: dict[str, Signal]):
    found = the(gathered(store, signals["weak_dimension"]), "average")
    assert found.values["average"] < 0.75 * found.values["others"]  # type: ignore[operator]


def test_every_sentence_says_where_it_comes_from(store: LocalBackend, signals: dict[str, Signal]):
    found = gathered(store, *signals.values())
    assert 8 <= len(found) <= evidence.MOST
    assert len({one.said for one in found}) == len(found)
    for one in found:
        assert one.question in catalog.names() and one.said.endswith(".") and "None" not in one.said
        assert {"since", "until", "project", "client"} == set(one.parameters)


def test_no_text_of_a_signal_enters_a_question(store: LocalBackend, signals: dict[str, Signal]):
    texts = {catalog.load(name).text for name in catalog.names()}
    known = {"", "day", "autoagent", "autoresearch", "gtm-autoresearch", "internal"}
    known |= {"kiln-and-oak", "moss-cosmetics", "northpine-outdoor"}
    asked = Overheard(store)
    hostile = [*list(CORPUS.values())[:9], "' OR 1=1 --", "{project}", "autoagent' UNION SELECT 1"]
    for place, name in enumerate(hostile):
        for one in signals.values():
            extra = {key: name if isinstance(value, str) else value for key, value in one.extra.items()}
            # One half names a loop that there is, so that every question is asked about it.
            owned = {**extra, "project": one.extra["project"], "client": name}
            for told in (extra, owned) if place < 3 else (extra,):
                gathered(asked, replace(one, content=f"{name}\n{name}", source_id=name, extra=told))
    assert len(asked.asked) > 50
    for text, values in asked.asked:
        assert text in texts
        assert all(isinstance(value, datetime) or value in known for value in values.values())


def test_of_a_project_that_the_store_does_not_know_nothing_is_asked(store: LocalBackend, signals: dict[str, Signal]):
    asked = Overheard(store)
    for project in ("somebody-else", "loopdesk", None, ["autoagent"], {"a": 1}):
        assert not gathered(asked, replace(signals["plateau"], extra={"project": project}))
    assert {text for text, _ in asked.asked} == {catalog.load("projects").text}


def test_what_people_write_about_a_loop_is_given_its_plain_figures(store: LocalBackend):
    note = Signal("user", "note", "n", "The judge is too kind", 1.0, MORNING, {"project": "autoagent"})
    assert [one.question for one in gathered(store, note)] == ["headline", "cost_per_kept"]


def test_a_question_that_fails_leaves_the_others(store: LocalBackend, signals: dict[str, Signal]):
    whole = gathered(store, signals["plateau"])
    less = gathered(Overheard(store, fails="cost_per_kept"), signals["plateau"])
    assert [one for one in whole if one.question != "cost_per_kept"] == less
    assert gathered(Overheard(store, fails="projects"), signals["plateau"]) == []


def test_an_absurd_cost_is_no_number(tmp_path: Path):
    rounds = [
        event("round_kept", at=NIGHT + timedelta(hours=hours), round_id=f"01R{hours}", project="p", cost_usd=1e308)
        for hours in (2, 8)  # on two days, each with a sum of its own
    ]
    backend = stored(tmp_path, [rounds])
    found = gathered(backend, Signal("loops", "cost_spike", "c", "dear", 1.0, MORNING, {"project": "p"}))
    backend.close()
    assert the(found, "spent_usd").values["spent_usd"] is None
