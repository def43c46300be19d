"""The stage that judges merged fixes, over a real `events.db`: each once, in both directions, whenever it looks."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import measuring, notices
from engine.effects import AddArtefact
from engine.embedding import embedder
from engine.grouping import Grouping
from engine.main import Engine, Parts, Worked
from engine.measuring import Nights
from engine.metrics import Metric
from engine.model import Artefact, Proposal, Report, Signal
from engine.notices import Names
from engine.rows import insert, row
from engine.rules.judge import RulesJudge
from engine.runtime import parts
from engine.safety import SafetyFilter
from engine.soaking import EVERY, Soaking
from engine.store import Store
from queries.morning import open_local
from tests.conftest import NOW
from tests.engines import Desk, signal
from tests.merged_fixes import NEW, OLD, happened, merge, night
from tui.commands.cli import run
from tui.engineview import gather, head
from workspace.config import Config
from workspace.errors import LoopdeskError

EVENING = datetime(2026, 11, 20, 21, tzinfo=UTC)
MERGED = datetime(2026, 11, 20, 9, tzinfo=UTC)  # in the morning: the night of the 20th is the first with the fix
NIGHTS = Nights("UTC", 18)


def good(number: int) -> bool:
    return number % 2 == 0


def poor(number: int) -> bool:
    return number == 5


class Fixed(Desk):
    """A report about autoagent whose fix was merged; what the engine's own stages make of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.config = Config(workspace_dir=str(self.workspace.root), timezone="UTC")
        self.soaking = Soaking(self.config, tell=self.tell)
        self.told: list[str] = []
        self.now = MERGED - timedelta(hours=2)
        judge = RulesJudge()
        self.stages = (SafetyFilter(judge), Grouping(judge, embedder("")), self.soaking)

    def tell(self, said: str) -> None:
        self.told.append(said)

    def turn(self):
        with closing(Store.open(self.workspace.inbox_db)) as store:
            engine = Engine(store, Parts(self.stages), clock=lambda: self.now)
            asyncio.run(engine.once())
            return engine.done

    def next_due(self) -> datetime | None:
        with closing(Store.open(self.workspace.inbox_db)) as store:
            return asyncio.run(self.soaking(store, self.now)).next_due

    def at(self, night: int, hour: int = 7) -> None:
        """The morning after the `night`th with the fix."""
        self.now = EVENING.replace(hour=hour) + timedelta(days=night)
        self.turn()

    def proposal(self, id: str = "P1") -> Proposal:
        with closing(Store.open(self.workspace.inbox_db)) as store:
            from engine import reading

            found = reading.proposal(store.connection, id)
            assert found is not None
            return found

    def rows(self, query: str) -> list[tuple]:
        with closing(sqlite3.connect(self.workspace.inbox_db)) as db:
            return db.execute(query).fetchall()


def plateau(at: datetime = MERGED - timedelta(hours=3), **extra: object) -> Signal:
    about = {"project": "autoagent", "client": "internal", "metric": "best_score", "git_sha": OLD, **extra}
    return Signal("loops", "plateau", "plateau:autoagent/internal", "autoagent is stuck\nfor 40 rounds", 0.5, at, about)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Fixed]:
    made = Fixed(tmp_path / "w")
    made.comes(plateau())
    made.turn()
    yield made
    made.close()


