"""What every screen shares: keys from the table, a status line, and little to repaint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.reactive import Reactive
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui.journal import Passing
from tui.strokes import typed
from tui.widgets.statusbar import StatusBar
from tui.widgets.strips import said, strip, wrap

if TYPE_CHECKING:
    from tui.desk import Desk
    from tui.help_texts import HelpText
    from tui.inboxdoor import Deed

MEDIUM, WIDE = 90, 140  # columns from which two and three panes stand side by side
SETTLES_S = 0.03  # what Textual sends a screen that comes up arrives within this time
SMALLEST = (50, 12)  # columns, lines
TOO_SMALL = "loopdesk needs a little more room: at least 50 columns and 12 lines."


class BaseScreen(Screen, inherit_bindings=False):
    """Obeys the keys of its own row in `verbs.REACHABLE`."""

    # Textual repaints the whole screen when this changes; the widgets that gain and lose focus repaint themselves.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    KEYS: ClassVar[str] = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MEDIUM, "-medium"), (WIDE, "-wide")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._typed: tuple[str, ...] = ()
        self._message = ""
        self._left_focus: Widget | None = None
        self._is_settled = self._was_seen = False

    @property
    def desk(self) -> Desk:
        return cast("Desk", self.app)

    # A screen that comes up is laid out several times; Textual would paint it as often. It counts as seen by nobody
    # until what it was sent on coming up is worked off, and is then painted once.

    @property
    def is_current(self) -> bool:
        return self._is_settled and super().is_current

    def settle(self) -> None:
        """Paint, and from now on."""
        if self._is_settled:
            return
        self._is_settled = True
        if self._was_seen:
            self.refresh()
        else:
            self._was_seen = True
            self._repaint_required, self._layout_required = False, True  # the first layout paints all
            self._on_timer_update()  # now: Textual's timer would first let a sixtieth of a second pass

    def on_screen_suspend(self) -> None:
        self._is_settled = super().is_current  # under a dialog it is still seen

    def compose(self) -> ComposeResult:
        yield from self.content()
        yield StatusBar()
        yield TooSmall()

    def content(self) -> Iterable[Widget]:
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        if not self.desk.is_starting:
            self._is_settled = False
            self.set_timer(SETTLES_S, self.settle)
        self.update_status()

    def on_resize(self, event: events.Resize) -> None:
        is_small = event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1]
        if is_small == self.has_class("-too-small"):
            return
        if is_small:
            self._left_focus = self.focused  # what is hidden loses it
        self.set_class(is_small, "-too-small")
        if not is_small:
            self.call_after_refresh(self.set_focus, self._left_focus)

    # Keys

    async def on_key(self, event: events.Key) -> None:
        if self.app.screen is not self:
            # Typed faster than the screen that the key before it called came up: it is meant for that one.
            event.stop()
            self.app.post_message(events.Key(event.key, event.character))
            return
        key = typed(event.key, event.character)
        if self.capture(key, event.character):
            event.stop()
            return
        if self._message:
            self._message = ""
            self.call_after_refresh(self.update_status)  # what the key says may stand there by then
        found = self.desk.keys.press(self.KEYS, (*self._typed, key))
        if found is False and self._typed:
            self._typed = ()
            found = self.desk.keys.press(self.KEYS, (key,))
        self._typed = (*self._typed, key) if found is True else ()
        if found:
            event.stop()
        elif not self._typed and (refused := self.desk.keys.refused(self.KEYS, (key,))):
            self.say(f"Read-only: “{refused.help}” could change something, and is not offered.")
        if found and found is not True:
            await self.app.run_action(found.action, self)

    def capture(self, key: str, character: str | None) -> bool:
        """A screen that waits for a particular key takes it here, before the table is asked."""
        return False

    def action_back(self) -> None:
        """A screen that was opened on another one closes; one that was not stays."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()

    # Status line

    def context(self) -> Sequence[str]:
        """Where we are, in words, the most important first."""
        return ()

    def hints(self) -> Sequence[tuple[str, str]]:
        """Keys and their words, the one that is longest wanted last."""
        return self.desk.keys.hints(self.KEYS)

    def say(self, message: str) -> None:
        """A message in the status line, until the next key; in the journal for longer."""
        if message != self._message:
            self._message = message
            self.update_status()
            if message and not isinstance(message, Passing):
                self.desk.note(message)

    def help_topics(self) -> Sequence[str | HelpText]:
        """Texts, or keys of `tui.help_texts.TEXTS`: of the part in focus, then of the screen."""
        part = f"{self.KEYS}.{self.focused.id}" if self.focused else ""
        return (part, self.KEYS)

    LONG_TEXT_SUFFIX: ClassVar[str] = ".txt"

    def long_text(self) -> str | None:
        """What is worth reading in an editor; None where nothing is."""
        return None

    def left(self) -> dict[str, str]:
        """What the next desk begins with: fields of `tui.left.Left`."""
        return {}

    def noted(self) -> None:
        """The journal has a new line."""

    def moved(self) -> None:
        """The desk looks at another window or filter."""

    def inbox_moved(self) -> None:
        """Somebody has written to the inbox; a screen that shows it asks again."""

    def decided(self, deed: Deed) -> None:
        """What was decided, here or on the screen above, is in the inbox."""

    def taken_back(self, deed: Deed) -> None:
        """What was decided was undone, or its inverse was sent."""

    def update_status(self) -> None:
        if self.is_mounted:
            keys = self.desk.keys
            kept = self._message and not isinstance(self._message, Passing)
            journal = keys.key("journal", self.KEYS) if kept else ""
            self.query_one(StatusBar).say(self.context(), self.hints(), self._message, journal)


class TooSmall(Widget, can_focus=False):
    """One sentence in place of a screen that has no room."""

    def render_line(self, y: int) -> Strip:
        palette = cast("Desk", self.app).palette
        width = max(1, self.size.width)
        lines = wrap(said(TOO_SMALL, palette), width, self.size.height, palette)
        text = lines[y] if y < len(lines) else ""
        return strip([(text, palette.text)], width).apply_style(self.rich_style)
