"""When the rounds of a log happened: commit times, the log's own, and estimates that say so."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from queries.importers import detect
from queries.importers.commits import CommitTimes, StoredEnd, from_repository, instant, moments, parse_commits
from queries.importers.files import LogFile, read
from queries.importers.log import LogRound, ParsedLog
from queries.importers.verdicts import UNSAID
from queries.importers.wanted import Wanted
from workspace.errors import LoopdeskError

LOGS = Path(__file__).parent / "logs"
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)


def parsed(text: str) -> ParsedLog:
    found = detect(LogFile("log", text, NOON)).parse(text, Wanted())
    assert isinstance(found, ParsedLog)
    return found


def fixture(name: str) -> ParsedLog:
    return parsed(read(LOGS / name).text)


def test_a_loop_result_begins_at_its_start_time() -> None:
    placed = moments(fixture("landing-page.json").rounds, None, FIVE, datetime(2026, 5, 4, tzinfo=UTC))
    assert [f"{moment.at:%H:%M}" for moment in placed] == ["21:00", "21:05", "21:10", "21:15", "21:20"]
    assert [moment.estimated for moment in placed] == [False, True, True, True, True]


def test_rounds_between_commits_are_interpolated_and_marked() -> None:
    commits = parse_commits((LOGS / "compressor.commits.tsv").read_text(), "commits")
    placed = moments(fixture("compressor.tsv").rounds, commits, FIVE, NOON)
    assert [f"{moment.at:%H:%M}{'~' * moment.estimated}" for moment in placed] == [
        "09:55~", "10:00", "10:10~", "10:20~", "10:30", "10:40~", "10:50~", "11:00",
    ]  # fmt: skip


def test_rounds_after_the_last_commit_do_not_reach_past_the_end() -> None:
    commits = CommitTimes({"c0ffee1": NOON - timedelta(minutes=6)}, "commits")
    placed = moments(fixture("compressor.tsv").rounds, commits, FIVE, NOON)
    assert [f"{moment.at:%H:%M}" for moment in placed] == [f"11:{minute}" for minute in (49, *range(54, 60))] + [
        "12:00"
    ]


def test_without_any_time_rounds_end_at_the_files_time() -> None:
    placed = moments(fixture("compressor.tsv").rounds, None, timedelta(minutes=10), NOON)
    assert (placed[0].at, placed[-1].at) == (NOON - timedelta(minutes=70), NOON)
    assert all(moment.estimated for moment in placed)


def test_new_rows_of_a_grown_log_come_after_the_stored_ones() -> None:
    stored = StoredEnd(6, NOON - timedelta(minutes=4))
    placed = moments(fixture("compressor.tsv").rounds, None, FIVE, NOON, stored)
    assert [moment.at for moment in placed[6:]] == [NOON - timedelta(minutes=2), NOON]


def test_a_commit_named_by_several_rounds_is_the_time_of_the_first() -> None:
    rounds = [LogRound(row, "", UNSAID, 1.0, commit="c0ffee1") for row in (1, 2)]
    placed = moments(rounds, CommitTimes({"c0ffee1" + "0" * 33: NOON}, ""), FIVE, NOON + timedelta(hours=1))
    assert [(moment.at, moment.estimated) for moment in placed] == [(NOON, False), (NOON + FIVE, True)]


def test_short_and_long_shas_meet_unless_they_are_ambiguous() -> None:
    times = CommitTimes({"abcd111": NOON, "abcd222": NOON, "12345678": NOON}, "")
    assert times.of("ABCD1") and times.of("123456789abc") and times.of("12345678")
    assert times.of("abcd") is None and times.of("baseline") is None and times.of("") is None


def test_a_time_column_of_the_log_itself_is_used() -> None:
    log = parsed("timestamp\tval_loss\tstatus\n2026-05-02 08:00:00\t1.0\tkeep\n2026-05-02T08:07:00+00:00\t0.9\tkeep\n")
    assert [each.at and f"{each.at:%H:%M}" for each in log.rounds] == ["08:00", "08:07"]
    assert instant("1777708800") == instant("1777708800000") == datetime(2026, 5, 2, 8, tzinfo=UTC)
    assert instant("2026-05-02") is None and instant("0001-01-01T00:00:00+14:00") is None and instant("12.5") is None


def test_a_repository_gives_times_of_discarded_commits_and_runs_nothing_of_its_own(tmp_path: Path) -> None:
    repo, trap = tmp_path / "loop", tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

    def git(*words: str, at: str = "2026-05-02T08:00:00Z", text: str = "") -> str:
        dates = {
            "GIT_AUTHOR_DATE": at,
            "GIT_COMMITTER_DATE": at,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            ["git", *words], cwd=tmp_path, env=identity | dates, input=text, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    git("init", "-q", "loop")
    git("-C", "loop", "commit", "-q", "--allow-empty", "-m", "kept")
    kept = git("-C", "loop", "rev-parse", "--short", "HEAD")
    git("-C", "loop", "commit", "-q", "--allow-empty", "-m", "discarded", at="2026-05-02T08:10:00Z")
    discarded = git("-C", "loop", "rev-parse", "--short", "HEAD")
    git("-C", "loop", "reset", "-q", "--hard", "HEAD~1")
    signed = git("-C", "loop", "cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n\n", 1
    )
    git(
        "-C",
        "loop",
        "update-ref",
        "refs/heads/signed",
        git("-C", "loop", "hash-object", "-wt", "commit", "--stdin", text=signed),
    )
    for name in ("core.fsmonitor", "gpg.program", "core.pager", "core.sshCommand", "diff.external"):
        git("-C", "loop", "config", name, str(trap))
    git("-C", "loop", "config", "log.showSignature", "true")

    times = from_repository(repo)
    assert times.of(kept) == datetime(2026, 5, 2, 8, tzinfo=UTC)
    assert times.of(discarded) == datetime(2026, 5, 2, 8, 10, tzinfo=UTC)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(LoopdeskError, match="git could not read"):
        from_repository(tmp_path / "absent")