def nights(desk: Fixed, before, after, *, count: int = 3, **more: object) -> None:
    happened(
        desk.workspace,
        *(night(EVENING - timedelta(days=back), kept=before) for back in (2, 1)),
        *(night(EVENING + timedelta(days=n), kept=after, sha=NEW, **more) for n in range(count)),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [(poor, good, "verified"), (good, poor, "regressed"), (good, good, "inconclusive")],
)
def test_a_fix_is_judged_after_three_nights_and_once(desk: Fixed, before, after, wanted: str):
    nights(desk, before, after, count=5)
    report = desk.report()
    merge(desk.workspace, report, MERGED)
    desk.at(1)
    desk.at(2)
    assert desk.proposal().verdict == ""
    desk.at(3)
    found = desk.proposal()
    assert found.verdict == wanted
    assert found.outcome["metric"] == {"name": "new_best_rate", "project": "autoagent", "client": "internal"}
    assert (found.outcome["before"]["rounds"], found.outcome["after"]["rounds"]) == (24, 72)  # type: ignore[index]
    for morning in (4, 5, 30):
        desk.at(morning)
    assert desk.proposal() == found
    assert desk.rows("SELECT count(*) FROM artefacts WHERE kind = 'outcome'") == [(1,)]
    ((key, text),) = desk.rows("SELECT key, text FROM memory")
    assert key == "outcome:P1" and f"#42 (“Restore the limit”): {wanted}." in text and "Rate of new bests" in text
    ((weight, placed),) = desk.rows("SELECT weight, is_placed FROM signals WHERE source_type = 'outcome'")
    assert (weight, placed) == (float(wanted == "regressed"), 1)


def test_whenever_the_engine_looks_the_verdict_is_the_same(tmp_path: Path):
    said = []
    for number, looks in enumerate(([3], [1, 2, 3], [13], [400])):
        desk = Fixed(tmp_path / f"w{number}")
        desk.comes(plateau())
        desk.turn()
        nights(desk, poor, good, count=6)
        merge(desk.workspace, desk.report(), MERGED)
        for morning in looks:
            desk.at(morning)
        said.append((desk.proposal().verdict, desk.proposal().outcome["said"]))
        desk.close()
    assert len(set(said)) == 1 and said[0][0] == "verified"


def test_a_regressed_fix_opens_a_report_that_is_linked_and_is_told_about(desk: Fixed):
    nights(desk, good, poor)
    old = desk.report()
    merge(desk.workspace, old, MERGED)
    desk.at(3)
    fresh = next(one for one in desk.reports() if one.id != old.id)
    assert (fresh.recurrence_of, fresh.signals, fresh.weight) == (old.id, 1, 1.0)
    detail = desk.inbox.report(fresh.id)
    assert detail is not None
    (stored,) = detail.signals
    assert stored.safety == "passed" and "Rate of new bests" in stored.signal.content
    facts = notices.Facts(signals=[stored.signal])
    ((subject, about),) = notices.news(facts, desk.now, "UTC", 18).items()
    told = notices.notice(subject, about, Names(clients=["internal"]), details=False)
    assert told.kind == "regressed_fix" and "autoagent" in told.title and "internal" not in told.title + told.body
    # What came of a fix that helped is no news.
    assert not notices.news(notices.Facts(signals=[replace(stored.signal, weight=0.0)]), desk.now, "UTC", 18)


def test_a_word_of_our_own_is_no_signal_of_the_report(desk: Fixed):
    nights(desk, poor, good)
    merge(desk.workspace, desk.report(), MERGED)
    desk.at(3)
    report = desk.report()
    assert report.signals == 1 and report.status == "resolved"
    detail = desk.inbox.report(report.id)
    assert detail is not None and [one.signal.is_own_word for one in detail.signals] == [False, True]
    refused = desk.applied("split", report, signals=[detail.signals[1].id])
    assert refused.refused_at is not None


