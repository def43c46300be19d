"""The desk: a Textual app that looks at one place (window and filters) through several screens.

It is given all it needs: who answers, what is remembered, the theme, the keys, the clock.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast
from zoneinfo import ZoneInfo

from textual import events
from textual.driver import Driver

from queries import boards
from queries.boards import Answer
from queries.cache import AnswerCache
from queries.views.filters import Filters
from queries.views.timeline import Mark
from queries.views.window import Window
from themes import loader
from tui.asker import ANNOTATED, Asker, Place
from tui.decisions import Decisions
from tui.driver import desk_driver
from tui.happened import Happened
from tui.history import Change
from tui.inboxdoor import InboxDoor
from tui.keymap import Keymap
from tui.left import PLACE, Left
from tui.messages import Arrived
from tui.modes import MODES
from tui.palette import Palette, palette, textual_theme
from tui.screens.base import BaseScreen
from tui.screens.boards import BoardsScreen
from tui.stylesheet import ParsedOnce
from tui.words import change_words, clock_time, place_words, short_time, window_in_short, window_words
from tui.work import Spawn, Threads, Watcher, Work
from workspace.config import Config
from workspace.connection import CURRENT, HOSTS, Connection

if TYPE_CHECKING:
    from queries.morning import Chosen
    from queries.views.drill import Drill
    from tui.knobdoor import KnobDoor
    from tui.posthogdoor import PostHogDoor

HOLDS_AFTER_S = 1.0  # an engine is told that a desk is open once the first figures are there
# What the desk may end with, for the one who opened it to do.
DEMO, EMBEDDED, RECONNECT = "demo", "embedded", "reconnect"


_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Desk(Decisions, inherit_bindings=False):
    TITLE = "loopdesk"
    # Morning's with the app's own: a screen that brings a style sheet makes Textual parse all of them again.
    CSS_PATH: ClassVar = ["styles/desk.tcss", "styles/morning.tcss"]
    MODES: ClassVar = MODES
    DEFAULT_MODE = "morning"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(
        self,
        asker: Asker,
        cache: AnswerCache,
        *,
        place: Place | None = None,
        left: Left | None = None,
        keys: Keymap | None = None,
        theme: loader.Theme | None = None,
        ascii: bool = False,
        zone: str = "UTC",
        label: str = "",
        read_only: bool = False,
        connection: Connection | None = None,
        door: InboxDoor | None = None,
        posthog: PostHogDoor | None = None,
        knobs: KnobDoor | None = None,
        config: Config | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        spawn: Spawn | None = None,
        watch: bool = True,
        painted: Callable[[], None] = lambda: None,
    ) -> None:
        no_color = "NO_COLOR" in os.environ
        theme = loader.load("loopdesk-16") if no_color else theme or loader.load("loopdesk-dark")
        super().__init__(left or Left(), read_only=read_only, ansi_color=theme.is_ansi)
        self.register_theme(textual_theme(theme))
        self.theme = theme.name
        self.stylesheet = ParsedOnce(variables=self.get_css_variables())
        self.animation_level = "none"
        self.palette: Palette = palette(theme, ascii=ascii, no_color=no_color)
        self.asker, self.cache = asker, cache
        self.place = place or self.left.place
        self.chosen: Chosen | None = None
        self._came_from = "morning"
        self.keys = keys or Keymap(read_only=read_only)
        # PostHog answers three questions at once; SQLite's threads only get in each other's way.
        self.work = Work(spawn or Threads(2 if asker.is_embedded else 3).start)
        self.now = now
        self.happened = Happened(cache, None if read_only else self.work.aside)
        self.begin_journal()
        self.begin_decisions(door)
        self.posthog = posthog
        self.knobs = knobs
        self.config = config or Config()
        begins_there = self.left.screen == "inbox"
        self.unseen_since = now() if begins_there else self.left.left_at or _EVER
        """What the engine did from here on, nobody has seen in the inbox."""
        self.arrivals = 0
        self.zone = ZoneInfo(zone)
        self._label = label
        self._connection = connection or Connection(HOSTS[0], CURRENT, "")
        self._answers: dict[tuple[str, Place], Answer] = {}
        self._painted = painted
        self.is_starting = True
        self._waiting: list[Callable[[], object]] = []
        self._watcher = Watcher(asker.arrived, self, *([door.has_moved] if door else [])) if watch else None

    def get_css_variables(self) -> dict[str, str]:
        # Textual's own style sheets name these two, which a theme of terminal colours must bring itself.
        return {"ansi-background": "ansi_default", "ansi-foreground": "ansi_default", **super().get_css_variables()}

    def get_driver_class(self) -> type[Driver]:
        return desk_driver(super().get_driver_class())

    def on_ready(self) -> None:
        """The first layout is done. What the screen has been sent meanwhile comes before the first paint."""
        self.call_later(self.screen.call_later, self._first_paint)

    def _first_paint(self) -> None:
        self.is_starting = False
        if isinstance(self.screen, BaseScreen):
            self.screen.settle()
        self.call_later(self._first_painted)

    def after_first_paint(self, call: Callable[..., object], *arguments: object) -> None:
        if self.is_starting:
            self._waiting.append(partial(call, *arguments))
        else:
            self.call_after_refresh(call, *arguments)

    def _first_painted(self) -> None:
        self._painted()
        for call in self._waiting:
            call()
        self._waiting.clear()
        if self.door is not None:
            self.set_timer(HOLDS_AFTER_S, self.door.hold)
        # Written behind the questions that were just asked: nobody waits for it.
        self.note(f"Opened on {self.asker.name}: {place_words(self.place)}.")

    def on_mount(self) -> None:
        # The terminal forgot the screen while the desk was suspended (ctrl+z, fg).
        self.app_resume_signal.subscribe(self, lambda _: self.screen.refresh())
        if self._watcher:
            self._watcher.start()
        if not self.is_headless and os.name != "nt":
            # A hang-up or a polite kill leaves the terminal as it was found.
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self._leave, 128 + number)

    def _leave(self, code: int) -> None:
        self.exit(return_code=code)

    def on_unmount(self) -> None:
        if self._watcher:
            self._watcher.stop()

    def on_app_focus(self, event: events.AppFocus) -> None:
        self._watch_every(Watcher.FOCUSED_S)

    def on_app_blur(self, event: events.AppBlur) -> None:
        self._watch_every(Watcher.AWAY_S)

    def _watch_every(self, seconds: float) -> None:
        if self._watcher:
            self._watcher.interval_s = seconds

    # What is known

    def known(self, board: str) -> Answer | None:
        """The last answer for this place, from memory or from an earlier day."""
        found = self._answers.get((board, self.place))
        return found or self.cache.load(board, self.place.cache_kind, self.place.filters)

    def keep(self, answer: Answer) -> None:
        place = Place(answer.window.kind, answer.window.run_id, answer.filters)
        self._answers[answer.board, place] = answer
        if not self.is_read_only:
            self.work.aside(lambda: self.cache.save(answer, place.cache_kind))

    def remember(self, name: str, value: object) -> None:
        """For the next time the desk is opened."""
        if not self.is_read_only:
            self.cache.set_state(name, value)

    def changed_boards(self, names: Sequence[str], arrived: frozenset[str]) -> tuple[str, ...]:
        """Those of the boards whose answer these events may change."""
        return tuple(name for name in names if boards.is_changed(name, arrived))

    def on_arrived(self, message: Arrived) -> None:
        from tui.screens.welcome import WelcomeScreen

        self.arrivals += 1
        if isinstance(self.screen, WelcomeScreen):
            self.screen.dismiss()
            return
        is_of_rounds = message.events != {ANNOTATED}
        for screen in reversed(self.screen_stack):
            keys = getattr(screen, "KEYS", "")
            if isinstance(screen, BoardsScreen) or keys == "knobs" or (is_of_rounds and keys == "trace"):
                screen.post_message(Arrived(message.events))
                return

    def nothing_stored(self) -> None:
        """The friendly first screen, over whatever was shown."""
        from tui.screens.welcome import WelcomeScreen

        if not isinstance(self.screen, WelcomeScreen):
            self.push_screen(WelcomeScreen())

    # Where the desk looks

    def look(self, place: Place) -> None:
        """Look at another window or filter, on every screen, and remember it."""
        before = self.place
        if place != before:
            self.did(Change(change_words(before, place), partial(self._look, before), partial(self._look, place)))
            self._look(place)

    def _look(self, place: Place) -> None:
        self.place, self.chosen = place, None
        if not self.is_read_only:
            self.cache.set_state(PLACE, asdict(place))
        if isinstance(self.screen, BaseScreen):
            self.screen.moved()

    def choose_window(self) -> None:
        from tui.screens.chooser import Chooser, window_choices

        choices = partial(window_choices, place=self.place, clock_time=self.clock_time)
        self.push_screen(Chooser("Window", choices), self._look_if_chosen)

    def choose_filter(self) -> None:
        from tui.screens.chooser import Chooser, filter_choices

        choices = partial(filter_choices, place=self.place)
        self.push_screen(Chooser("Project and client", choices), self._look_if_chosen)

    def _look_if_chosen(self, place: Place | None) -> None:
        if place is not None:
            self.look(place)

    # Words

    def clock_time(self, instant: datetime, *, seconds: bool = False) -> str:
        return clock_time(instant, self.now(), self.zone, seconds=seconds)

    def short_time(self, instant: datetime) -> str:
        return short_time(instant, self.now(), self.zone)

    def window_words(self, answer: Answer | None) -> tuple[str, str]:
        """The window's name and times, and a remark where it is not the one that was asked for."""
        window = self.chosen.window if self.chosen else answer.window if answer else None
        note = self.chosen.note if self.chosen else ""
        return window_words(window, self.place.kind, note, self.zone), note

    @property
    def label(self) -> str:
        """What has to be said of the data first: that it is simulated."""
        return self._label

    def context(self, as_of: datetime | None, shown: Window | None = None) -> tuple[str, ...]:
        """For the status line: window, filters, who answers, and how old the oldest answer is."""
        window = self.chosen.window if self.chosen else shown
        parts = (
            self._label,  # first, because the last ones give way: made-up rounds never pass for real ones
            window_in_short(window, self.place.kind, self.zone),
            self.place.filters.said,
            f"as of {self.clock_time(as_of)}" if as_of else "",
            self.asker.name,
            "read-only" if self.is_read_only else "",
        )
        return tuple(part for part in parts if part)

    # Verbs of every screen

    def action_go(self, mode: str, came_from: str = "morning") -> None:
        if mode == "inbox":
            self.unseen_since = self.now()
        self._came_from = came_from
        self.switch_mode(mode)

    def go_back(self) -> None:
        """From a screen with nothing over it: to the one that opened it, or to Morning."""
        self.action_go(self._came_from)

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        screen = self.screen
        if isinstance(screen, BaseScreen):
            self.push_screen(HelpScreen(screen.KEYS, screen.help_topics()))

    def action_palette(self) -> None:
        from tui.screens.chooser import Chooser, verb_choices

        screen = self.screen
        verbs = self.keys.on(getattr(screen, "KEYS", "morning"))
        chooser = Chooser("Commands", lambda _: verb_choices(self.keys, verbs), needs_scope=False)

        def do(action: str | None) -> None:
            if action:
                self.call_later(self.run_action, action, screen)

        self.push_screen(chooser, do)

    async def run_action(self, action: Any, *where: Any, **named: Any) -> bool:
        """A key of a list that is pressed while nothing has the focus, as between two screens, does nothing."""
        if self.focused is None and isinstance(action, str) and action.startswith("focused."):
            return False
        return await super().run_action(action, *where, **named)

    def action_demo(self) -> None:
        if self.is_read_only:
            self.say("Read-only: no demo is written. Run `loopdesk demo` in a terminal.")
        else:
            self.exit(DEMO)

    def action_connect(self) -> None:
        from tui.screens.connect import ConnectScreen

        if self.is_read_only:
            self.say("Read-only: nothing is written, so nothing can be connected.")
        else:
            self.push_screen(ConnectScreen(self._connection))

    def action_embedded(self) -> None:
        """Never by itself: what is stored here may be older or of other loops than what PostHog holds."""
        if self.asker.is_embedded:
            self.say("This is the embedded store already.")
        else:
            self.exit(EMBEDDED)

    def open_connected(self) -> None:
        self.exit(RECONNECT)

    def open_report(self, report_id: str) -> None:
        """The inbox, on this report."""
        from tui.screens.inbox import InboxScreen

        self.left = replace(self.left, report_id=report_id)
        self.action_go("inbox", came_from=self.current_mode)
        if isinstance(self.screen, InboxScreen):
            self.screen.go_to(report_id)

    def open_full(self, board: str) -> None:
        from tui.screens.full import FullScreen

        self.push_screen(FullScreen(board))

    def open_spot(self, target: object, answer: Answer) -> None:
        """What is behind a spot of a picture: of a number its rounds, of a mark what it changed."""
        if isinstance(target, Mark):
            from tui.screens.marked import MarkScreen

            self.push_screen(MarkScreen(target, answer))
        else:
            self.open_behind(cast("Drill", target), answer)

    def open_behind(self, drill: Drill, answer: Answer) -> None:
        """The rounds behind a number of an answer, over what is shown."""
        from tui.screens.behind import BehindScreen

        self.push_screen(BehindScreen(drill, answer.window, answer.filters))

    def open_rounds(self, round_ids: Sequence[str], about: str, near: datetime) -> None:
        """Rounds that somebody named, over what is shown; one alone opens step by step."""
        from queries.views import drill, window
        from tui.screens.behind import BehindScreen

        if len(round_ids) == 1:
            self.open_trace(round_ids[0])
        else:
            self.push_screen(BehindScreen(drill.named(about, round_ids), window.around(near, self.now()), Filters()))

    def open_trace(self, round_id: str, among: Sequence[str] = ()) -> None:
        """A round step by step, over what is shown; `among` are the rounds that `{` and `}` go through."""
        from tui.screens.trace import TraceScreen

        self.push_screen(TraceScreen(round_id, among))
