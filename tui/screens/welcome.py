"""The first screen of an empty workspace: three ways to see something. It leaves by itself when events arrive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.widget import Widget

from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.widgets.reader import Reader
from tui.widgets.strips import Run

# (text, kind); kinds: title, key, command, text
_WORDS: tuple[tuple[str, str], ...] = (
    ("Good morning. Nothing is stored here yet.", "title"),
    ("", "text"),
    ("See the desk at work", "strong"),
    ("press d, or", "text"),
    ("    loopdesk demo", "command"),
    ("a simulated weekend of three loops, thrown away afterwards", "text"),
    ("", "text"),
    ("Bring in a log that a loop has left", "strong"),
    ("    loopdesk import results.tsv", "command"),
    ("autoresearch tables and gtm-autoresearch loop results", "text"),
    ("", "text"),
    ("Let a loop send its events", "strong"),
    ("    loopdesk serve", "command"),
    ("and start the loop with the two lines that it prints, and its name:", "text"),
    ("    POSTHOG_HOST=...  POSTHOG_API_KEY=...  AUTORESEARCH_PROJECT=my-loop", "command"),
    ("", "text"),
    ("This screen gives way to the morning review as soon as the first event is here.", "dim"),
)


class WelcomeScreen(BaseScreen):
    KEYS = "welcome"
    CSS_PATH = "../styles/welcome.tcss"
    AUTO_FOCUS = "#welcome"

    def content(self) -> Iterable[Widget]:
        yield Reader(id="welcome")

    def on_mount(self) -> None:
        self.query_one(Reader).show(lines(self.desk.palette))

    def context(self) -> Sequence[str]:
        return self.desk.context(None)[-1:]


def lines(palette: Palette) -> list[list[Run]]:
    styles = {
        "title": palette.title,
        "strong": palette.strong,
        "command": palette.accent,
        "text": palette.text,
        "dim": palette.dim,
    }
    return [[(text, styles[kind])] for text, kind in _WORDS]