class TestTooEarly:
    def test_a_night_that_is_going_on_does_not_count(self, desk: Fixed):
        nights(desk, poor, good)
        merge(desk.workspace, desk.report(), MERGED)
        desk.at(3, hour=2)  # its last round ended an hour and a half ago
        assert desk.proposal().verdict == ""
        desk.now += timedelta(hours=3)
        desk.turn()
        assert desk.proposal().verdict == "verified"

    def test_the_engine_wakes_by_itself(self, desk: Fixed):
        nights(desk, poor, good, count=1)
        merge(desk.workspace, desk.report(), MERGED)
        desk.now = MERGED
        assert desk.next_due() == MERGED + timedelta(days=2)
        desk.now = MERGED + timedelta(days=2, minutes=1)
        assert desk.next_due() == desk.now + EVERY
        desk.now += timedelta(minutes=20)
        assert desk.next_due() == desk.now - timedelta(minutes=20) + EVERY
        desk.now -= timedelta(days=1)  # somebody set the clock back
        assert desk.next_due() == MERGED + timedelta(days=2)
        assert desk.proposal().verdict == ""

    def test_rounds_that_ran_the_code_from_before_do_not_count(self, desk: Fixed):
        """Two nights pass until somebody deploys; the verdict comes three nights after that."""
        happened(
            desk.workspace,
            *(night(EVENING + timedelta(days=n), kept=poor) for n in (-2, -1, 0, 1)),
            *(night(EVENING + timedelta(days=n), kept=good, sha=NEW) for n in (2, 3, 4)),
        )
        merge(desk.workspace, desk.report(), MERGED)
        desk.at(4)
        assert desk.proposal().verdict == ""
        desk.at(5)
        found = desk.proposal()
        assert found.verdict == "verified"
        assert (found.outcome["before"]["rounds"], found.outcome["after"]["rounds"]) == (72, 72)  # type: ignore[index]

    def test_a_merge_that_was_noticed_late_counts_from_the_first_round_of_its_commit(self, desk: Fixed):
        nights(desk, poor, good)
        merge(desk.workspace, desk.report(), EVENING + timedelta(days=2, hours=12), merge_sha=f"{NEW}{'0' * 33}")
        desk.at(6)
        found = desk.proposal()
        assert found.verdict == "verified" and found.outcome["after"]["nights"] == 3  # type: ignore[index]

    def test_nothing_is_judged_while_events_are_still_to_come(self, desk: Fixed):
        nights(desk, poor, good)
        merge(desk.workspace, desk.report(), MERGED)
        is_current = False
        desk.stages = (*desk.stages[:-1], Soaking(desk.config, is_current=lambda: is_current))
        desk.at(30)
        assert desk.proposal().verdict == ""
        is_current = True
        desk.turn()
        assert desk.proposal().verdict == "verified"


class TestTooLittle:
    def test_without_traffic_it_is_inconclusive_after_two_weeks(self, desk: Fixed):
        nights(desk, poor, good, count=2, rounds=6)
        merge(desk.workspace, desk.report(), MERGED)
        for morning in range(1, 14):
            desk.at(morning)
        assert desk.proposal().verdict == ""
        desk.at(14, hour=10)
        found = desk.proposal()
        assert found.verdict == "inconclusive" and "Only 12 rounds in 2 nights" in str(found.outcome["said"])

    def test_with_a_clock_far_ahead_and_nothing_stored_it_is_over_at_once(self, desk: Fixed):
        merge(desk.workspace, desk.report(), MERGED)
        desk.now = MERGED.replace(year=2036)
        desk.turn()
        assert desk.proposal().verdict == "inconclusive" and not desk.told
        desk.now = MERGED
        desk.turn()
        assert desk.rows("SELECT count(*) FROM artefacts WHERE kind = 'outcome'") == [(1,)]

    def test_a_fix_that_was_never_deployed_is_said_to_be(self, desk: Fixed):
        happened(desk.workspace, *(night(EVENING + timedelta(days=n), kept=poor) for n in range(-2, 5)))
        merge(desk.workspace, desk.report(), MERGED)
        desk.at(15)
        assert "None of the 120 rounds" in str(desk.proposal().outcome["said"])

    def test_one_that_was_taken_back_is_not_measured(self, desk: Fixed):
        nights(desk, poor, good)
        merge(desk.workspace, desk.report(), MERGED)
        merge(desk.workspace, desk.report(), MERGED + timedelta(hours=1), "P2", reverts="P1", number=43)
        desk.at(1)
        assert desk.proposal().verdict == "inconclusive" and "#43" in str(desk.proposal().outcome["said"])
        assert desk.proposal("P2").verdict == ""
        assert desk.inbox.hit_rate().merged == 1

    def test_what_people_wrote_has_no_metric(self, tmp_path: Path):
        desk = Fixed(tmp_path / "w2")
        desk.comes(Signal("user", "note", "n", "The judge is too kind", 1.0, desk.now))
        desk.turn()
        merge(desk.workspace, desk.report(), MERGED)
        desk.at(2)
        assert desk.proposal().verdict == ""
        desk.at(4)
        assert desk.proposal().verdict == "inconclusive" and "no metric" in str(desk.proposal().outcome["said"])
        desk.close()


