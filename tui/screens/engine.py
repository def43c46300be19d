"""Engine: whether it runs and who judges, then its sources, blocked signals, jobs, budgets, memory and decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tui.engineview import EngineState, gather, head
from tui.messages import Failed, Told
from tui.screens.enginedeeds import EngineDeeds
from tui.screens.enginesections import ALL, JOBS
from tui.screens.sectioned import Sectioned
from tui.sections import Said

STATE = "state"
_TALL = 36  # lines from which the head says all it has to say


class EngineScreen(EngineDeeds, Sectioned):
    KEYS = "engine"
    SECTIONS = ALL

    def __init__(self) -> None:
        super().__init__()
        self.state = EngineState()
        self._is_known = False
        self._was_asked = False

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.desk.after_first_paint(self._ask)

    def on_unmount(self) -> None:
        if self.desk.door is not None:
            self.desk.door.cancel(self)

    # What is known

    def _ask(self) -> None:
        desk = self.desk
        if desk.door is None:
            self.list.empty = "This desk has no engine."
            self.list.repaint()
            return
        config, now = desk.config, desk.now()
        desk.door.ask(self, STATE, lambda inbox: gather(inbox, config, now))

    def inbox_moved(self) -> None:
        if self.is_current:
            self._ask()

    def on_told(self, message: Told[Any]) -> None:
        if self.desk.door is None or not self.desk.door.accept(self, message):
            return
        if message.job != STATE:
            self.told_deed(message)
            return
        if self._was_asked:
            self._was_asked = False
            self.say(f"Asked again at {self.desk.clock_time(self.desk.now(), seconds=True)}.")
        is_news = not self._is_known or message.found != self.state
        self.state, self._is_known = message.found, True
        if is_news:
            self.show_state()

    def on_failed(self, message: Failed) -> None:
        if self.desk.door is None or not self.desk.door.accept(self, message):
            return
        self._was_asked = False
        if not self._is_known:
            self.list.empty = str(message.error)
            self.list.repaint()
        self.say(str(message.error))

    def is_known(self) -> bool:
        return self._is_known

    def head(self) -> Sequence[Said]:
        if not self._is_known:
            return ()
        keys = {name: self.desk.keys.key(name, self.KEYS) for name in ("consent", "start-engine")}
        return head(self.state, self.desk.clock_time, keys, is_short=self.size.height < _TALL)

    # Verbs that change nothing; the others are `EngineDeeds`'

    def opened(self, row: Any) -> bool:
        """The report of a job."""
        report_id = row.job.report_id if self.section.name == JOBS else ""
        if report_id:
            self.desk.open_report(report_id)
        return bool(report_id)

    def action_refresh(self) -> None:
        self._was_asked = True
        self._ask()
