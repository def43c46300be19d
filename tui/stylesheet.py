"""The style sheet of an app whose sources and theme stay what they were while it runs."""

from __future__ import annotations

from textual.css.stylesheet import Stylesheet


class ParsedOnce(Stylesheet):
    """Parses every source once. Textual parses all of them four times while an app starts, in case a theme's variables
    or a file have changed; parsing is a tenth of the desk's own part of the start."""

    def set_variables(self, variables: dict[str, str]) -> None:
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        """What was parsed with the variables of now is kept; other variables have emptied that."""
        self.parse()
