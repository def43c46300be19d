"""Views of the six boards and the headline: one night worked out by hand, and strategies for any other."""

from __future__ import annotations

from hypothesis import strategies as st

from queries.views.cost import CostLine, CostPerKept
from queries.views.escalations import Escalations, Target
from queries.views.funnel import Funnel, Stage
from queries.views.headline import Headline, ProjectNight
from queries.views.heatmap import DimensionRow, Heatmap
from queries.views.stops import Stop, Stops
from queries.views.trend import DeployMark, Line, Point, Trend

HOURS = (
    *(f"2026-11-19 {hour:02d}:00:00" for hour in range(18, 24)),
    *(f"2026-11-20 {hour:02d}:00:00" for hour in range(8)),
)

FUNNEL = Funnel(
    (
        Stage("started", 203, None, 196),
        Stage("proposed", 198, 0.975, 190),
        Stage("applied", 171, 0.864, 181),
        Stage("scored", 160, 0.936, 175),
        Stage("kept", 29, 0.181, 24),
    ),
    "203 rounds, 29 kept (14 %); 14 % of those proposed were never applied.",
    "applied",
)


def scored_line(project: str, goal: str, values: list[float | None], before: float | None) -> Line:
    points, best = [], None
    for bucket, value in zip(HOURS, values, strict=False):
        if value is not None:
            best = value if best is None else (min if goal == "min" else max)(best, value)
            points.append(Point(bucket, value, best, 4))
    change = None if before is None else best - before
    better = None if not change else (change < 0) == (goal == "min")
    return Line(project, goal, tuple(points), best, before, change, better)


TREND = Trend(
    HOURS,
    (
        scored_line(
            "autoagent", "max", [0.71, 0.72, 0.74, 0.74, 0.75, None, None, 0.77, 0.79, 0.78, 0.81, 0.812], 0.80
        ),
        scored_line(
            "autoresearch", "min", [0.9979, 0.9951, 0.993, 0.99, 0.989, 0.9834, 0.98, 0.979, 0.977, 0.974], 0.971
        ),
        scored_line("gtm-autoresearch", "max", [58.2, 58.9, 60.1, 59.5, 61.25, 61.0, 61.2], 61.25),
    ),
    (DeployMark("autoagent", "4f2c1d9e8a7b", HOURS[2]), DeployMark("autoagent", "91ab77c0ffee", HOURS[8])),
    "autoagent 0.812, 0.012 better than the night before; autoresearch 0.974, 0.003 worse; "
    "gtm-autoresearch 61.25, unchanged.",
)


def dimension(name: str, owner: str, start: float, change: float | None, step: float = 0.01) -> DimensionRow:
    cells = tuple(None if place in (0, 6, 12, 13) else start + step * place for place in range(14))
    known = [cell for cell in cells if cell is not None]
    return DimensionRow(owner, name, sum(known) / len(known), change, cells)


HEATMAP = Heatmap(
    HOURS,
    (
        dimension("tool_economy", "autoagent", 0.31, -0.04, -0.005),
        dimension("personalisation", "gtm-autoresearch/acme", 0.48, 0.021),
        dimension("clarity", "gtm-autoresearch/acme", 0.55, 0.0),
        dimension("recovery", "autoagent", 0.6, 0.012),
        dimension("subject_line", "gtm-autoresearch/globex", 0.62, None),
        dimension("accuracy", "autoagent", 0.84, 0.03),
    ),
    0.25,
    0.95,
    "Weakest is tool_economy (autoagent) at 0.280, −0.040; recovery (autoagent) fell most (−0.050).",
)


def _prices(start: float, hours: list[int]) -> tuple[tuple[str, float | None, float], ...]:
    return tuple((HOURS[hour], None if hour % 4 == 3 else start * (1 + 0.2 * (hour % 3)), start * 3) for hour in hours)


