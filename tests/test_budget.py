"""What the engine may spend, what it has spent, and the yes that comes before it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import attempts, budget, consent, general, judges, roles, verbs
from engine.budget import Books, Entry, Limits
from engine.effects import SaveJob
from engine.judge import Safety, Unavailable, texts_of
from engine.judges import judge_of, mode
from engine.model import Command, Job, Report
from engine.store import Store
from tests.conftest import NOW
from tests.engines import signal
from tests.messages_api import MessagesApi, messages_api, says
from tests.models import ModelDesk
from tests.test_model_judge import SAFE, Rules
from workspace.config import Config
from workspace.errors import LoopdeskError

CONFIG = replace(Config(), timezone="UTC")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "inbox.db")
    yield found
    found.close()


def answered(store: Store, is_yes: bool) -> None:
    """As the owner's command does it."""
    given = consent.answer(is_yes, consent.estimate(CONFIG, None, NOW), roles.models(CONFIG))
    verbs.check("consent", "", given)
    command = Command("C1", "consent", "", NOW, NOW, given)
    with store.transaction("apply_command"):
        store.write(general.decide("", command, NOW).effects, NOW)


def _kept(**changed: object) -> str:
    return json.dumps({"answer": "yes", "at": NOW.isoformat(), **changed})


def books(store: Store, now: datetime = NOW, **limits: float) -> Books:
    return Books(replace(CONFIG, budgets=limits), store, lambda: now)


def reserve(store: Store, usd: float, now: datetime = NOW, *, role: str = "assess", report: str = "", **limits: float):
    return books(store, now, **limits).reserve(usd, role=role, model="m", report_id=report)


def test_without_settings_the_published_limits_hold():
    assert budget.limits(Config()) == Limits(5.0, 2.0, 3)
    changed = replace(Config(), budgets={"night_usd": 1, "proposals_a_night": 0})
    assert budget.limits(changed) == Limits(1, 2.0, 0)


