"""`loopdesk import` as a person runs it: what it says, what it stores, and what it leaves alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from queries.importers.ledger import AT_ONCE
from queries.local.store import Ingested, Store
from tui.main import main
from workspace.errors import LoopdeskError

LOGS = Path(__file__).parent / "logs"
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
HEADER = "commit\tval_loss\tmemory_gb\tstatus\tdescription\n"


class Desk:
    """The real command in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.log = folder / "results.tsv"
        self.log.write_text((LOGS / "compressor.tsv").read_text())
        self.at(NOON)

    def at(self, time: datetime) -> None:
        os.utime(self.log, (time.timestamp(), time.timestamp()))

    def run(self, *words: object) -> tuple[int, str, str]:
        code = main(["import", "--workspace", str(self.folder / "data"), *map(str, words)])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def imported(self, *words: object) -> dict[str, Any]:
        code, out, err = self.run("--json", *words)
        assert (code, err) == (0, "")
        return json.loads(out)["files"][0]

    def stored(self, sql: str) -> list[tuple[Any, ...]]:
        store = Store.open(self.folder / "data" / "events.db", read_only=True)
        try:
            return store.connection.execute(sql).fetchall()
        finally:
            store.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LOOPDESK_TIMEZONE", "UTC")
    monkeypatch.chdir(tmp_path)
    yield Desk(tmp_path, capsys)


def test_an_import_says_what_it_understood(desk: Desk) -> None:
    code, out, err = desk.run(desk.log, "--commits", LOGS / "compressor.commits.tsv")
    assert (code, err) == (0, "")
    for part in (
        'lower is better (from "loss" in its name)',
        "4 kept, 3 discarded, 1 crashed",
        "1.36 in row 8 (f00d888, block splitting); the first was 1.5",
        "3 from the commits in compressor.commits.tsv, 5 estimated",
        "2026-05-02 09:55 to 2026-05-02 11:00 UTC",
        "8 rounds (23 events) as autoresearch/internal/results.tsv",
    ):
        assert part in out


def test_a_log_is_stored_once(desk: Desk) -> None:
    assert desk.imported(desk.log)["stored_events"] == 23
    again = desk.imported(desk.log)
    assert (again["stored_rounds"], again["known_rounds"], again["stored_events"]) == (0, 8, 0)
    assert desk.stored("SELECT count(*) FROM events") == [(23,)]
    assert desk.stored("SELECT count(DISTINCT p_round_id), count(DISTINCT p_run_id) FROM events") == [(8, 1)]


def test_a_grown_log_adds_only_its_new_rows(desk: Desk) -> None:
    desk.imported(desk.log)
    with desk.log.open("a") as log:
        log.write("ab1e001\t1.350000\t2.5\tkeep\tlonger window\nab1e002\t1.4\t2.5\tdisc")
    grown = desk.imported(desk.log)
    assert (grown["stored_rounds"], grown["known_rounds"], grown["stored_events"], grown["edited"]) == (1, 8, 3, [])
    assert desk.stored("SELECT p_delta FROM events WHERE event = 'round_kept' AND p_delta > -0.02") == [
        (pytest.approx(-0.01),)
    ]
    # The loop ends the line it was writing.
    with desk.log.open("a") as log:
        log.write("ard\tsmaller window\n")
    assert desk.imported(desk.log)["stored_rounds"] == 1


def test_new_rows_with_estimated_times_stand_after_the_stored_ones(desk: Desk) -> None:
    desk.imported(desk.log)
    with desk.log.open("a") as log:
        log.write("ab1e001\t1.35\t2.5\tkeep\tlonger window\nab1e002\t1.4\t2.5\tdiscard\tsmaller window\n")
    desk.at(NOON + timedelta(minutes=4))
    desk.imported(desk.log)
    starts = desk.stored("SELECT timestamp FROM events WHERE event = 'round_started' ORDER BY timestamp DESC LIMIT 3")
    minutes = [(micros / 1e6 - NOON.timestamp()) / 60 for (micros,) in starts]
    assert minutes == [4, pytest.approx(2, abs=0.001), 0]


