"""Sheets worked out by hand, a strategy for any other, and a group of boards that gives them."""

from __future__ import annotations

from types import ModuleType

from hypothesis import strategies as st

from queries.boards import NOW, Board
from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit
from queries.views import drill
from queries.views.timeline import Mark
from tests.board_views import HOURS

SPEND = Sheet(
    "Three kinds of tasks cost $11.20; review is dearer than the night before.",
    (
        Column("task type"),
        Column("spent", Unit.USD),
        Column("of all", Unit.SHARE, 2),
        Column("calls", Unit.COUNT, 3),
        Column("p95", Unit.SECONDS, 4),
        Column("tokens", Unit.TOKENS, 5),
        Column("over time", Unit.COURSE, 1),
    ),
    (
        Row(
            ("review", 6.5, 0.58, 1204, 4.21, 1_240_000, (0.2, None, *([0.4, 0.8] * 6))),
            "dearer",
            Tone.BAD,
            drill.all_rounds("autoagent"),
        ),
        Row(("summary", 3.1, 0.277, 310, 0.34, 98_000, (*([0.1] * 13), None)), "cheaper", Tone.GOOD),
        Row(("classify", 1.6, None, None, 125.0, 940, ())),
    ),
    HOURS,
    (Mark(HOURS[4], "routing: small models first"),),
    ("12 % of the calls name no task type.",),
)
QUALITY = Sheet(
    "Quality is lowest where haiku reviews.",
    (Column("task type"), Column("model", rank=1), Column("quality", Unit.SCORE), Column("change", Unit.CHANGE, 2)),
    (Row(("review", "claude-haiku-4-5", 0.61, -0.04)), Row(("review", "claude-sonnet-4-5", 0.83, 0.0123))),
)
NOTHING = Sheet("No anomaly in this window.", notes=("The router sends anomalies for 2 of 3 projects.",))

_NAMES = st.text(max_size=20)
_VALUES = st.one_of(
    st.none(),
    _NAMES,
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=14).map(tuple),
)


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    columns = tuple(
        Column(draw(_NAMES), draw(st.sampled_from(Unit)), draw(st.integers(0, 5)))
        for _ in range(draw(st.integers(0, 5)))
    )
    rows = tuple(
        Row(
            tuple(draw(_VALUES) for _ in columns),
            draw(st.sampled_from(["", "worse", "夜"])),
            draw(st.sampled_from(Tone)),
            draw(st.sampled_from([None, drill.all_rounds("x")])),
        )
        for _ in range(draw(st.integers(0, 6)) if columns else 0)
    )
    marks = tuple(Mark(draw(st.sampled_from([*HOURS, "no"])), draw(_NAMES)) for _ in range(draw(st.integers(0, 3))))
    return Sheet(draw(_NAMES), columns, rows, draw(st.sampled_from([(), HOURS])), marks, tuple(draw(st.lists(_NAMES))))


def group() -> ModuleType:
    """As a file of the gallery: one figure from two events, and boards of one source, on questions of the catalog."""
    made = ModuleType("group")
    made.BOARDS = {  # type: ignore[attr-defined]
        "spend": Board("Spend by task type", (("cost_per_kept", NOW),), lambda *_: SPEND),
        "spend_calls": Board("Spend by task type", (("model_calls", NOW),), lambda *_: SPEND),
        "quality": Board("Quality", (("score_trend", NOW),), lambda *_: QUALITY),
        "anomalies": Board("Anomalies", (("router_anomalies", NOW),), lambda *_: NOTHING),
        **{f"more_{place}": Board(f"More {place}", (("rounds", NOW),), lambda *_: QUALITY) for place in range(6)},
    }
    made.SIBLINGS = {"spend": "spend_calls", "spend_calls": "spend"}  # type: ignore[attr-defined]
    return made


VIEWS: dict[str, object] = {
    "spend": SPEND,
    "spend_calls": SPEND,
    "quality": QUALITY,
    "anomalies": NOTHING,
    **{f"more_{place}": QUALITY for place in range(6)},
}