@pytest.mark.parametrize(
    "table",
    [
        {"week_usd": 1.0},
        {"night_usd": "5"},
        {"night_usd": -1},
        {"night_usd": float("nan")},
        {"report_usd": float("inf")},
        {"report_usd": True},
        {"proposals_a_night": 1.5},
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(table: dict[str, object]):
    with pytest.raises(LoopdeskError, match=next(iter(table))):
        budget.limits(replace(Config(), budgets=table))


def test_a_reservation_is_spent_until_it_is_booked(store: Store):
    first = reserve(store, 1.0, role="safety")
    reserve(store, 0.5, report="R1")
    found = budget.spending(store.connection, CONFIG, NOW).tonight
    assert (found.usd, found.reserved_usd, found.requests) == (1.5, 1.5, 2)
    books(store).book(first, 0.25, input_tokens=10, output_tokens=2)
    found = budget.spending(store.connection, CONFIG, NOW).tonight
    assert (found.usd, found.reserved_usd) == (0.75, 0.5)
    assert found.by_role == {"safety": 0.25, "assess": 0.5} and found.by_report == {"": 0.25, "R1": 0.5}
    assert budget.spent_on(store.connection, "R1") == 0.5


def test_a_reservation_outlives_its_process(store: Store):
    """Nothing ever came back: all of it is spent, and the next engine keeps to it."""
    reserve(store, 4.5)
    store.close()
    again = Store.open(store.path)
    assert budget.spent(again.connection).usd == 4.5
    with pytest.raises(Unavailable):
        reserve(again, 0.6)
    again.close()


def test_nothing_is_reserved_within_a_transaction_that_may_be_undone(store: Store):
    with pytest.raises(AssertionError), store.transaction("place"):
        reserve(store, 1.0)
    assert budget.spent(store.connection).requests == 0


def test_the_nights_budget_holds_until_the_next_night(store: Store):
    for _ in range(5):
        reserve(store, 1.0)
    with pytest.raises(Unavailable, match="night") as held:
        reserve(store, 0.01)
    assert held.value.retry_at == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert len(store.connection.execute("SELECT 1 FROM spend").fetchall()) == 5
    assert reserve(store, 1.0, held.value.retry_at)
    assert budget.spending(store.connection, CONFIG, held.value.retry_at).tonight.usd == 1.0
    assert budget.spent(store.connection).usd == 6.0


def test_what_turns_out_cheaper_makes_room(store: Store):
    whole = reserve(store, 5.0)
    with pytest.raises(Unavailable):
        reserve(store, 1.0)
    books(store).book(whole, 0.5)
    assert reserve(store, 1.0)


def test_a_report_has_a_limit_of_its_own_that_no_night_lifts(store: Store):
    reserve(store, 1.5, report="R1")
    tomorrow = NOW + timedelta(days=1)
    with pytest.raises(Unavailable, match="report") as held:
        reserve(store, 0.6, tomorrow, report="R1")
    with pytest.raises(Unavailable, match="report"):
        reserve(store, 0.6, held.value.retry_at, report="R1")
    assert reserve(store, 0.6, tomorrow, report="R2") and reserve(store, 0.6, tomorrow)


def test_a_request_that_no_night_can_hold_says_so(store: Store):
    with pytest.raises(Unavailable, match="night_usd") as held:
        reserve(store, 0.1, night_usd=0.05)
    # By then the owner may have raised it.
    assert held.value.retry_at == datetime(2026, 11, 20, 18, tzinfo=UTC)


def running(store: Store, report_id: str = "R") -> Job:
    """A job of a report, begun."""
    job = Job(f"research:{report_id}:1", "research", report_id, NOW, NOW, NOW)
    with store.transaction("reconcile"):
        store.write([SaveJob(job)], NOW)
        for step in (attempts.queued, lambda job, now: attempts.begun(None, job, "me", {}, now)):
            store.write(step(job, NOW), NOW)
            job = next(iter(store.jobs("queued") + store.jobs("running")))
    return job


def test_a_request_is_on_the_job_that_works_on_its_report(store: Store):
    job = running(store)
    for report in ("R", "another", ""):
        reserve(store, 0.1, report=report)
    found = store.connection.execute("SELECT report_id, job_id, attempt FROM spend ORDER BY seq").fetchall()
    assert found == [("R", job.id, 1), ("another", "", 0), ("", "", 0)]


def test_without_a_ledger_all_that_was_put_aside_for_a_job_is_spent_and_with_one_what_it_says(store: Store):
    job, keeps = running(store), books(store)
    assert keeps.reserve_job(job, 1.5) == 1.5
    assert store.jobs("running")[0].reserved_usd == 1.5
    assert keeps.reserve_job(replace(job, attempt=1), 1.0) == 1.5  # what was put aside before is taken over
    assert budget.spent_on(store.connection, "R") == 1.5
    ledger = [Entry(1, "fix", "m", 0.2, 5, 6, NOW, True), Entry(2, "fix", "m", 0.3, 0, 0, NOW, False)]
    for _ in range(2):
        keeps.settle(job.id, ledger)
    spent = budget.spent(store.connection)
    assert (spent.usd, spent.reserved_usd, spent.requests) == (0.5, 0.3, 2)
    # An engine that died between its books and the ledger reads it again, with another reservation.
    keeps.reserve_job(job, 0.5)
    keeps.settle(job.id, ledger)
    assert budget.spent(store.connection).usd == 0.5
    keeps.reserve_job(job, 0.7)
    keeps.settle(job.id, None)
    assert budget.spent(store.connection).usd == 1.2 and not keeps.has_aside(job.id)


def test_with_too_little_left_a_job_is_not_begun_elsewhere(store: Store):
    job = running(store)
    reserve(store, 1.7, report="R")
    with pytest.raises(budget.Reached, match="report's budget") as reached:
        books(store).reserve_job(job, 1.0)
    assert reached.value.report_id == "R"


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        ("2026-11-20T07:12+01:00", "2026-11-19T18:00+01:00", "2026-11-20T18:00+01:00"),
        ("2026-11-20T18:00+01:00", "2026-11-20T18:00+01:00", "2026-11-21T18:00+01:00"),
        ("2026-11-20T17:59+01:00", "2026-11-19T18:00+01:00", "2026-11-20T18:00+01:00"),
        # Nights of 25 and of 23 hours.
        ("2026-10-25T04:00+01:00", "2026-10-24T18:00+02:00", "2026-10-25T18:00+01:00"),
        ("2026-03-29T04:00+02:00", "2026-03-28T18:00+01:00", "2026-03-29T18:00+02:00"),
    ],
)
def test_a_night_is_from_its_hour_to_the_next(now: str, since: str, until: str):
    night = budget.night_of(datetime.fromisoformat(now), replace(CONFIG, timezone="Europe/Berlin"))
    ends = [instant.timestamp() for instant in (night.since, night.until)]
    assert ends == [datetime.fromisoformat(text).timestamp() for text in (since, until)]