def test_an_edited_row_is_told_and_not_stored(desk: Desk) -> None:
    desk.imported(desk.log)
    desk.log.write_text(desk.log.read_text().replace("1.390000", "1.290000").replace("longer chains", "long chains"))
    edited = desk.imported(desk.log)
    assert [(row["row"], row["place"]) for row in edited["edited"]] == [(5, "line 6"), (6, "line 7")]
    assert (edited["stored_rounds"], edited["known_rounds"]) == (0, 6)
    assert desk.stored("SELECT p_score FROM events WHERE event = 'round_scored' AND p_score < 1.36") == []
    assert "line 6: its score, status or another column changed" in desk.run(desk.log)[1]


def test_replace_imports_a_log_afresh_and_touches_no_other(desk: Desk) -> None:
    desk.imported(desk.log)
    desk.imported(desk.log, "--run", "other night")
    lines = desk.log.read_text().splitlines(keepends=True)
    desk.log.write_text("".join(lines[:6]).replace("1.390000", "1.290000"))
    assert desk.imported(desk.log)["gone_rows"] == 3
    afresh = desk.imported(desk.log, "--replace")
    assert (afresh["replaced_events"], afresh["stored_events"], afresh["edited"]) == (23, 5 + 4 + 5, [])
    assert desk.stored("SELECT count(*) FROM events") == [(23 + 14,)]
    assert desk.stored("SELECT count(*) FROM bodies") == [(23 + 14,)]
    assert desk.stored("SELECT log, count(*) FROM imported_rows GROUP BY log") == [
        ("autoresearch/internal/other night", 8), ("autoresearch/internal/results.tsv", 5),
    ]  # fmt: skip
    assert desk.stored("SELECT min(p_score) FROM events WHERE event = 'round_scored'") == [(1.29,)]
    assert desk.imported(desk.log)["known_rounds"] == 5


def test_another_log_of_the_same_name_is_refused_and_needs_a_name(desk: Desk) -> None:
    desk.imported(desk.log)
    desk.log.write_text(HEADER + "".join(f"abc{row}\t2.{row}\t1\tkeep\tother {row}\n" for row in range(9)))
    code, out, err = desk.run(desk.log)
    assert (code, out) == (1, "") and "--run NAME" in err and err.count("\n") == 1
    assert desk.imported(desk.log, "--run", "second")["stored_rounds"] == 9


def test_the_same_log_read_with_another_goal_is_refused_until_replaced(desk: Desk) -> None:
    desk.imported(desk.log)
    assert "--replace" in desk.run(desk.log, "--goal", "max")[2]
    assert desk.imported(desk.log, "--goal", "max", "--replace")["best"]["score"] == 1.5
    assert desk.stored("SELECT DISTINCT p_score_goal FROM events WHERE event = 'round_scored'") == [("max",)]


def test_project_client_and_run_can_be_said(desk: Desk) -> None:
    said = desk.imported(desk.log, "--project", "zip", "--client", "acme", "--run", "night 1")
    assert (said["project"], said["client"], said["log"]) == ("zip", "acme", "night 1")
    assert desk.stored("SELECT DISTINCT p_project, p_client, distinct_id FROM events") == [
        ("zip", "acme", "zip:acme:loop")
    ]


def test_a_loop_result_brings_its_client_and_dimensions(desk: Desk) -> None:
    result = desk.imported(LOGS / "landing-page.json")
    assert (result["project"], result["client"], result["stored_events"]) == ("gtm-autoresearch", "acme-shoes", 13)
    assert desk.stored("SELECT dim, count(*) FROM dims GROUP BY dim") == [("dim_recall", 3), ("dim_toneOfVoice", 3)]
    assert desk.imported(LOGS / "landing-page.json", "--metric", "recall", "--run", "b")["first_score"] == 1.0


