"""A fix as its owner meets it at the desk: what the engine has built is looked at and merged, with nothing between."""
# ruff: noqa: F811

from __future__ import annotations

import asyncio

import pytest

from tests import inboxes
from tests.fixes import RIGHT, writes
from tests.repositories import Repo
from tests.test_fix_local import Made, loop, repo, sandbox  # noqa: F401
from tests.test_inbox_screen import opened, press, words
from tui.screens.inbox import InboxScreen

REVIEW = {"summary": "Fine.", "points": [{"path": "calc.py", "line": 2, "text": "Why not sum()?", "must": False}]}


def test_a_green_fix_is_looked_at_and_merged(loop: Made, repo: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(InboxScreen, "RESTS_S", 0.0)
    made = loop(writes(RIGHT), reviews=[REVIEW])
    green = made.has("green")

    async def at_the_desk() -> None:
        app = inboxes.desk(made.workspace, now=lambda: made.now)
        async with opened(app) as pilot:
            await press(pilot, "D")
            text = words(app)
            assert "- return a - b" in text and "+ return a + b" in text and "Review: Why not sum()?" in text
            await press(pilot, "a", "enter")

    asyncio.run(at_the_desk())
    made.later(seconds=11)
    made.turn()
    assert made.has("merged").head_sha == green.head_sha
    assert repo.show("main", "calc.py") == RIGHT.strip()
