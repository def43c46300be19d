"""The screens that a digit calls. All but the first are loaded when they are called: no first paint waits for them."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from tui.screens.morning import MorningScreen


def _rounds() -> Screen:
    from tui.screens.rounds import RoundsScreen

    return RoundsScreen()


def _inbox() -> Screen:
    from tui.screens.inbox import InboxScreen

    return InboxScreen()


def _engine() -> Screen:
    from tui.screens.engine import EngineScreen

    return EngineScreen()


def _knobs() -> Screen:
    from tui.screens.knobs import KnobsScreen

    return KnobsScreen()


def _gallery() -> Screen:
    from tui.screens.gallery import GalleryScreen

    return GalleryScreen()


MODES: dict[str, str | Callable[[], Screen]] = {
    "morning": MorningScreen,
    "rounds": _rounds,
    "inbox": _inbox,
    "engine": _engine,
    "knobs": _knobs,
    "boards": _gallery,
}
