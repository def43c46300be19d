"""The one family of errors a person may meet."""

from __future__ import annotations


class LoopdeskError(Exception):
    """What happened, what it means, and what to do: each a short clause or sentence, the last two optional.

    The command line prints `str(error)` on one line; the desk shows the same words in the pane that failed.
    """

    def __init__(self, what: str, means: str = "", do: str = "") -> None:
        self.what, self.means, self.do = what, means, do
        super().__init__(" ".join(_sentence(part) for part in (what, means, do) if part))


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
