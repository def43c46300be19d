"""What a forge answers where it does not do what was asked: one class for each thing that the engine does about it."""

from __future__ import annotations

from datetime import datetime

from workspace.errors import LoopdeskError


class ForgeError(LoopdeskError):
    """A forge did not do what was asked."""


class Moved(ForgeError):
    """Somebody else changed the branch or the pull request since it was looked at. Nothing was done."""


class Conflict(ForgeError):
    """The change cannot be merged as it stands."""


class Refused(ForgeError):
    """The forge says no, and will say so again."""


class Missing(Refused):
    """There is none, or the token may not see it."""


class Limited(ForgeError):
    """Nothing may be asked before `until`."""

    def __init__(self, what: str, until: datetime, means: str = "", do: str = "") -> None:
        self.until = until
        super().__init__(what, means, do)


class Unanswered(ForgeError):
    """No answer came, or none that can be read. An effect may have happened: the next look will find it."""
