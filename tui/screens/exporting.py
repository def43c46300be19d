"""Writing what is shown to a file: the format is chosen, the file is new, and its path is said."""

from __future__ import annotations

from pathlib import Path

from tui.messages import Failed, Told
from tui.screens.boards import BoardsScreen
from tui.sheets import Sheet

EXPORT = "export"


class Exporting(BoardsScreen):
    def sheet(self) -> Sheet | None:
        """What is shown, for a file; None while nothing is known."""
        raise NotImplementedError

    def action_export(self) -> None:
        from tui.screens.chooser import Chooser, export_choices

        shown = self.sheet()
        if shown is not None:
            chooser = Chooser("Export", lambda _: export_choices(shown), needs_scope=False)
            self.app.push_screen(chooser, lambda kind: self._export(shown, kind))

    def _export(self, shown: Sheet, kind: object) -> None:
        from tui import sheets

        if isinstance(kind, str):
            self.desk.work.load(self, EXPORT, lambda: sheets.write(Path.cwd(), shown, kind))

    def on_told(self, message: Told) -> None:
        if message.job != EXPORT:
            super().on_told(message)
        elif self.desk.work.accept(self, message):
            self.say(f"Written: {message.found}")

    def on_failed(self, message: Failed) -> None:
        if message.job != EXPORT:
            super().on_failed(message)
        elif self.desk.work.accept(self, message):
            self.say(str(message.error))
