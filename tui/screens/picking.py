"""A dialog in which several things are chosen: Enter takes one or lets it go, the first line is what is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tui.screens.chooser import Choice, Chooser


class Picker(Chooser):
    """Ends with the values of what was chosen, as a tuple, or None. `does` names what the first line does."""

    def __init__(self, title: str, choices: Sequence[Choice], does: str) -> None:
        super().__init__(title, lambda _: self._offered(), needs_scope=False)
        self._all, self._does = tuple(choices), does

    def _offered(self) -> list[Choice]:
        picked = tuple(choice.value for choice in self._all if choice.is_chosen)
        done = [Choice(f"{self._does} the {len(picked)} chosen", "", picked)] if picked else []
        return [*done, *self._all]

    def action_choose(self) -> None:
        choice = self._list.current
        if not isinstance(choice, Choice):
            self.dismiss(None)
        elif isinstance(choice.value, tuple):
            self.dismiss(choice.value)
        else:
            self._all = tuple(
                replace(one, is_chosen=not one.is_chosen) if one.value == choice.value else one for one in self._all
            )
            self._list.show(self._offered(), keep=lambda row: row.value == choice.value)