class TestCameAgain:
    def test_what_is_seen_on_the_code_from_before_belongs_to_the_resolved_report(self, desk: Fixed):
        merge(desk.workspace, desk.report(), MERGED)
        desk.now = MERGED + timedelta(hours=1)
        desk.comes(plateau(MERGED - timedelta(hours=1), rounds=50, git_sha="eeeeeee"))  # observed before the merge
        desk.turn()
        desk.comes(plateau(MERGED + timedelta(minutes=30), git_sha="eeeeeee"))  # the night went on
        desk.turn()
        desk.comes(replace(plateau(MERGED + timedelta(minutes=40), git_sha="eeeeeee"), source_id="another"))
        desk.turn()
        assert [report.status for report in desk.reports()] == ["resolved"]

    def test_what_is_seen_while_the_fix_runs_opens_a_fresh_one_and_the_fix_has_failed(self, desk: Fixed):
        nights(desk, good, good)
        old = desk.report()
        merge(desk.workspace, old, MERGED)
        desk.at(1)
        desk.comes(plateau(desk.now - timedelta(hours=2), git_sha=NEW))
        desk.at(2)
        fresh = next(one for one in desk.reports() if one.id != old.id)
        assert fresh.recurrence_of == old.id and desk.proposal().verdict == ""
        desk.at(3)
        found = desk.proposal()
        assert (found.verdict, found.outcome["came_again"]) == ("regressed", fresh.id)
        # Its signal joins the report that there is.
        assert {one.id for one in desk.reports()} == {old.id, fresh.id}
        assert next(one for one in desk.reports() if one.id == fresh.id).signals == 2

    def test_after_the_verdict_everything_that_is_seen_again_counts(self, desk: Fixed):
        nights(desk, poor, good)
        old = desk.report()
        merge(desk.workspace, old, MERGED)
        desk.at(3)
        desk.comes(plateau(desk.now - timedelta(hours=1)))
        desk.turn()
        assert [one.recurrence_of for one in desk.reports() if one.id != old.id] == [old.id]
        assert desk.proposal().verdict == "verified"

    def test_a_report_that_was_resolved_by_hand_has_no_fix_to_wait_for(self, desk: Fixed):
        old = desk.report()
        desk.applied("resolve", old)
        desk.comes(plateau(desk.now))
        desk.turn()
        assert [one.recurrence_of for one in desk.reports() if one.id != old.id] == [old.id]