def test_a_spring_night_that_begins_in_the_hour_that_is_left_out():
    config = replace(CONFIG, timezone="Europe/Berlin", night_starts_hour=2)
    at = datetime.fromisoformat("2026-03-29T12:00+02:00")
    night = budget.night_of(at, config)
    assert night.since.timestamp() <= at.timestamp() < night.until.timestamp()


async def test_a_judge_that_has_no_budget_is_unavailable_and_sends_nothing(tmp_path: Path, api: MessagesApi):
    desk = ModelDesk(tmp_path / "w", api, budgets={"night_usd": 0.001})
    answered(desk.store, True)
    api.plays(says(SAFE))
    judge = judge_of(desk.config, desk.store, Rules(), desk.clock)
    with pytest.raises(Unavailable, match="budget"):
        await judge.safety(texts_of(signal("crash")))
    assert api.requests == [] and desk.spend() == []
    desk.store.close()


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with messages_api() as found:
        yield found


async def test_no_model_is_asked_before_the_owner_said_yes(tmp_path: Path, api: MessagesApi):
    desk = ModelDesk(tmp_path / "w", api)
    api.plays(says(SAFE))
    rules = Rules()
    judge, text = judge_of(desk.config, desk.store, rules, desk.clock), texts_of(signal("crash"))
    assert await judge.safety(text) == Safety(True) and judge.name == "rules"
    answered(desk.store, False)
    assert await judge.safety(text) == Safety(True) and api.requests == []
    # The engine that runs takes the yes, and a no after it, without a restart.
    answered(desk.store, True)
    assert (await judge.safety(text)).why == "a plain observation" and "claude" in judge.name
    answered(desk.store, False)
    assert await judge.safety(text) == Safety(True)
    assert len(api.requests) == 1
    desk.store.close()


async def test_without_a_key_the_rules_judge_whatever_was_said(tmp_path: Path, api: MessagesApi):
    desk, rules = ModelDesk(tmp_path / "w", api, anthropic_key=""), Rules()
    answered(desk.store, True)
    assert judge_of(desk.config, desk.store, rules, desk.clock) is rules
    desk.store.close()


async def test_the_safety_of_a_placed_report_is_booked_on_it(tmp_path: Path, api: MessagesApi):
    desk = ModelDesk(tmp_path / "w", api)
    answered(desk.store, True)
    one = signal("crash")
    place(desk.store, one.id)
    api.plays(says(SAFE))
    judge = judge_of(desk.config, desk.store, Rules(), desk.clock)
    await judge.safety_together([texts_of(one)])
    assert [report for _, report, *_ in desk.spend()] == ["R1"]
    desk.store.close()


