"""Two rounds side by side: the one that was open, and the one before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import events
from textual.widget import Widget

from queries import traces
from queries.backend import Backend
from queries.traces import Trace
from queries.views.rounds import Round
from queries.views.trace.compare import Comparison, Moved, Side, compare
from queries.views.trace.export import count, duration
from queries.views.words import money, score, signed
from tui.messages import Failed, Told
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.screens.searching import Searching
from tui.widgets.formats import spelled
from tui.widgets.reader import Reader
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run, clip, said, wrap

RUN, OTHER = "run", "other"


class CompareScreen(Searching, BaseScreen):
    KEYS = "compare"
    CSS_PATH = "../styles/trace.tcss"
    AUTO_FOCUS = "#compared"

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace
        self._mine: Side | None = None
        self._rounds: tuple[Round, ...] = ()
        self._place = -1
        self._comparison: Comparison | None = None

    def content(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield Reader(id="compared")

    def on_mount(self) -> None:
        trace = self._trace

        def ask(backend: Backend) -> tuple[Side, tuple[Round, ...]]:
            return traces.one_side(backend, trace), traces.rounds_of_run(backend, trace)

        self.desk.work.load(self, RUN, lambda: self.desk.asker.answer(ask))
        self._say("Asking…")

    def on_unmount(self) -> None:
        self.desk.work.cancel(self)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show)

    def on_told(self, message: Told) -> None:
        if not self.desk.work.accept(self, message):
            return
        if message.job == RUN:
            self._mine, self._rounds = message.found
            ids = [one.round_id for one in self._rounds]
            self._place = ids.index(self._trace.trace_id) if self._trace.trace_id in ids else -1
            self.action_other(-1)
        else:
            assert self._mine is not None
            self._comparison = compare(message.found, self._mine)
            self._say(self._comparison.verdict)
            self._show()

    def on_failed(self, message: Failed) -> None:
        if self.desk.work.accept(self, message):
            self._say(str(message.error))

    def action_other(self, steps: int) -> None:
        """Compare with another round of the run."""
        place = self._place + steps
        ids = [one.round_id for one in self._rounds]
        if 0 <= place < len(ids) and ids[place] == self._trace.trace_id:
            place += steps
        if not 0 <= place < len(ids):
            sentence = f"There is no round {'after' if steps > 0 else 'before'} it in this run."
            if self._comparison is None:
                self._say(sentence)
            self.say(sentence)
            return
        self._place = place
        desk, other = self.desk, ids[place]

        def ask(backend: Backend) -> Side:
            return traces.one_side(backend, traces.load(backend, traces.find(backend, other, desk.now()), desk.now()))

        desk.work.load(self, OTHER, lambda: desk.asker.answer(ask))

    def search_for(self, text: str, *, filtered: bool) -> None:
        self.query_one("#compared", Reader).search(text, filtered=filtered)

    def action_copy(self) -> None:
        if self._comparison is not None:
            self.say(self.desk.copy(self._comparison.verdict, "the sentence"))

    def _say(self, sentence: str) -> None:
        self.query_one("#title", Line).say("Compare", sentence)
        self.update_status()

    def _show(self) -> None:
        reader = self.query_one("#compared", Reader)
        if self._comparison is not None:
            reader.show(lines(self._comparison, max(20, reader.size.width - 2), self.desk.palette))

    def context(self) -> Sequence[str]:
        return tuple(part for part in (self.desk.label, self.desk.asker.name) if part)


def lines(told: Comparison, width: int, palette: Palette) -> list[list[Run]]:
    """What is compared, the earlier round, the later one, and the change; each as wide as there is room."""
    wide = 22 if width >= 110 else 14
    column = max(12, min(40, (width - wide - 18) // 2))

    def row(name: str, before: str, after: str, change: Run = ("", palette.text)) -> list[Run]:
        cells = [(name, wide, palette.dim), (before, column, palette.text), (after, column, palette.text)]
        found: list[Run] = []
        for text, room, style in cells:
            shown = clip(said(text, palette), room - 2, palette)
            found.append((shown + " " * (room - len(shown)), style))
        return [*found, change]

    first, second = told.before, told.after
    found = [
        [(run[0], palette.strong) for run in row("", f"before {first.round_id}", f"this {second.round_id}")],
        row("outcome", first.outcome, second.outcome),
        row("score", score(first.score), score(second.score), _change(told.score, signed, palette)),
        row("cost", money(first.cost_usd), money(second.cost_usd), _change(told.cost, _money, palette)),
        row("took", _took(first), _took(second), _change(told.duration, _seconds, palette)),
        row("tokens", count(first.tokens) or "–", count(second.tokens) or "–"),
        row("model calls", str(first.calls), str(second.calls)),
        row("rows", str(first.steps), str(second.steps)),
        [],
        [("What was proposed", palette.title)],
    ]
    for name in dict.fromkeys(name for one in (first, second) for name, _ in one.proposed):
        found += _proposed(name, first, second, (wide, column), palette)
    found += [[], [("Dimensions, the largest change first", palette.title)]]
    if not told.dimensions:
        found.append([("Neither round sent any.", palette.dim)])
    for one in told.dimensions:
        found.append(row(one.name, score(one.before), score(one.after), _change(one, signed, palette)))
    return found


def _proposed(name: str, first: Side, second: Side, widths: tuple[int, int], palette: Palette) -> list[list[Run]]:
    wide, column = widths
    texts = [" / ".join(text for key, text in one.proposed if key == name) or "–" for one in (first, second)]
    wrapped = [wrap(said(text, palette), column - 2, 8, palette) for text in texts]
    found: list[list[Run]] = []
    for place in range(max(map(len, wrapped))):
        left, right = (side[place] if place < len(side) else "" for side in wrapped)
        head = (name if not place else "").ljust(wide)
        found.append([(head, palette.dim), (left.ljust(column), palette.text), (right, palette.text)])
    return found


def _change(one: Moved, spell: Callable[[float], str], palette: Palette) -> Run:
    if one.change is None:
        return "", palette.dim
    if not one.change or one.is_same:
        return "same", palette.dim
    text = spell(one.change)
    if one.is_better is None:
        return spelled(text, palette), palette.text
    glyph, word, style = (
        (palette.glyphs.up, "better", palette.good) if one.is_better else (palette.glyphs.down, "worse", palette.bad)
    )
    return spelled(f"{glyph} {text} {word}", palette), style


def _money(change: float) -> str:
    return f"{'−' if change < 0 else '+'}{money(abs(change))}"


def _seconds(change: float) -> str:
    return f"{'−' if change < 0 else '+'}{duration(abs(change))}"


def _took(one: Side) -> str:
    return duration(one.duration_s, moments=True)