def test_spooled_events_are_stored_as_sent_and_once(desk: Desk) -> None:
    spool = desk.folder / "spool.jsonl"
    whole = (LOGS / "spool.jsonl").read_text()
    spool.write_text(whole + '{"event": "round_st')
    first, again = desk.imported(spool), desk.imported(spool)
    assert (first["format"], first["stored_events"], again["stored_events"], again["known_events"]) == (
        "spool",
        3,
        0,
        3,
    )
    assert "cut short" in first["problems"][0]["text"]
    assert desk.stored("SELECT event, p_project FROM events ORDER BY timestamp") == [
        ("round_started", "autoagent"), ("round_scored", "autoagent"), ("round_kept", "autoagent"),
    ]  # fmt: skip
    sent = [json.loads(line) for line in whole.splitlines()]
    kept = desk.stored("SELECT uuid, properties FROM bodies ORDER BY uuid")
    assert [(uuid, json.loads(text)) for uuid, text in kept] == [(each["uuid"], each["properties"]) for each in sent]


def test_one_bad_file_of_several_keeps_only_itself_out(desk: Desk) -> None:
    bad = desk.folder / "bad.tsv"
    bad.write_bytes(b"\0\1\2\3" * 50)
    code, out, err = desk.run("--json", bad, desk.log)
    document = json.loads(out)
    assert code == 1 and document["failed"] == 1 and document["stored_events"] == 23
    assert "bad.tsv was not imported: It holds binary data" in err and err.count("\n") == 1


def test_a_refused_file_leaves_no_trace(desk: Desk) -> None:
    desk.log.write_text("not, a log\n")
    assert desk.run(desk.log)[0] == 1
    assert not (desk.folder / "data").exists()


def test_two_files_that_would_be_one_log_are_not_mixed(desk: Desk) -> None:
    other = desk.folder / "b" / "results.tsv"
    other.parent.mkdir()
    other.write_text(desk.log.read_text())
    code, _, err = desk.run(desk.log, other)
    assert code == 1 and "--run NAME" in err
    assert desk.run(desk.log, other, "--run", "x")[0] == 1


def test_an_import_that_fails_midway_stores_nothing_of_the_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.imported(desk.log)
    desk.log.write_text(desk.log.read_text() + "ab1e001\t1.3\t2.5\tkeep\tlast\n")

    def full(*_: object, **__: object) -> Ingested:
        raise LoopdeskError("The disk is full")

    monkeypatch.setattr(Store, "ingest", full)
    code, _, err = desk.run(desk.log, "--replace")
    assert code == 1 and "The disk is full" in err
    assert desk.stored("SELECT count(*) FROM events") == [(23,)]
    assert desk.stored("SELECT count(*) FROM imported_rows") == [(8,)]


def test_a_long_log_is_stored_in_parts_and_goes_on_where_it_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = AT_ONCE + 5
    desk.log.write_text(HEADER + "".join(f"{row:07x}\t{9 - row / rows}\t1\tkeep\trow {row}\n" for row in range(rows)))
    whole, calls = Store.ingest, []

    def full_later(self: Store, events: list, **named: Any) -> Ingested:
        calls.append(len(events))
        if len(calls) == 2:
            raise LoopdeskError("The disk is full", do="Free some space")
        return whole(self, events, **named)

    with monkeypatch.context() as disk:
        disk.setattr(Store, "ingest", full_later)
        code, _, err = desk.run(desk.log)
    assert code == 1
    assert "The disk is full. 2,000 rows before it were stored. Free some space, and import it again" in err
    assert desk.stored("SELECT count(*) FROM imported_rows") == [(AT_ONCE,)]
    again = desk.imported(desk.log)
    assert (again["stored_rounds"], again["known_rounds"]) == (5, AT_ONCE)
    assert desk.stored("SELECT count(DISTINCT p_round_id) FROM events") == [(rows,)]


def test_escape_sequences_of_a_log_never_reach_the_terminal(desk: Desk) -> None:
    desk.log.write_text(HEADER + "aaaa\t1.0\t1\tkeep\t\x1b]0;owned\x07best\x1b[2J\nbbbb\t\x1b[31mbad\t1\tkeep\tx\n")
    code, out, _ = desk.run(desk.log)
    assert code == 0 and "best" in out and "\x1b" not in out and "\x07" not in out
