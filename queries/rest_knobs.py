"""A known knob made as a flag, on either PostHog: off, for everyone once it is on, and only where there is none."""

from __future__ import annotations

from dataclasses import dataclass

from queries.remote_errors import PostHogFailed
from queries.rest import LOST, Rest, unanswered
from queries.rest_flags import Flag, find_flag, flag_of
from workspace.errors import LoopdeskError
from workspace.knobs import Knob


@dataclass(frozen=True, slots=True)
class Creation:
    """What one confirm makes."""

    knob: Knob

    @property
    def said(self) -> str:
        """`scorer_v2: make the flag, off, with the variants control 50 %, test 50 %, drawn for each round`."""
        parts = [f"{self.knob.name}: make the flag, off"]
        if self.knob.variants:
            shares = (f"{name} {share} %" for name, share in self._shares())
            parts.append(f"with the variants {', '.join(shares)}, drawn for each round")
        if self.knob.payload:
            parts.append(f"with the payload {self.knob.payload}")
        return ", ".join(parts)

    def document(self) -> dict[str, object]:
        filters: dict[str, object] = {"groups": [{"properties": [], "rollout_percentage": 100}]}
        if self.knob.variants:
            several = [{"key": name, "name": name, "rollout_percentage": share} for name, share in self._shares()]
            filters["multivariate"] = {"variants": several}
        if self.knob.payload:
            filters["payloads"] = {"true": self.knob.payload}
        made = {"key": self.knob.name, "name": self.knob.description, "active": False, "filters": filters}
        # By distinct id each agent would keep its variant, and a handful of agents are compared, not the rounds.
        return {**made, "bucketing_identifier": "device_id"} if self.knob.variants else made

    def _shares(self) -> list[tuple[str, int]]:
        """Whole percents that make 100; the first take what is left over."""
        share, over = divmod(100, len(self.knob.variants))
        return [(name, share + (place < over)) for place, name in enumerate(self.knob.variants)]


def create(rest: Rest, creation: Creation) -> tuple[Flag, bool]:
    """The flag, and whether it is new: one of that key stays as it is. Raises `Unanswered`, or another
    `LoopdeskError` with nothing made."""
    key = creation.knob.name
    there = find_flag(rest, key)
    if there is not None:
        return there, False
    met: LoopdeskError = PostHogFailed("PostHog took the flag, but did not say what it made", do="loopdesk flags")
    try:
        made = flag_of(rest.ask("POST", "feature_flags/", creation.document()))
        if made is not None and made.key == key:
            return made, True
    except LoopdeskError as error:
        # The answer may be lost, not the flag; or somebody else was quicker.
        met = error
    try:
        there = find_flag(rest, key)
    except LoopdeskError as error:
        raise (unanswered(f"{key} was made", met) if isinstance(met, LOST) else met) from error
    if there is None:
        raise met
    return there, True
