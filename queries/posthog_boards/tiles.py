"""Where the boards stand on a dashboard: PostHog's grid is twelve columns wide, and grows downwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from queries.rest import Rest

_COLUMNS, _WIDE, _HIGH = 12, 6, 5


@dataclass(frozen=True, slots=True)
class Tile:
    """`insight` is None for a text. `place` is (x, y, width, height), None where nobody gave it one."""

    id: int
    insight: int | None
    place: tuple[int, int, int, int] | None


def tiles(rest: Rest, dashboard: int) -> tuple[Tile, ...]:
    """What is on a dashboard. Raises `LoopdeskError`."""
    found = rest.ask("GET", f"dashboards/{dashboard}/")
    rows = found.get("tiles") if isinstance(found, dict) else None
    return tuple(one for row in (rows if isinstance(rows, list) else ()) if (one := _tile(row)))


def unplaced(tiles: Sequence[Tile], insights: Collection[int]) -> tuple[Tile, ...]:
    """Those of these insights that nobody placed."""
    return tuple(one for one in tiles if one.insight in insights and one.place is None)


def documents(tiles: Sequence[Tile], insights: Sequence[int]) -> list[dict[str, object]]:
    """For a PATCH of the dashboard: places for the unplaced tiles of these insights, in their order, two beside each
    other, under all that has a place."""
    y = max((one.place[1] + one.place[3] for one in tiles if one.place), default=0)
    found = sorted(unplaced(tiles, insights), key=lambda one: insights.index(one.insight or 0))
    return [{"id": one.id, "layouts": {"sm": _at(place, y)}} for place, one in enumerate(found)]


def _at(place: int, y: int) -> dict[str, int]:
    row, column = divmod(place, _COLUMNS // _WIDE)
    return {"x": column * _WIDE, "y": y + row * _HIGH, "w": _WIDE, "h": _HIGH}


def _tile(row: object) -> Tile | None:
    if not isinstance(row, Mapping) or type(row.get("id")) is not int or row.get("deleted"):
        return None
    insight, layouts = row.get("insight"), row.get("layouts")
    id = insight.get("id") if isinstance(insight, Mapping) else None
    wide = layouts.get("sm") if isinstance(layouts, Mapping) else None
    return Tile(row["id"], id if type(id) is int else None, _place(wide))


def _place(wide: object) -> tuple[int, int, int, int] | None:
    if not isinstance(wide, Mapping):
        return None
    x, y, w, h = (wide.get(name) for name in "xywh")
    if not (isinstance(x, int) and isinstance(y, int) and isinstance(w, int) and isinstance(h, int)):
        return None
    return x, y, w, h
