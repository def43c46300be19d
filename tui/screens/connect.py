"""Connecting PostHog: host, project and personal key are asked for, tried, and only then written to the config file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from textual import events
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from tui.messages import Failed, Told
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.widgets.filterbar import Prompt
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run, said, strip, wrap
from workspace.connection import CURRENT, HOSTS, Connection, checked
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from tui.connecting import Connected
    from tui.desk import Desk

_LABEL = 14  # cells


@dataclass(slots=True)
class Field:
    """One line to fill in. What is secret is drawn as dots."""

    name: str
    hint: str
    prompt: Prompt = field(default_factory=Prompt)
    is_secret: bool = False


class ConnectScreen(BaseScreen, ModalScreen):
    KEYS = "form"
    CSS_PATH = "../styles/connect.tcss"
    AUTO_FOCUS = "#form"

    def __init__(self, known: Connection) -> None:
        super().__init__()
        project = "" if known.project_id == CURRENT else known.project_id
        self.fields = (
            Field(
                "Host",
                f"{HOSTS[0]}, {HOSTS[1]}, or the address of your own. ctrl+u empties the line.",
                Prompt(known.host),
            ),
            Field("Project", "Its number, from the project's settings. Empty is the key's own.", Prompt(project)),
            Field(
                "Personal key",
                "phx_..., made under Settings > Personal API keys with the scope query:read.",
                Prompt(known.personal_key),
                is_secret=True,
            ),
        )
        self.at = next((n for n, each in enumerate(self.fields) if not each.prompt.text and n != 1), 0)
        self.problem: LoopdeskError | None = None
        self.connected: Connected | None = None
        self.is_trying = False

    def content(self) -> Iterable[Widget]:
        with Vertical(id="dialog"):
            yield Line(id="title")
            yield Form(id="form")

    def on_mount(self) -> None:
        self.query_one("#title", Line).say("Connect PostHog", "Its project is asked; what is stored here stays here.")

    def on_unmount(self) -> None:
        self.desk.work.cancel(self)

    def capture(self, key: str, character: str | None) -> bool:
        if self.connected or not self.fields[self.at].prompt.press(key, character):
            return False
        self._changed()
        return True

    def on_paste(self, event: events.Paste) -> None:
        if not self.connected:
            self.fields[self.at].prompt.insert(event.text.strip())
            self._changed()

    def _changed(self) -> None:
        """What is being tried is no longer what stands here."""
        self.desk.work.cancel(self)
        self.is_trying, self.problem = False, None
        self.query_one(Form).refresh()

    def action_move(self, step: int) -> None:
        self.at = (self.at + step) % len(self.fields)
        self.query_one(Form).refresh()

    def action_submit(self) -> None:
        """To the next empty field, then try; once it is connected, open the desk on it."""
        if self.connected:
            self.desk.open_connected()
            return
        if self.at < len(self.fields) - 1:
            self.action_move(1)
            return
        host, project, key = (each.prompt.text for each in self.fields)
        try:
            made = checked(host, project, key)
        except LoopdeskError as error:
            self._show(error)
            return
        self.is_trying, self.problem = True, None
        self.query_one(Form).refresh()
        self.desk.work.load(self, "connect", lambda: _connect(made, self.desk.zone.key))

    def on_told(self, message: Told) -> None:
        if self.desk.work.accept(self, message):
            self.is_trying, self.connected = False, cast("Connected", message.found)
            self.desk.note(" ".join(("Connected.", *self.connected.sentences)))
            self.query_one(Form).refresh()

    def on_failed(self, message: Failed) -> None:
        if self.desk.work.accept(self, message):
            self.desk.note(f"Not connected: {message.error}")
            self._show(message.error)

    def _show(self, problem: LoopdeskError) -> None:
        self.is_trying, self.problem = False, problem
        self.query_one(Form).refresh()


def _connect(made: Connection, zone: str) -> Connected:
    from tui.connecting import connect  # with it comes the HTTP client

    return connect(made, zone)


class Form(Widget, can_focus=True):
    """The fields, the hint of the one that is written in, and what came of trying."""

    def render_line(self, y: int) -> Strip:
        screen, palette = cast(ConnectScreen, self.screen), cast("Desk", self.app).palette
        lines = form_lines(screen, palette, self.size.width)
        return strip(lines[y] if y < len(lines) else [], self.size.width).apply_style(self.rich_style)


def form_lines(screen: ConnectScreen, palette: Palette, width: int) -> list[list[Run]]:
    lines: list[list[Run]] = []
    for place, each in enumerate(screen.fields):
        is_here = place == screen.at and not screen.connected
        mark = (">" if palette.ascii else "▸") if is_here else " "
        dot = "*" if palette.ascii else "•"
        text = dot * len(each.prompt.text) if each.is_secret else said(each.prompt.text, palette)
        room = width - _LABEL - 4
        text = text[-room:] + ("_" if is_here else "")
        name_style = palette.strong if is_here else palette.text
        lines.append([(f"{mark} ", palette.focus), (f"{each.name:<{_LABEL}}", name_style), (text, palette.accent)])
    lines.append([])
    for text, style in _told(screen, palette):
        lines += [[("  ", palette.text), (line, style)] for line in wrap(said(text, palette), width - 3, 6, palette)]
    return lines


def _told(screen: ConnectScreen, palette: Palette) -> Sequence[Run]:
    if screen.is_trying:
        return [("Asking PostHog" + palette.glyphs.ellipsis, palette.dim)]
    if screen.problem:
        parts = (screen.problem.what, screen.problem.means, screen.problem.do)
        styles = (palette.warn, palette.text, palette.text)
        return [(text, style) for text, style in zip(parts, styles, strict=True) if text]
    if screen.connected:
        told: list[Run] = [(text, palette.text) for text in screen.connected.sentences]
        return [*told, ("Enter opens the desk on it.", palette.strong)]
    return [(screen.fields[screen.at].hint, palette.dim)]