def place(store: Store, signal_id: str) -> None:
    from engine.effects import PlaceSignal, SaveReport
    from engine.rows import SIGNAL_COLUMNS, signal_row

    with store.transaction("place"):
        store.connection.execute(
            f"INSERT INTO signals(id, {SIGNAL_COLUMNS}, arrived_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (signal_id, *signal_row(signal("crash"))),
        )
        store.write([SaveReport(Report("R1", NOW, NOW)), PlaceSignal(signal_id, "R1", "")], NOW)


def test_the_owners_answer_is_kept_with_what_was_shown(store: Store):
    assert consent.consent(store.connection) is None
    answered(store, True)
    shown = consent.estimate(CONFIG, None, NOW)
    kept = consent.consent(store.connection)
    assert kept == consent.Consent(True, NOW, round(shown.usd, 4), roles.models(CONFIG))
    answered(store, False)
    assert consent.consent(store.connection) == replace(kept, is_given=False)


@pytest.mark.parametrize(
    "kept", ["", "yes", "{}", "[]", '{"answer": "yes"}', _kept(models=1), _kept(at="soon"), _kept(answer=True), 7]
)
def test_a_consent_that_cannot_be_read_is_none(store: Store, kept: object):
    store.connection.execute("INSERT INTO meta VALUES ('model_consent', ?)", (kept,))
    assert consent.consent(store.connection) is None


def test_the_estimate_follows_signals_and_prices(store: Store):
    guess = consent.estimate(CONFIG, store.connection, NOW)
    assert not guess.is_measured and guess == consent.estimate(CONFIG, None, NOW)
    rows = [(str(number), 1.0, 0, (NOW - timedelta(days=number % 10)).timestamp() * 1e6) for number in range(100)]
    store.connection.executemany(
        "INSERT INTO signals(id, weight, revisions, arrived_at, source_product, source_type, source_id, content, "
        "extra, occurred_at) VALUES (?, ?, ?, ?, '', '', '', '', '{}', 0)",
        rows,
    )
    seen = consent.estimate(CONFIG, store.connection, NOW)
    assert seen.is_measured and 10 <= seen.signals <= 12
    assert seen.usd / seen.signals == pytest.approx(guess.usd / guess.signals)
    dear = replace(CONFIG, models={"assess": "claude-opus-4-6"}, budgets={"night_usd": 1.0})
    dearer = consent.estimate(dear, store.connection, NOW)
    assert dearer.usd > seen.usd and dearer.most_usd == 1.0
    assert "estimate" in seen.said and f"${seen.usd:.2f}" in seen.said


def test_the_mode_says_who_judges_and_what_a_model_would_change(store: Store):
    keyed = replace(CONFIG, anthropic_key="sk-something")
    bare = mode(CONFIG, None, NOW)
    assert (bare.judge, bare.has_key, bare.asks_for_consent) == (judges.RULES, False, False)
    assert "ANTHROPIC_API_KEY" in bare.why and bare.estimate.said in bare.with_model
    assert set(bare.models) == {"safety", "grouping", "assess", "research", "fix", "review"} and bare.limits == Limits()
    asks = mode(keyed, store.connection, NOW)
    assert (asks.judge, asks.asks_for_consent, asks.has_consent) == (judges.RULES, True, False)
    answered(store, True)
    yes = mode(keyed, store.connection, NOW)
    assert yes.has_consent and not yes.asks_for_consent and yes.with_model == ""
    assert yes.judge == "claude-haiku-4-5, claude-sonnet-4-6" and "sk-something" not in repr(yes)
    assert mode(CONFIG, store.connection, NOW).judge == judges.RULES
    answered(store, False)
    no = mode(keyed, store.connection, NOW)
    assert no.judge == judges.RULES and not no.asks_for_consent and no.with_model


def test_what_screens_ask_loads_nothing_heavy():
    code = (
        "import sys; from engine import budget, consent, judges; from workspace.config import Config; "
        "from datetime import datetime, UTC; judges.mode(Config(), None, datetime.now(UTC)); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"anthropic", "pydantic", "posthog", "httpx", "httpx2", "numpy", "engine.store", "engine.llm"}