class TestSeen:
    def test_the_outcome_stands_in_its_group_until_it_was_seen(self, desk: Fixed):
        nights(desk, poor, good)
        report = desk.report()
        refused = desk.applied("acknowledge", report)
        assert refused.refused_at and "no merged fix" in refused.said
        merge(desk.workspace, report, MERGED)
        desk.now = MERGED
        refused = desk.applied("acknowledge", desk.report())
        assert refused.refused_at and "not known yet" in refused.said
        (listed,) = desk.inbox.reports()
        assert listed.group == "Outcomes" and "too early" in listed.why
        desk.at(3)
        (listed,) = desk.inbox.reports()
        assert listed.group == "Outcomes" and listed.why.startswith("Verified. Rate of new bests")
        since = desk.now
        assert desk.inbox.digest(since - timedelta(minutes=1)).measured == (report.id,)
        assert desk.applied("acknowledge", listed.report).applied_at
        (listed,) = desk.inbox.reports()
        assert listed.group == "Done"
        assert not desk.inbox.digest(since).measured
        assert desk.applied("acknowledge", listed.report).refused_at

    def test_from_the_command_line_and_on_the_engine_screen(self, desk: Fixed, capsys: pytest.CaptureFixture[str]):
        nights(desk, poor, good)
        merge(desk.workspace, desk.report(), MERGED)
        desk.at(3)
        asked = ["--workspace", str(desk.workspace.root), "inbox"]
        assert run([*asked, "list", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["reports"][0]["proposal"]["verdict"] == "verified"
        assert (found["fixes"]["merged"], found["fixes"]["verified"]) == (1, 1)
        assert run([*asked, "list"]) == 0
        printed = " ".join(capsys.readouterr().out.split())
        said = "Of 1 merged fix 1 verified; no model was paid for them."
        assert "Verified. Rate of new bests" in printed and printed.endswith(said)
        state = gather(desk.inbox, desk.config, desk.now)
        assert ("text", said) in head(state, lambda at, **_: "", {})
        assert run([*asked, "acknowledge", desk.report().id, "--no-engine"]) == 0
        desk.now = datetime.now(UTC) + timedelta(minutes=1)  # the command line has the real clock
        desk.turn()
        assert [one.group for one in desk.inbox.reports()] == ["Done"]


class TestHitRate:
    def test_nothing_merged_says_nothing(self, desk: Fixed):
        assert desk.inbox.hit_rate().said == ""

    def test_it_counts_verdicts_and_what_they_cost(self, desk: Fixed):
        with closing(Store.open(desk.workspace.inbox_db)) as store, store.transaction("book"):
            (report,) = desk.reports()
            for number, verdict in enumerate([*["verified"] * 2, "regressed", "inconclusive", "", ""]):
                store.connection.execute(
                    "INSERT INTO reports SELECT ?, " + ", ".join(_others(store)) + " FROM reports WHERE id = ?",
                    (f"X{number}", report.id),
                )
                made = Proposal(f"Q{number}", f"X{number}", MERGED, MERGED)
                store.write([_saved(made)], MERGED)
                store.connection.execute(
                    "UPDATE proposals SET state = 'merged', verdict = ? WHERE id = ?", (verdict, made.id)
                )
            for where, usd in (("X0", 1.0), ("X1", 2.0), ("X2", 3.0), (report.id, 50.0), ("", 9.0)):
                store.connection.execute(
                    "INSERT INTO spend(report_id, role, model, cost_usd, at) VALUES (?, 'fix', 'm', ?, 0)", (where, usd)
                )
        found = desk.inbox.hit_rate()
        assert (found.merged, found.too_early, found.per_merged_usd, found.per_verified_usd) == (6, 2, 1.0, 3.0)
        assert found.said == (
            "Of 6 merged fixes 2 verified, 1 regressed, 1 inconclusive, 2 too early; a merged fix cost $1.00, a "
            "verified one $3.00."
        )


def _others(store: Store) -> list[str]:
    return [row[1] for row in store.connection.execute("PRAGMA table_info(reports)") if row[1] != "id"]


def _saved(proposal: Proposal):
    from engine.effects import SaveProposal

    return SaveProposal(proposal)


class TestMeasure:
    """Every metric of the table over one store."""

    @pytest.fixture(scope="class")
    def backend(self, tmp_path_factory: pytest.TempPathFactory):
        config = Config(workspace_dir=str(tmp_path_factory.mktemp("m")), timezone="UTC")
        config.workspace.create()
        from tests.events import event

        calls = [
            event(
                "$ai_generation",
                at=EVENING + timedelta(minutes=n),
                key=n,
                **{
                    "$ai_model": "haiku",
                    "$ai_is_error": n < 3,
                    "$ai_latency": 2.0,
                    "$ai_output_tokens": 100,
                    "$ai_trace_id": "t",
                },
            )
            for n in range(12)
        ]
        happened(
            config.workspace,
            night(EVENING, 24, kept=good, dim_naming=lambda n: 0.5 + 0.01 * n),
            night(EVENING + timedelta(days=1), 12, kept=poor, sha=NEW, cost=0.10),
            calls,
            [
                event("stop_triggered", at=EVENING + timedelta(hours=5), reason="oom", run_id="run-2021"),
                event("model_escalated", at=EVENING + timedelta(minutes=3), round_id="2021-000", to_model="opus"),
                event(
                    "eval.regression",
                    at=EVENING + timedelta(minutes=5),
                    round_id="2021-001",
                    dim="dim_naming",
                    delta=-0.1,
                ),
                event(
                    "$exception",
                    at=EVENING + timedelta(days=1, hours=1),
                    round_id="2121-001",
                    **{"$exception_list": [{"type": "E", "value": "v"}], "$exception_fingerprint": "f00d"},
                ),
            ],
        )
        found = open_local(config, lambda: EVENING + timedelta(days=3))
        assert found is not None
        yield found
        found.close()

    @pytest.mark.parametrize(
        ("name", "more", "wanted", "trials"),
        [
            ("kept_rate", {}, 13 / 36, 36),
            ("new_best_rate", {}, 13 / 36, 36),
            ("best_score", {}, 0.51, 2),
            ("round_score", {}, 0.49 + 0.02 * 13 / 36, 36),
            ("scored_share", {}, 1.0, 36),
            ("dimension_mean", {"dimension": "naming"}, 0.615, 24),
            ("dimension_mean", {"dimension": "dim_naming"}, 0.615, 24),
            ("dimension_mean", {"dimension": "absent"}, None, 0),
            ("regression_rate", {}, 1 / 36, 36),
            ("regression_rate", {"dimension": "other"}, 0.0, 36),
            ("escalation_rate", {}, 1 / 36, 36),
            ("stop_nights", {"reason": "oom"}, 0.5, 2),
            ("silent_nights", {}, 0.5, 2),
            ("exception_nights", {"fingerprint": "f00d"}, 0.5, 2),
            ("exception_nights", {"fingerprint": "other"}, 0.0, 2),
            ("model_error_rate", {}, 0.25, 12),
            ("model_error_rate", {"model": "opus"}, None, 0),
            ("model_latency", {"model": "haiku"}, 0.02, 1),
        ],
    )
    def test_it_is_what_the_events_say(self, backend, name: str, more: dict, wanted: float | None, trials: int):
        metric = Metric(name, "autoagent", "internal", **more)
        found = measuring.measure(backend, metric, EVENING, EVENING + timedelta(days=3), NIGHTS)
        assert found.value == (None if wanted is None else pytest.approx(wanted))
        assert sum(one.of for one in found.observed) == trials
        assert (found.rounds, len(found.nights), found.unit) == (36, 2, metric.kind.unit)

    def test_what_a_round_costs_and_a_kept_one(self, backend):
        until = EVENING + timedelta(days=3)
        each, kept = (
            measuring.measure(backend, Metric(name, "autoagent"), EVENING, until, NIGHTS)
            for name in ("cost_per_round", "cost_per_kept")
        )
        assert each.value == pytest.approx(kept.value * 13 / 36)
        assert 0.05 < each.value < 0.10

    def test_versions_from_before_are_left_out_and_others_projects_too(self, backend):
        until = EVENING + timedelta(days=3)
        found = measuring.measure(backend, Metric("kept_rate", "autoagent"), EVENING, until, NIGHTS, frozenset({OLD}))
        assert (found.rounds, found.value) == (12, pytest.approx(1 / 12))
        for project, client in (("autoagent", "other"), ("other", ""), ("loopdesk", "")):
            metric = Metric("kept_rate", project, client)
            assert measuring.measure(backend, metric, EVENING, until, NIGHTS).rounds == 0
        stops = Metric("stop_nights", "autoagent", reason="oom")
        assert measuring.measure(backend, stops, EVENING, until, NIGHTS, frozenset({OLD})).value == 0.0

    def test_the_fix_runs_from_the_first_round_of_another_version_on(self, backend):
        merged, now = EVENING + timedelta(hours=1), EVENING + timedelta(days=3)
        found = measuring.running(backend, Metric("kept_rate", "autoagent"), EVENING, merged, now, NIGHTS)
        assert found.old == {OLD} and found.since == EVENING + timedelta(days=1)
        assert found.rounds == 24 - 6 + 12


async def test_measuring_is_off_the_event_loop_and_a_question_that_fails_is_asked_again(
    desk: Fixed, monkeypatch: pytest.MonkeyPatch
):
    nights(desk, poor, good)
    merge(desk.workspace, desk.report(), MERGED)
    desk.now = EVENING + timedelta(days=3)
    ticks = 0

    def fails(*arguments: object, **more: object) -> None:
        nonlocal ticks
        import time

        before = ticks
        deadline = time.monotonic() + 60
        while ticks < before + 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        raise LoopdeskError("It took too long")

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    monkeypatch.setattr(measuring, "measure", fails)
    ticking = asyncio.create_task(tick())
    with closing(Store.open(desk.workspace.inbox_db)) as store:
        worked = await desk.soaking(store, desk.now)
        assert worked == Worked(0, desk.now + EVERY) and ticks >= 3
        assert desk.told == ["A merged fix could not be measured: It took too long."]
        monkeypatch.undo()
        assert (await desk.soaking(store, desk.now + EVERY)).done == 1
    ticking.cancel()


def test_a_setting_that_makes_no_sense_stops_the_engine_at_its_start(tmp_path: Path):
    with pytest.raises(LoopdeskError, match="nights"):
        parts(Config(workspace_dir=str(tmp_path), outcomes={"nights": "three"}))(None)  # type: ignore[arg-type]


def test_hand_made_outcomes_are_refused(desk: Fixed):
    with pytest.raises(LoopdeskError):
        desk.comes(Signal("loopdesk", "outcome", "P1", "A merged fix helped", 0.0, NOW))


def test_a_report_keeps_the_metric_that_research_chose(desk: Fixed):
    from tests.engines import READY, answers

    chosen = {"name": "kept_rate", "project": "autoagent"}
    other = Desk(desk.workspace.root.parent / "other", answers({**READY, "metric": chosen}))
    other.comes(signal("a"))
    other.turn()
    assert other.report().metric == chosen
    other.close()
    odd = Desk(desk.workspace.root.parent / "odd", answers({**READY, "metric": {"name": "glory", "project": "a"}}))
    odd.comes(signal("a"))
    for _ in range(6):
        odd.turn()
        odd.later(hours=1)
    report: Report = odd.report()
    assert report.status == "failed" and "metric" in report.question
    odd.close()


class TestTheOffer:
    def test_after_three_fixes_that_you_started_they_could_start_by_themselves(self, tmp_path: Path):
        desk = Desk(tmp_path)
        config = replace(Config(), repositories={"loop": {"path": "/srv/loop"}})
        desk.turn()
        store = Store.open(desk.workspace.inbox_db)
        for number in range(3):
            assert desk.inbox.offer(config) == ""
            report = Report(f"R{number}", NOW, NOW, "resolved")
            started = Artefact(report.id, "start_approved", {"command": f"P{number}"}, "desk", NOW)
            merged = Proposal(f"P{number}", report.id, NOW, NOW, "merged", repository="loop", merged_at=NOW)
            with store.transaction("reconcile"):
                store.connection.execute(insert(Report, "reports"), row(report))
                store.connection.execute(insert(Proposal, "proposals"), row(merged))
                store.write([AddArtefact(started)], NOW)
        assert 'autostart = "P1" under [repositories.loop]' in desk.inbox.offer(config)
        # Not where it is set already, nor for what is not configured.
        for table in ({"loop": {"path": "/srv/loop", "autostart": "P2"}}, {"other": {"path": "/srv/other"}}):
            assert desk.inbox.offer(replace(config, repositories=table)) == ""
        store.close()
        desk.close()
