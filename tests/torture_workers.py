"""`make torture`: an engine and its workers killed at random moments, on a real Postgres; the seed is printed.

Each report's job counts to `UNTIL`, a snapshot for each number. Whatever is killed, every job ends once with a whole
count, nothing is counted over but what a kill cut short, and what was spent is in the books.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import multiprocessing.process
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from tests import inbox_invariants
from tests.engines import Desk
from tests.engines import signal as observed
from tests.postgres import cluster
from tests.workers import DYING, FORKS, STEP_USD, AwayEngine, Process

UNTIL = 20
REPORTS = 12


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture_workers")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="loopdesk-torture-"))
    with cluster() as postgres:
        torture = Torture(folder, postgres.database(), random.Random(seed))
        try:
            for number in range(options.kills):
                torture.kills(number)
            torture.rests()
        finally:
            torture.end()
        torture.check()
    print(
        f"{torture.engines} engines and {torture.machines} workers killed, {torture.inside} of these in a job; "
        f"{torture.reports} jobs: each done once, {torture.over} numbers of {torture.reports * UNTIL} counted over, "
        "nothing paid twice"
    )
    shutil.rmtree(folder)
    return 0


class Torture:
    def __init__(self, folder: Path, url: str, chance: random.Random) -> None:
        self._folder, self._url, self._chance = folder, url, chance
        self._marks = folder / "marks"
        self._marks.touch()
        self._desk = Desk(folder / "w")
        self._began = time.monotonic()
        self._engine = self._an_engine()
        self._workers = [self._a_worker(number) for number in range(2)]
        self.reports = self.engines = self.machines = self.inside = self.over = 0

    def kills(self, number: int) -> None:
        while self.reports < REPORTS * (number // 10 + 1):
            self.reports += 1
            project = f"p{self.reports}"
            self._desk.inbox.add_signal(observed(project, project=project, at=self._desk.now), self._desk.now)
        time.sleep(self._chance.uniform(0.05, 1.5))
        if self._chance.random() < 0.4:
            self._engine.kill()
            self._engine.join()
            self.engines += 1
            self._engine = self._an_engine()
        else:
            victim = self._chance.randrange(2)
            worker = self._workers[victim]
            worker.signal(signal.SIGKILL)
            said = worker.said()
            self.inside += said.count("begun") > said.count("done") + said.count("ended")
            worker.end()
            self.machines += 1
            self._workers[victim] = self._a_worker(2 + number)

    def rests(self) -> None:
        """Left in peace, everything comes to its end."""
        until = time.monotonic() + 120
        while any(one.status != "ready" for one in self._desk.reports()) or self._rows():
            left = [(one.id, one.status, one.hold) for one in self._desk.reports() if one.status != "ready"]
            assert time.monotonic() < until, left
            assert self._engine.is_alive()
            time.sleep(0.2)

    def _rows(self) -> int:
        with psycopg.connect(self._url) as connection:
            found = connection.execute("SELECT count(*) FROM loopdesk_jobs").fetchone()
        return found[0] if found else 0

    def check(self) -> None:
        inbox_invariants.check(self._folder / "w" / "inbox.db")
        counted = collections.Counter(line.partition(" ")[2] for line in self._marks.read_text().splitlines())
        with contextlib.closing(sqlite3.connect(self._folder / "w" / "inbox.db")) as db:
            applied = "SELECT id, json_extract(result, '$.counted') FROM jobs WHERE state = 'applied'"
            spent = "SELECT job_id, total(cost_usd), count(DISTINCT ledger_id), count(*) FROM spend GROUP BY 1"
            jobs, paid = db.execute(applied).fetchall(), db.execute(spent).fetchall()
            open_ = db.execute("SELECT count(*) FROM spend WHERE model = ''").fetchone()[0]
        assert len(jobs) == len(set(jobs)) == self.reports and {number for _, number in jobs} == {UNTIL}
        numbers = [
            counted[f"{report.id} {number}"] for report in self._desk.reports() for number in range(1, UNTIL + 1)
        ]
        assert min(numbers) == 1
        self.over = sum(numbers) - len(numbers)
        assert self.over <= self.machines  # a kill costs one number at most
        assert open_ == 0 and len(paid) == self.reports
        for _, usd, entries, rows in paid:
            assert entries == rows and UNTIL * STEP_USD - 1e-9 <= usd <= 1.0

    def _an_engine(self) -> multiprocessing.process.BaseProcess:
        process = FORKS.Process(target=_engine, args=(self._folder / "w", self._url, str(self._marks), self._began))
        process.start()
        return process

    def _a_worker(self, number: int) -> Process:
        return Process(self._url, self._folder / f"worker{number}.txt")

    def end(self) -> None:
        self._engine.kill()
        self._engine.join()
        for worker in self._workers:
            worker.end()
        self._desk.close()


def _engine(folder: Path, url: str, marks: str, began: float) -> None:
    async def run() -> None:
        desk = Desk(folder)
        away = AwayEngine(desk, url, {"until": UNTIL, "marks": marks, "says_whose": True}, DYING, night_usd=1e3)
        away.began = began
        async with away.running():
            await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
