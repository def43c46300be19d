"""One line about the inbox on a screen that is about something else: what happened since somebody last looked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from textual.strip import Strip
from textual.widget import Widget

from queries.views.words import counted
from tui.messages import Told
from tui.widgets.strips import clip, said, strip

if TYPE_CHECKING:
    from engine.inbox import Digest, Inbox
    from tui.desk import Desk
    from tui.screens.base import BaseScreen
else:
    BaseScreen = object

DIGEST = "digest"


class Digesting(BaseScreen):
    """For a screen with a `DigestLine`. It is asked for after the first paint, away from the screen's
    thread, and again when somebody wrote to the inbox."""

    _digest_said = ""

    def digest_changed(self, has_news: bool) -> None:
        """The line appears, or has nothing to say any more."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        self.desk.after_first_paint(self._ask_digest)

    def inbox_moved(self) -> None:
        if self.is_current:
            self._ask_digest()

    def _ask_digest(self) -> None:
        desk = self.desk
        since = desk.unseen_since
        # Nothing of the engine is loaded where there is no inbox.
        if desk.door is not None and desk.door.workspace.inbox_db.exists():
            desk.door.ask(self, DIGEST, lambda inbox: _asked(inbox, since))

    def on_told(self, message: Told[Any]) -> None:
        door = self.desk.door
        if message.job != DIGEST or door is None or not door.accept(self, message):
            return
        words = digest_words(message.found, self.desk.keys.key("inbox", self.KEYS))
        if words != self._digest_said:
            had, self._digest_said = bool(self._digest_said), words
            self.query_one(DigestLine).say(f"Inbox: {words}" if words else "")
            if had != bool(words):
                self.digest_changed(bool(words))


class DigestLine(Widget, can_focus=False):
    """Blank while there is nothing to say."""

    _said = ""

    def say(self, text: str) -> None:
        self._said = text
        self.refresh()

    def render_line(self, y: int) -> Strip:
        palette, width = cast("Desk", self.app).palette, self.size.width
        text = clip(said(self._said, palette), width - 2, palette)
        return strip([("  ", palette.text), (text, palette.text)], width).apply_style(self.rich_style)


def _asked(inbox: Inbox, since: datetime) -> Digest:
    return inbox.digest(since)


def digest_words(digest: Digest, key: str) -> str:
    """`3 new, 1 changed, 1 signal blocked, 2 held; 3 opens it.` Empty where nothing happened; `key` may be."""
    held = f"{digest.held:,} held" if digest.blocked else f"{counted(digest.held, 'signal')} held"
    parts = (
        (len(digest.new), f"{len(digest.new):,} new"),
        (len(digest.changed), f"{len(digest.changed):,} changed"),
        (len(digest.measured), f"{len(digest.measured):,} measured"),
        (digest.blocked, f"{counted(digest.blocked, 'signal')} blocked"),
        (digest.held, held),
    )
    told = ", ".join(words for number, words in parts if number)
    return f"{told}; {key} opens it." if told and key else f"{told}." if told else ""
