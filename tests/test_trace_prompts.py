"""Prompts and completions of a model call, as `posthog.ai_events` answers them, on the Trace screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import NOW
from tests.desks import desk, screen_text
from tests.test_trace_screen import opened, press
from tests.trace_store import StoreAsker, three_rounds
from tui.screens.trace import TraceScreen


@pytest.fixture
def asker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreAsker]:
    monkeypatch.setattr(TraceScreen, "RESTS_S", 0.0)
    made = StoreAsker(three_rounds(tmp_path / "workspace"))
    yield made
    made.backend.close()


async def test_enter_reads_a_model_call_as_a_conversation(asker: StoreAsker):
    asker.prompts = [('[{"role":"user","content":"What next?"}]', None, '[{"content":"Less."}]', None, None, None)]
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "m")
        assert "Enter reads prompt and completion." in screen_text(app)
        await press(pilot, "enter")
        text = screen_text(app)
        assert "What next?" in text and "Less." in text and "read_file" not in text
        await press(pilot, "escape")
        assert "read_file" in screen_text(app)


async def test_a_prompt_that_was_not_sent_is_said(asker: StoreAsker):
    asker.prompts = []
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "m", "enter")
        assert "No prompt and no completion came with this call" in screen_text(app)


async def test_an_old_prompt_is_said_to_be_forgotten(asker: StoreAsker):
    asker.prompts = []
    app = desk(asker, now=lambda: NOW + timedelta(days=43))
    async with opened(app) as pilot:
        await press(pilot, "m", "enter")
        text = screen_text(app)
    assert "Prompts are kept for 30 days, and this call was 43 days ago" in text


async def test_the_embedded_store_answers_prompts_and_completions(asker: StoreAsker):
    asker.asks_the_store = True
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "m", "enter")
        text = screen_text(app)
    assert "What now?" in text and "A plan." in text


async def test_a_prompt_is_copied_once_it_was_read(asker: StoreAsker, monkeypatch: pytest.MonkeyPatch):
    asker.asks_the_store = True
    copied: list[str] = []
    app = desk(asker)
    monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
    async with opened(app) as pilot:
        await press(pilot, "m", "enter", "y", *"prompt", "enter")
    assert copied == ["user:\nWhat now?\n\nassistant:\nA plan."]
