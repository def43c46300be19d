"""Slow work: the newest asking wins, errors become words, and nothing but messages comes back."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.message import Message

from tests.desks import Held
from tui.clipboard import copyable, give_to_tmux, is_too_long
from tui.messages import Arrived, Failed, Told
from tui.work import Threads, Watcher, Work
from workspace.errors import LoopdeskError


class Inbox:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def post_message(self, message: Message) -> bool:
        self.messages.append(message)
        return True


def test_an_answer_is_told_and_counts_once():
    inbox, work = Inbox(), Work(lambda run: run())
    work.load(inbox, "funnel", lambda: 42)
    (told,) = inbox.messages
    assert isinstance(told, Told) and told.found == 42
    assert work.pending(inbox) == ("funnel",)
    assert work.accept(inbox, told) and work.pending(inbox) == ()


def test_an_asking_that_was_overtaken_is_not_begun():
    inbox, held = Inbox(), Held()
    work, begun = Work(held), []
    work.load(inbox, "funnel", lambda: begun.append("old"))
    work.load(inbox, "funnel", lambda: begun.append("new"))
    held.run_all()
    assert begun == ["new"]


def test_an_answer_that_was_overtaken_while_it_was_on_its_way_does_not_count():
    inbox, work = Inbox(), Work(lambda run: run())
    work.load(inbox, "funnel", lambda: "old")
    work.load(inbox, "funnel", lambda: "new")
    old, new = inbox.messages
    assert not work.accept(inbox, old)  # type: ignore[arg-type]
    assert work.accept(inbox, new)  # type: ignore[arg-type]


def test_a_screen_that_left_is_told_nothing_and_knows_what_it_missed():
    inbox, held = Inbox(), Held()
    work = Work(held)
    work.load(inbox, "funnel", lambda: 1)
    work.load(inbox, "trend", lambda: 2)
    assert work.cancel(inbox) == ("funnel", "trend")
    held.run_all()
    assert inbox.messages == []


def test_two_screens_may_ask_for_the_same_board():
    one, other, work = Inbox(), Inbox(), Work(lambda run: run())
    work.load(one, "funnel", lambda: 1)
    work.load(other, "funnel", lambda: 2)
    assert work.accept(one, one.messages[0]) and work.accept(other, other.messages[0])  # type: ignore[arg-type]


def test_an_error_for_a_person_is_passed_on():
    inbox, work, error = Inbox(), Work(lambda run: run()), LoopdeskError("The disk is full", do="Free some space")

    def fail() -> None:
        raise error

    work.load(inbox, "funnel", fail)
    (failed,) = inbox.messages
    assert isinstance(failed, Failed) and failed.error is error


def test_a_fault_of_ours_becomes_a_sentence():
    inbox, work = Inbox(), Work(lambda run: run())
    work.load(inbox, "funnel", lambda: 1 // 0)
    (failed,) = inbox.messages
    assert isinstance(failed, Failed)
    assert "ZeroDivisionError" in failed.error.what and "report" in failed.error.do


def test_threads_are_as_few_as_they_were_told_and_do_not_hold_up_the_end():
    threads, done = Threads(2), threading.Semaphore(0)
    for _ in range(5):
        threads.start(done.release)
    assert all(done.acquire(timeout=60) for _ in range(5))
    mine = [thread for thread in threading.enumerate() if thread.name.startswith("loopdesk-work")]
    assert len([thread for thread in mine if thread.is_alive()]) >= 2
    assert all(thread.daemon for thread in mine)


def test_the_watcher_speaks_only_of_news():
    inbox, news = Inbox(), [frozenset({"round_kept"}), frozenset()]
    watcher = Watcher(lambda: news.pop(), inbox)
    watcher.look()
    assert inbox.messages == []
    watcher.look()
    (arrived,) = inbox.messages
    assert isinstance(arrived, Arrived) and arrived.events == {"round_kept"}


def test_a_store_that_cannot_be_read_does_not_stop_the_watcher():
    def fail() -> frozenset[str]:
        raise LoopdeskError("events.db is locked")

    inbox = Inbox()
    Watcher(fail, inbox).look()
    assert inbox.messages == []


def test_news_that_was_not_read_yet_is_not_told_twice():
    assert Arrived(frozenset({"a", "b"})).can_replace(Arrived(frozenset({"a"})))
    assert not Arrived(frozenset({"a"})).can_replace(Arrived(frozenset({"b"})))


def test_tmux_is_given_what_was_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tmux").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/told\ncat > {tmp_path}/copied\n')
    (tmp_path / "tmux").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    give_to_tmux("SELECT 1", {"TMUX": "/tmp/tmux-0/default,1,0"})
    assert (tmp_path / "copied").read_text() == "SELECT 1"
    assert (tmp_path / "told").read_text().split() == ["load-buffer", "-w", "-"]


def test_outside_tmux_nothing_is_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    give_to_tmux("SELECT 1", {})


def test_what_is_copied_can_be_pasted_safely():
    assert copyable("a\tb\x1b[31m\u202e\nc") == "a\tb\nc"
    assert is_too_long("x" * 60_000) and not is_too_long("x" * 50_000)
