"""The first screen of an empty workspace: four ways to see something. It leaves by itself when events arrive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from textual.widget import Widget

from tui.keymap import Keymap
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.widgets.reader import Reader
from tui.widgets.strips import Run

Words = tuple[tuple[str, str], ...]
"""(text, kind); kinds: title, strong, command, text, dim."""

_DEMO: Words = (
    ("    loopdesk demo", "command"),
    ("or press {demo}: a simulated weekend of three loops, thrown away afterwards", "text"),
)

_NOTHING_STORED: Words = (
    ("Good morning. Nothing is stored here yet.", "title"),
    ("", "text"),
    ("See the desk at work", "strong"),
    *_DEMO,
    ("", "text"),
    ("Ask your PostHog project, where the loops already send their rounds", "strong"),
    ("    loopdesk connect", "command"),
    ("or press {connect}: it asks for host, project and personal key, and tries them", "text"),
    ("", "text"),
    ("Bring in a log that a loop has left", "strong"),
    ("    loopdesk import results.tsv", "command"),
    ("autoresearch tables and gtm-autoresearch loop results", "text"),
    ("", "text"),
    ("Let a loop send its events here", "strong"),
    ("    loopdesk serve", "command"),
    ("and start the loop with the two lines that it prints, and its name:", "text"),
    ("    POSTHOG_HOST=...  POSTHOG_API_KEY=...  AUTORESEARCH_PROJECT=my-loop", "command"),
    ("", "text"),
    ("This screen gives way to the morning review as soon as the first event is here.", "dim"),
)

_NO_ROUNDS: Words = (
    ("Good morning. PostHog answers, but has no round of the last year.", "title"),
    ("", "text"),
    ("Is it the right project?", "strong"),
    ("    loopdesk doctor", "command"),
    ("says what is configured and allowed; press {connect} for another host, project or key", "text"),
    ("", "text"),
    ("Do the loops send to it?", "strong"),
    ("They need its project key, and a name:", "text"),
    ("    POSTHOG_HOST=...  POSTHOG_API_KEY=...  AUTORESEARCH_PROJECT=my-loop", "command"),
    ("", "text"),
    ("See the desk at work meanwhile", "strong"),
    *_DEMO,
)


class WelcomeScreen(BaseScreen):
    KEYS = "welcome"
    CSS_PATH = "../styles/welcome.tcss"
    AUTO_FOCUS = "#welcome"
    _arrivals = 0

    def content(self) -> Iterable[Widget]:
        yield Reader(id="welcome")

    def on_mount(self) -> None:
        words = _NOTHING_STORED if self.desk.asker.is_embedded else _NO_ROUNDS
        self.query_one(Reader).show(lines(words, self.desk.keys, self.desk.palette))

        self._arrivals = self.desk.arrivals

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.is_mounted and self.desk.arrivals != self._arrivals:
            self.dismiss()  # something came while another screen was looked at

    def context(self) -> Sequence[str]:
        return self.desk.context(None)[-1:]


def lines(words: Words, keys: Keymap, palette: Palette) -> list[list[Run]]:
    """The words with the keys that are bound; what has none is not offered."""
    styles = {
        "title": palette.title,
        "strong": palette.strong,
        "command": palette.accent,
        "text": palette.text,
        "dim": palette.dim,
    }
    return [[(_with_keys(text, keys), styles[kind])] for text, kind in words]


def _with_keys(text: str, keys: Keymap) -> str:
    for verb in ("demo", "connect"):
        if key := keys.key(verb, "welcome"):
            text = text.replace(f"{{{verb}}}", key)
        else:
            text = re.sub(rf"or press {{{verb}}}: |; press {{{verb}}} .*", "", text)
    return text