COST = CostPerKept(
    HOURS,
    (
        CostLine("autoagent", 3.84, 9, 0.4267, 0.512, _prices(0.4, list(range(12)))),
        CostLine("autoresearch", 0.412, 8, 0.0515, 0.0212, _prices(0.05, list(range(10)))),
        CostLine("gtm-autoresearch", 12.3, 12, 1.025, 1.03, _prices(1.0, list(range(7)))),
    ),
    16.55,
    0.571,
    "round_kept and round_reverted cost_usd",
    "$0.57 per kept round, $16.55 spent; autoresearch dearer, 2.4× the time before.",
)

ESCALATIONS = Escalations(
    HOURS,
    (
        Target(
            "claude-opus-4-6",
            7,
            3,
            (("autoagent", 6), ("autoresearch", 1)),
            (("plateau", 5), ("json_fail", 2)),
            (0, 0, 1, 0, 0, 0, 2, 3, 1, 0, 0, 0, 0, 0),
        ),
        Target("gpt-5-large", 2, 0, (("gtm-autoresearch", 2),), (("stall", 2),), (0,) * 5 + (1, 1) + (0,) * 7),
    ),
    9,
    3,
    "9 escalations, 3 the night before; most to claude-opus-4-6 from autoagent.",
)
NO_ESCALATIONS = Escalations(HOURS, (), 0, 4, "No escalations; 4 the night before.")

STOPS = Stops(
    (
        Stop("budget_reached", 2, 1, (("autoagent", 1), ("gtm-autoresearch", 1)), 131, 15.2, False),
        Stop("plateau", 1, 2, (("autoresearch", 1),), 64, 0.41, False),
        Stop("crash: CUDA out of memory", 1, 0, (("autoresearch", 1),), 8, None, True),
    ),
    ("gtm-autoresearch/globex",),
    (),
    "autoresearch stopped on crash: CUDA out of memory; 3 runs ended as planned, most on budget_reached; "
    "gtm-autoresearch/globex never said why it stopped.",
)

HEADLINE = Headline(
    (
        ProjectNight("autoagent", "max", 64, 9, 0.812, 0.012, True, 3.84, 0.4267, 7, "budget_reached"),
        ProjectNight(
            "autoresearch", "min", 72, 8, 0.974, 0.003, False, 0.412, 0.0515, 0, "plateau", (("git_sha", 0.12),)
        ),
        ProjectNight("gtm-autoresearch", "max", 67, 12, 61.25, 0.0, None, 12.3, 1.025, 2, ""),
    ),
    203,
    "autoagent improved on the night before; autoresearch fell behind. 203 rounds, 29 kept.",
)

# Anything that a view may hold


NAMES = st.one_of(
    st.sampled_from(
        [
            "autoagent",
            "",
            " ",
            "実験ループ",
            "🚀🚀🚀 rocket",
            "👩‍👩‍👧‍👦 family",
            "❤️ heart",
            "🇺🇦 flag",
            "e\u0301\u0301\u0301\u0301",
            "\u0301leading mark",
            "ﷺ",
            "a\u202egnp.exe",
            "\x1b[31mred\x1b[0m",
            "\x1b]52;c;aGk=\x07clip",
            "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
            "tab\tline\nend\r",
            "zero\u200bwidth\ufeff",
            "[bold red]markup[/] [@click=app.quit]x[/]",
            "\ud800",
            "w" * 500,
            "字" * 300,
        ]
    ),
    st.text(max_size=30),
)
COUNTS = st.one_of(st.just(0), st.integers(0, 10**12))
NUMBERS = st.one_of(
    st.sampled_from([0.0, 0.3, 1.0, 1e-9, 1e12]), st.floats(allow_nan=False, allow_infinity=False, width=64)
)
SHARES = st.floats(0, 1)
MAYBE = st.one_of(st.none(), NUMBERS)
VERDICTS = st.one_of(st.just("12 rounds, 3 kept (25 %); gtm better."), NAMES)


def buckets() -> st.SearchStrategy[tuple[str, ...]]:
    days = tuple(f"2026-10-{day:02d}" for day in range(1, 32))
    return st.one_of(st.sampled_from([(), HOURS[:1], HOURS, days]), st.lists(NAMES, max_size=4).map(tuple))


