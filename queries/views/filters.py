"""Which projects and clients the screens show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty means all."""

    project: str = ""
    client: str = ""

    @property
    def said(self) -> str:
        """Words for a status line; empty where everything is shown."""
        return " / ".join(part for part in (self.project, self.client) if part)
