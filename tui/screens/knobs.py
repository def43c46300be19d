"""Knobs: flags and what rounds saw of them, experiments, budgets and the kill switch, annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from queries.rest_experiments import DRAFT
from queries.views.experiment import Plan
from queries.views.marks import moments
from tui import knobmemory
from tui import knobview as view
from tui.asker import ANNOTATED, MOST_ANNOTATIONS
from tui.journal import Passing
from tui.knobview import ExperimentRow, KnobState, MarkRow, head
from tui.messages import Arrived, Failed, Told
from tui.screens.knobdeeds import KnobDeeds
from tui.screens.knobmarks import KnobMarks
from tui.screens.knobsections import ALL, ANNOTATIONS, EXPERIMENTS
from tui.screens.sectioned import Sectioned
from tui.sections import Said

if TYPE_CHECKING:
    from queries.rest import Rest

_PARTS = {"Flags": view.FLAGS, EXPERIMENTS: view.EXPERIMENTS, "Budgets": view.FLAGS, ANNOTATIONS: view.ANNOTATIONS}
_STALE_AFTER = timedelta(seconds=60)  # so often at most a PostHog is asked by coming here
_ROUNDS = frozenset(("round_started", "round_scored", "round_kept", "round_reverted", "*"))


class KnobsScreen(KnobDeeds, KnobMarks, Sectioned):
    KEYS = "knobs"
    SECTIONS = ALL

    def __init__(self) -> None:
        super().__init__()
        self.state = KnobState()
        self._asked_at: datetime | None = None
        self._asked_about: object = None
        """What the comparisons that are known, or on their way, are about."""
        self._compared: dict[str, Plan] = {}
        """The plan of each that is known."""
        self._place: object = None
        self._was_asked = False

    def on_mount(self) -> None:
        self.state = KnobState(self.desk.config.knobs, knobmemory.read(self.desk.cache.kept(knobmemory.NAME)))
        super().on_mount()
        if self.is_known():
            self.show_state()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.desk.after_first_paint(self._come)

    def on_unmount(self) -> None:
        self.desk.work.cancel(self)
        if self.desk.knobs is not None:
            self.desk.knobs.cancel(self)

    # When to ask

    def _come(self) -> None:
        """A PostHog is not asked again because a dialog was closed; the workspace's own store is asked for nothing."""
        now = self.desk.now()
        is_local = not self.desk.config.asks_posthog
        if self._asked_at is None or is_local or now - self._asked_at >= _STALE_AFTER:
            self._ask()
        elif self._place != self.desk.place:
            self._ask_for_rounds()

    def _ask(self) -> None:
        if self.desk.knobs is None:
            self.list.empty = "This desk has no way to flags."
            self.list.repaint()
            return
        self._asked_at, self._asked_about = self.desk.now(), None
        self._compared.clear()
        self.ask_for_flags()
        self.ask_for_marks()
        self._ask_for_rounds()

    def ask_for_flags(self) -> None:
        if self.desk.knobs is not None:
            self.desk.knobs.ask(self, view.FLAGS, _flags)
            self.desk.knobs.ask(self, view.EXPERIMENTS, _experiments)

    def ask_for_marks(self) -> None:
        if self.desk.knobs is not None:
            self.desk.knobs.ask(self, view.ANNOTATIONS, _marks)

    def _ask_for_rounds(self) -> None:
        desk, place = self.desk, self.desk.place
        self._place = place

        def seen() -> object:
            from queries import variants

            chosen = desk.asker.choose(place)
            if chosen is None:
                return None
            return desk.asker.answer(lambda backend: variants.seen(backend, chosen.window, place.filters))

        desk.work.load(self, view.SEEN, seen)

    def _compare(self) -> None:
        """Only where it is looked at, and once for the same flags and experiments."""
        desk, now = self.desk, self.desk.now()
        is_told = self.state.part(view.FLAGS).is_known and self.state.part(view.EXPERIMENTS).is_known
        if self.section.name != EXPERIMENTS or not is_told:
            return
        asked = view.questions(self.state, now)
        about = [(name, plan) for name, plan, _ in asked]
        if about == self._asked_about:
            return
        self._asked_about = about
        missing = [(name, plan, span) for name, plan, span in asked if self._compared.get(name) != plan]

        def compared() -> object:
            from queries import variants

            return desk.asker.answer(
                lambda backend: {name: (plan, variants.compared(backend, plan, span)) for name, plan, span in missing}
            )

        desk.work.load(self, view.COMPARED, compared)

    def _ask_around(self, row: MarkRow) -> None:
        desk, mark, now = self.desk, row.mark, self.desk.now()

        others = moments(self.state.part(view.ANNOTATIONS).rows, mark.at)

        def asked() -> object:
            from queries.around import around

            return mark.id, desk.asker.answer(lambda backend: around(backend, mark.at, others, now))

        desk.work.load(self, view.AROUND, asked)

    def moved(self) -> None:
        self._ask_for_rounds()
        self.update_status()

    def on_arrived(self, message: Arrived) -> None:
        if message.events & _ROUNDS:
            self._ask_for_rounds()
        if ANNOTATED in message.events:
            self.ask_for_marks()

    def turned(self) -> None:
        self.show_head()
        self._compare()

    # What comes back

    def on_told(self, message: Told[Any]) -> None:
        if not self._accepts(message):
            return
        job, found, state = message.job, message.found, self.state
        if job in _PARTS.values():
            state = state.answered(job, found, self.desk.now())
        elif job == view.SEEN:
            state = replace(state.with_problem(job), seen=found)
        elif job == view.COMPARED:
            self._compared |= {name: plan for name, (plan, _) in found.items()}
            new = {name: one for name, (_, one) in found.items()}
            state = replace(state.with_problem(job), compared={**state.compared, **new})
        else:
            mark_id, around = found
            state = replace(state.with_problem(job), around={**state.around, mark_id: around})
        self.state_is(state)
        if job == view.ANNOTATIONS:
            self.desk.happened.take(found[:MOST_ANNOTATIONS])  # charts show them from now on
        if job in (view.FLAGS, view.EXPERIMENTS):
            self._compare()
        self._finish()

    def on_failed(self, message: Failed) -> None:
        if not self._accepts(message):
            return
        said = str(message.error)
        if message.job in _PARTS.values():
            is_news = self.state.part(message.job).problem != said
            self.state_is(self.state.failed(message.job, said))
        else:
            is_news = self.state.problems.get(message.job) != said
            self.state_is(self.state.with_problem(message.job, said))
        if is_news:
            self.desk.note(f"{message.job.capitalize()}: {said}")
        self._finish()

    def _accepts(self, message: Told[Any] | Failed) -> bool:
        door: Any = self.desk.knobs if message.job in _PARTS.values() else self.desk.work
        return door is not None and door.accept(self, message)

    def _keep_known(self) -> None:
        desk, kept = self.desk, knobmemory.document(self.state)
        if kept is not None and not desk.is_read_only:
            desk.work.aside(lambda: desk.cache.keep(knobmemory.NAME, kept))

    def _finish(self) -> None:
        is_asking = self.desk.work.pending(self) or (self.desk.knobs is not None and self.desk.knobs.is_asking(self))
        if self._was_asked and not is_asking:
            self._was_asked = False
            # What failed stands where its rows are.
            at = self.desk.clock_time(self.desk.now(), seconds=True)
            self.say("" if self.state.has_problem else f"Asked again at {at}.")
        self.update_status()

    def state_is(self, state: KnobState) -> None:
        if state != self.state:
            is_seen_anew = state.parts != self.state.parts
            self.state = state
            self.show_state()
            if is_seen_anew:
                self._keep_known()

    # What is shown

    def is_known(self) -> bool:
        return self.state.part(_PARTS[self.section.name]).is_known

    def empty(self) -> str:
        part = self.state.part(_PARTS[self.section.name])
        if part.as_of is None:
            return part.problem
        flags = self.state.part(view.FLAGS)
        return flags.problem if flags.as_of is None and self.section.name == EXPERIMENTS else self.section.empty

    def head(self) -> Sequence[Said]:
        return head(self.state, _PARTS[self.section.name], self.desk.clock_time)

    def context(self) -> Sequence[str]:
        seen = self.state.seen
        return self.desk.context(None, seen.window if seen else None)

    # Verbs that change nothing; the others are `KnobDeeds`' and `KnobMarks`'

    def opened(self, row: Any) -> bool:
        if isinstance(row, MarkRow) and row.around is None:
            self._ask_around(row)
        if isinstance(row, ExperimentRow) and row.state != DRAFT and not row.is_asked:
            self.state_is(replace(self.state, chosen=self.state.chosen | {view.name_of(row.key, row.running)}))
            self._compare()
        return False

    def action_window(self) -> None:
        self.desk.choose_window()

    def action_filter(self) -> None:
        self.desk.choose_filter()

    def action_refresh(self) -> None:
        self._was_asked = True
        self.say(Passing("Asking again…"))
        self._ask()


def _flags(rest: Rest) -> object:
    from queries.rest_flags import flags

    return flags(rest)


def _experiments(rest: Rest) -> object:
    from queries.rest_experiments import experiments

    return experiments(rest)


def _marks(rest: Rest) -> object:
    from queries.annotations import on_time_lines

    return on_time_lines(rest)
