"""What workers and the engine share in Postgres: blobs, claims, the ledger, the tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from engine.blobs import Blobs, FolderBlobs
from engine.budget import Reached
from engine.model import Job, Proposal, Report
from engine.workers.away import goes_on, is_wanted, stays_home
from engine.workers.blobs import CHUNK_BYTES, PostgresBlobs, fetch, keys_in, send
from engine.workers.claim import Claim, Lost
from engine.workers.ledger import JobBooks
from engine.workers.postgres import EngineLock, Gone, Times, check_url, prepare
from engine.workers.queue import Queue, Seen
from tests.conftest import NOW
from tests.postgres import Cluster
from workspace.errors import LoopdeskError


@pytest.fixture(scope="module")
def shared_url(postgres: Cluster) -> str:
    return postgres.database()


@pytest.fixture
def url(shared_url: str) -> str:
    """Emptied."""
    with psycopg.connect(shared_url) as connection:
        tables = "loopdesk_jobs, loopdesk_blobs, procrastinate_jobs, procrastinate_workers"
        connection.execute(f"TRUNCATE {tables} CASCADE".encode())
    return shared_url


def job(**changes: object) -> Job:
    first = Job("research:R:1", "research", "R", NOW, NOW, NOW, state="running", brief={"report": "R", "run": 1})
    return replace(first, **changes)  # type: ignore[arg-type]


class TestBlobs:
    @pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7])
    def test_both_ways_of_keeping_them_give_the_same_key_and_the_same_bytes(self, url: str, tmp_path: Path, size: int):
        content = bytes(range(256)) * (size // 256 + 1)
        content = content[:size]
        ways: list[Blobs] = [FolderBlobs(tmp_path / "blobs"), PostgresBlobs(url)]
        keys = {way.put(content) for way in ways for _ in range(2)}
        assert len(keys) == 1
        assert all(way.get(key) == content for way in ways for key in keys)

    def test_what_is_not_whole_is_not_there(self, url: str):
        blobs = PostgresBlobs(url)
        key = blobs.put(b"x" * (CHUNK_BYTES + 1))
        with psycopg.connect(url) as connection:
            connection.execute("DELETE FROM loopdesk_chunks WHERE part = 1")
        for missing in (key, "0" * 64):
            with pytest.raises(LoopdeskError, match="There is no blob"):
                blobs.get(missing)
        with pytest.raises(LoopdeskError, match="no blob's key"):
            blobs.get("../../etc/passwd")

    def test_a_brief_brings_along_what_it_names_and_a_result_what_came_of_it(self, url: str, tmp_path: Path):
        home, away = FolderBlobs(tmp_path / "blobs"), PostgresBlobs(url)
        here, there = home.put(b"here"), away.put(b"there")
        document = {"bundle": here, "more": [{"session": there}, "f" * 64, 7, None, f"no {here}"]}
        assert list(keys_in(document)) == [here, there, "f" * 64]
        send(keys_in(document), home, away)
        fetch(keys_in(document), away, home)
        assert (away.get(here), home.get(there)) == (b"here", b"there")

    def test_what_nothing_asks_for_is_forgotten_in_time(self, url: str):
        blobs = PostgresBlobs(url)
        old, used = blobs.put(b"old"), blobs.put(b"used")
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE loopdesk_blobs SET used_at = now() - interval '15 days'")
        assert blobs.put(b"used") == used
        assert blobs.prune() == 1 and blobs.has(used) and not blobs.has(old)


class TestClaims:
    @pytest.fixture
    async def pool(self, url: str) -> AsyncIterator[AsyncConnectionPool]:
        async with AsyncConnectionPool(url, min_size=1, kwargs={"autocommit": True}, open=False) as pool:
            yield pool

    @staticmethod
    def ticket(url: str) -> str:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT ticket FROM loopdesk_jobs").fetchone()
        assert row is not None
        return row[0]

    async def claimed(self, url: str, pool: AsyncConnectionPool, one: Job | None = None, usd: float = 1.0) -> Claim:
        one = one or job()
        await Queue(url, "W", Times()).put(one, {"what": "\0 it is"}, None, usd)
        claim = await Claim.take(pool, one.id, self.ticket(url), "a machine")
        assert claim is not None
        return claim

    async def test_only_the_last_one_counts(self, url: str, pool: AsyncConnectionPool):
        first = await self.claimed(url, pool)
        assert first.brief == {"what": "\0 it is"}
        await first.save({"n": 1})
        second = await Claim.take(pool, first.job_id, self.ticket(url), "another")
        assert second is not None and await second.latest() == {"n": 1}
        for late in (first.save({"n": 9}), first.end('{"result":{}}'), first.check()):
            with pytest.raises(Lost):
                await late
        assert not await first.let_go()
        await second.end('{"result":{"n":2}}')
        seen = await Queue(url, "W", Times()).look(first.job_id)
        assert seen is not None and seen.outcome == {"result": {"n": 2}} and seen.snapshot == {"n": 1}

    async def test_an_old_deferral_gives_no_claim(self, url: str, pool: AsyncConnectionPool):
        await self.claimed(url, pool)
        before = self.ticket(url)
        await Queue(url, "W", Times()).put(
            job(attempt=2, brief={"report": "R", "run": 1, "signals": {"a": 1}}), {}, None, 1.0
        )
        assert await Claim.take(pool, job().id, before, "a machine") is None
        assert await Claim.take(pool, job().id, self.ticket(url), "a machine") is not None

    async def test_a_recalled_one_ends_even_where_its_worker_is_dead(self, url: str, pool: AsyncConnectionPool):
        claim, queue = await self.claimed(url, pool), Queue(url, "W", Times())
        seen = await queue.recall(claim.job_id)
        assert seen is not None and seen.state == "unwanted" and not seen.is_over
        with pytest.raises(Lost, match="not wanted"):
            await claim.check()
        assert await Claim.take(pool, claim.job_id, self.ticket(url), "another") is None
        seen = await queue.recall(claim.job_id)
        assert seen is not None and seen.is_over

    async def test_it_is_enqueued_once_for_an_attempt_whoever_asks_how_often(self, url: str, pool: AsyncConnectionPool):
        for attempt in (1, 1, 2, 3):
            await Queue(url, "W", Times()).put(job(attempt=attempt), {}, None, 1.0)
        with psycopg.connect(url) as connection:
            found = connection.execute(
                "SELECT count(*), min(queueing_lock), min(lock) FROM procrastinate_jobs"
            ).fetchone()
        assert found == (1, f"{job().id}/1", job().id)

    async def test_a_result_that_was_no_use_is_not_taken_twice(self, url: str, pool: AsyncConnectionPool):
        claim, queue = await self.claimed(url, pool), Queue(url, "W", Times())
        await claim.end('{"result":{}}')
        await queue.put(job(attempt=2), {}, None, 1.0, takes_result=True)
        seen = await queue.look(claim.job_id)
        assert seen is not None and seen.is_over
        await queue.put(job(attempt=2), {}, None, 1.0, takes_result=False)
        seen = await queue.look(claim.job_id)
        assert seen is not None and seen.state == "waiting"

    async def test_a_snapshot_is_small(self, url: str, pool: AsyncConnectionPool):
        claim = await self.claimed(url, pool)
        with pytest.raises(LoopdeskError, match=r"at most 262,144 are kept"):
            await claim.save({"much": "x" * 300_000})

    async def test_all_workers_of_a_job_have_one_reservation(self, url: str, pool: AsyncConnectionPool):
        claim = await self.claimed(url, pool, usd=0.5)
        with JobBooks(url, claim) as books:
            booked = books.reserve(0.3, role="fix", model="m", report_id="R")
            books.book(booked, 0.1, input_tokens=5, output_tokens=6)
            books.reserve(0.2, role="fix", model="m", report_id="R")  # its worker dies now
        again = await Claim.take(pool, claim.job_id, self.ticket(url), "another")
        assert again is not None
        with JobBooks(url, again) as books:
            with pytest.raises(Reached, match=r"is used up: \$0.50"):
                books.reserve(0.21, role="fix", model="m", report_id="R")
            books.reserve(0.2, role="fix", model="m", report_id="R")
        with JobBooks(url, claim) as late, pytest.raises(Reached):
            late.reserve(0.0, role="fix", model="m", report_id="R")
        await again.end('{"held":"not now","retry_at":null}')
        seen = await Queue(url, "W", Times()).look(claim.job_id)
        assert seen is not None
        assert [(one.usd, one.input_tokens, one.is_booked) for one in seen.ledger] == [
            (0.1, 5, True),
            (0.2, 0, False),
            (0.2, 0, False),
        ]


class TestPostgres:
    def test_it_is_prepared_once_and_a_newer_one_is_refused(self, postgres: Cluster):
        url = postgres.database(is_prepared=False)
        prepare(url)
        prepare(url)
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE loopdesk_schema SET version = 99")
        with pytest.raises(LoopdeskError, match="newer loopdesk"):
            prepare(url)

    def test_a_lock_that_was_lost_is_taken_again_or_is_anothers(self, postgres: Cluster):
        url = postgres.database()
        lock, other = EngineLock(url, "W"), EngineLock(url, "W")
        lock.hold()
        EngineLock(url, "another workspace").hold()
        postgres.allow(url, False)
        with pytest.raises(Gone):
            lock.hold()
        postgres.allow(url, True)
        lock.hold()
        with pytest.raises(LoopdeskError, match="Another engine"):
            other.hold()
        lock.release()
        other.hold()
        other.release()

    @pytest.mark.parametrize("url", ["postgresql://me:s3cret%@host/x", "s3cret"])
    def test_an_address_that_is_none_is_not_repeated(self, url: str):
        with pytest.raises(LoopdeskError) as refused:
            check_url(url)
        assert "s3cret" not in str(refused.value)

    def test_a_password_is_never_said(self, tmp_path: Path):
        with pytest.raises(Gone) as gone:
            prepare(f"postgresql://me:s3cret@/x?host={tmp_path}")
        assert "s3cret" not in str(gone.value) and "Postgres does not answer" in str(gone.value)


class TestDecisions:
    def test_a_job_is_wanted_as_long_as_an_attempt_may_follow(self):
        report = Report("R", NOW, NOW, status="candidate", runs=1)
        for state in ("intended", "queued", "running"):
            assert is_wanted(job(state=state), None)
        for state in ("returned", "applied", "cancelled"):
            assert not is_wanted(job(state=state), report)
        failed = job(state="failed", failures=1)
        assert is_wanted(failed, report)
        assert not is_wanted(failed, None)
        assert not is_wanted(failed, replace(report, runs=2))
        assert not is_wanted(failed, replace(report, status="resolved"))
        assert not is_wanted(replace(failed, failures=3), report)

    def test_of_a_proposal_it_is_wanted_while_the_proposal_needs_it(self):
        proposal = Proposal("P", "R", NOW, NOW)
        failed = job(key="fix:P:1", kind="fix", proposal_id="P", state="failed", failures=1)
        assert is_wanted(failed, proposal)
        assert not is_wanted(failed, replace(proposal, builds=2))
        assert not is_wanted(failed, replace(proposal, state="closed"))

    @pytest.mark.parametrize(
        ("seen", "is_so"),
        [
            (Seen("waiting", alive=0), False),
            (Seen("waiting", alive=1), True),
            (Seen("running", alive=0), False),
            (Seen("ended", alive=0, outcome={"result": {}}), True),
            (Seen("ended", alive=1, outcome={"error": "x"}), False),
        ],
    )
    def test_what_was_held_goes_on_once_there_is_a_worker_or_a_result(self, seen: Seen, is_so: bool):
        assert goes_on(seen) is is_so

    def test_what_no_worker_could_look_into_stays_home(self):
        there, here = {"url": "https://github.com/you/loop.git"}, {"url": "/srv/loop"}
        assert not stays_home({"repository": there, "signals": {"a": here}})
        assert not stays_home({"repositories": [there]})
        for brief in ({}, {"repository": here}, {"repositories": []}, {"repositories": [there, here]}):
            assert stays_home(brief)