@st.composite
def funnels(draw: st.DrawFn) -> Funnel:
    stages = st.builds(Stage, NAMES, st.one_of(st.none(), COUNTS), st.one_of(st.none(), SHARES), st.none() | COUNTS)
    found = tuple(draw(st.lists(stages, max_size=6)))
    return Funnel(found, draw(VERDICTS), draw(st.sampled_from([stage.name for stage in found] or [""])))


@st.composite
def trends(draw: st.DrawFn) -> Trend:
    names = draw(buckets())
    points = st.lists(st.builds(Point, st.sampled_from(names or ("",)), NUMBERS, NUMBERS, COUNTS), max_size=20)
    line = st.builds(
        Line,
        NAMES,
        st.sampled_from(["max", "min"]),
        points.map(tuple),
        NUMBERS,
        MAYBE,
        MAYBE,
        st.none() | st.booleans(),
    )
    lines = tuple(draw(st.lists(line, max_size=5)))
    projects = [line.project for line in lines] or [""]
    mark = st.builds(DeployMark, st.sampled_from(projects), NAMES, st.sampled_from(names or ("",)))
    return Trend(names, lines, tuple(draw(st.lists(mark, max_size=6))), draw(VERDICTS))


@st.composite
def heatmaps(draw: st.DrawFn) -> Heatmap:
    names = draw(buckets())
    scale = draw(st.sampled_from([SHARES, NUMBERS]))
    cells = st.lists(st.none() | scale, min_size=len(names), max_size=len(names)).map(tuple)
    rows = tuple(draw(st.lists(st.builds(DimensionRow, NAMES, NAMES, scale, st.none() | scale, cells), max_size=8)))
    values = [cell for row in rows for cell in row.cells if cell is not None]
    return Heatmap(names, rows, min(values, default=0.0), max(values, default=1.0), draw(VERDICTS))


@st.composite
def costs(draw: st.DrawFn) -> CostPerKept:
    names = draw(buckets())
    points = st.lists(st.tuples(st.sampled_from(names or ("",)), MAYBE, NUMBERS), max_size=20).map(tuple)
    lines = st.lists(st.builds(CostLine, NAMES, MAYBE, COUNTS, MAYBE, MAYBE, points), max_size=5)
    return CostPerKept(names, tuple(draw(lines)), draw(MAYBE), draw(MAYBE), draw(NAMES), draw(VERDICTS))


@st.composite
def escalated(draw: st.DrawFn) -> Escalations:
    names = draw(buckets())
    pairs = st.lists(st.tuples(NAMES, COUNTS), max_size=4).map(tuple)
    counts = st.lists(COUNTS, min_size=len(names), max_size=len(names)).map(tuple)
    targets = draw(st.lists(st.builds(Target, NAMES, COUNTS, COUNTS, pairs, pairs, counts), max_size=5))
    return Escalations(names, tuple(targets), draw(COUNTS), draw(COUNTS), draw(VERDICTS))


@st.composite
def stopped(draw: st.DrawFn) -> Stops:
    pairs = st.lists(st.tuples(NAMES, COUNTS), max_size=4).map(tuple)
    reason = st.builds(Stop, NAMES, COUNTS, COUNTS, pairs, st.none() | COUNTS, MAYBE, st.booleans())
    return Stops(
        tuple(draw(st.lists(reason, max_size=5))), tuple(draw(st.lists(NAMES, max_size=5))), (), draw(VERDICTS)
    )


@st.composite
def headlines(draw: st.DrawFn) -> Headline:
    missing = st.lists(st.tuples(NAMES, SHARES), max_size=3).map(tuple)
    night = st.builds(
        ProjectNight,
        NAMES,
        st.sampled_from(["max", "min"]),
        COUNTS,
        st.none() | COUNTS,
        MAYBE,
        MAYBE,
        st.none() | st.booleans(),
        MAYBE,
        MAYBE,
        COUNTS,
        NAMES,
        missing,
    )
    return Headline(tuple(draw(st.lists(night, max_size=5))), draw(COUNTS), draw(VERDICTS))
