"""Which dimensions are weak, and when."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.views.answers import buckets, records
from queries.views.window import Window
from queries.views.words import score, signed


@dataclass(frozen=True, slots=True)
class DimensionRow:
    """`dimension` without its prefix; `owner` is project and client where more than one sends dimensions.

    `cells` are averages per bucket of the heatmap, None where no round was scored. `change` is average minus the
    average before, in the dimension's own units. `project` and `client` sent it, whether or not `owner` says so.
    """

    owner: str
    dimension: str
    average: float
    change: float | None
    cells: tuple[float | None, ...]
    project: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Rows from weakest to strongest; `low` and `high` are the colour scale's ends."""

    buckets: tuple[str, ...]
    rows: tuple[DimensionRow, ...]
    low: float
    high: float
    verdict: str


def heatmap(window: Window, now: QueryResult, before: QueryResult) -> Heatmap:
    """From `dimension_heatmap`'s rows of both spans. Averages weigh every scored round the same."""
    rows, earlier = records(now), _averages(records(before))
    names = buckets(window, now.timezone)
    averages = _averages(rows)
    owners = {key[:2] for key in averages}
    cells: dict[tuple, dict[str, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[_key(row)][row["bucket"]].append((row["average"], row["rounds"]))
    found = [
        DimensionRow(
            owner=_owner(key, owners),
            dimension=key[2],
            average=average,
            change=average - earlier[key] if key in earlier else None,
            cells=tuple(_mean(cells[key].get(name, [])) for name in names),
            project=key[0],
            client=key[1],
        )
        for key, average in averages.items()
    ]
    found.sort(key=lambda row: (row.average, row.owner, row.dimension))
    values = [cell for row in found for cell in row.cells if cell is not None]
    return Heatmap(names, tuple(found), min(values, default=0.0), max(values, default=1.0), _verdict(found))


def _key(row: dict) -> tuple[str, str, str]:
    return row["project"], row["client"] or "", row["dim"].removeprefix("dim_")


def _averages(rows: list[dict]) -> dict[tuple[str, str, str], float]:
    weighed: dict[tuple[str, str, str], list[tuple[float, int]]] = defaultdict(list)
    for row in rows:
        weighed[_key(row)].append((row["average"], row["rounds"]))
    return {key: mean for key, pairs in weighed.items() if (mean := _mean(pairs)) is not None}


def _mean(pairs: list[tuple[float, int]]) -> float | None:
    rounds = sum(count for _, count in pairs)
    return sum(value * count for value, count in pairs) / rounds if rounds else None


def _owner(key: tuple[str, str, str], owners: set[tuple[str, str]]) -> str:
    """Only as much as tells the rows apart: nothing, the project, the client, or both."""
    project, client, _ = key
    projects = {owner[0] for owner in owners}
    clients = {owner[1] for owner in owners if owner[0] == project}
    parts = ([project] if len(projects) > 1 else []) + ([client] if len(clients) > 1 and client else [])
    return "/".join(parts)


def _verdict(rows: list[DimensionRow]) -> str:
    if not rows:
        return "No dimensions were scored in this window."
    weakest = rows[0]
    said = f"{weakest.dimension} is weakest at {score(weakest.average)}"
    if weakest.change:
        said += f" ({signed(weakest.change)})"
    fallen = min((row for row in rows if row.change), key=lambda row: row.change or 0.0, default=None)
    if fallen and (fallen.change or 0.0) < 0 and fallen is not weakest:
        said += f"; {fallen.dimension} fell most ({signed(fallen.change)})"
    return said + "."
