"""Themes: readable, safe without red-green vision, and forgiving of nothing that is not a theme."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import pytest
from rich.color import ColorType

from themes.loader import SHIPPED, Theme, ThemeError, available, load
from tui.palette import luminance, palette, textual_theme

TRUECOLOUR = ("loopdesk-dark", "loopdesk-light")


def _contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _without_green(colour: str) -> tuple[float, float, float]:
    """How a deuteranope sees `#rrggbb`, in CIE Lab. Machado, Oliveira and Fernandes 2009, severity 1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    red, green, blue = (
        0.367322 * red + 0.860646 * green - 0.227968 * blue,
        0.280085 * red + 0.672501 * green + 0.047413 * blue,
        -0.011820 * red + 0.042940 * green + 0.968881 * blue,
    )
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
    )
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _distance(one: str, other: str) -> float:
    return sum((a - b) ** 2 for a, b in zip(_without_green(one), _without_green(other), strict=True)) ** 0.5


@pytest.mark.parametrize("name", TRUECOLOUR)
def test_every_text_is_readable_on_every_ground(name: str) -> None:
    theme = load(name)
    for ground in (theme.background, theme.surface, theme.panel):
        assert min(_contrast(colour, ground) for colour in (theme.text, theme.strong, theme.title)) >= 7
        assert min(_contrast(colour, ground) for colour in (theme.dim, theme.good, theme.bad, theme.warn)) >= 4.5
        assert min(_contrast(colour, ground) for colour in (theme.accent, theme.focus, *theme.series)) >= 3
    assert _contrast(theme.selected_text, theme.selected) >= 7


@pytest.mark.parametrize("name", TRUECOLOUR)
def test_values_are_readable_on_their_heat(name: str) -> None:
    for style in palette(load(name)).heat:
        assert style.color and style.bgcolor
        assert _contrast(style.color.triplet.hex, style.bgcolor.triplet.hex) >= 4.5


@pytest.mark.parametrize("name", TRUECOLOUR)
def test_heat_runs_one_way(name: str) -> None:
    theme = load(name)
    steps = [luminance(colour) for colour in theme.heat]
    assert all((one < other) is theme.dark for one, other in pairwise(steps))


@pytest.mark.parametrize("name", TRUECOLOUR)
def test_better_and_worse_differ_without_red_green_vision(name: str) -> None:
    theme = load(name)
    assert _distance(theme.good, theme.bad) > 40
    assert _distance(theme.accent, theme.bad) > 25
    assert min(_distance(one, other) for one, other in combinations(theme.series, 2)) > 12


def test_the_sixteen_colour_theme_names_only_the_terminals_colours() -> None:
    styles = palette(load("loopdesk-16"))
    used = [styles.text, styles.good, styles.bad, styles.warn, styles.accent, styles.selected, *styles.heat]
    for style in [*used, *styles.series, styles.border, styles.focus]:
        for colour in (style.color, style.bgcolor):
            assert colour is None or colour.type in (ColorType.STANDARD, ColorType.DEFAULT)
    assert styles.dim.dim


@pytest.mark.parametrize("name", SHIPPED)
def test_without_colour_weight_and_reverse_stay(name: str) -> None:
    styles = palette(load(name), no_color=True)
    everything = [styles.text, styles.dim, styles.strong, styles.good, styles.bad, styles.warn, styles.accent]
    for style in [*everything, styles.border, styles.focus, styles.selected, *styles.series, *styles.heat]:
        assert style.color is None
        assert style.bgcolor is None
    assert styles.strong.bold
    assert styles.dim.dim
    assert styles.selected.reverse


def test_ascii_glyphs_are_ascii_and_one_cell_wide() -> None:
    glyphs = palette(load("loopdesk-dark"), ascii=True).glyphs
    marks = [value for name in glyphs.__slots__ for value in getattr(glyphs, name)]
    assert all(len(mark) == 1 and mark.isascii() for mark in marks)


@pytest.mark.parametrize("name", SHIPPED)
def test_textual_takes_every_shipped_theme(name: str) -> None:
    theme = textual_theme(load(name))
    assert theme.name == name
    assert theme.ansi is (name == "loopdesk-16")
    assert theme.to_color_system().generate()["border"] == load(name).focus


def test_a_users_theme_takes_what_it_leaves_out_from_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[colours]\ngood = "#00ff00"\n')
    (tmp_path / "paper.toml").write_text("dark = false\n")
    dark, light = load("loopdesk-dark"), load("loopdesk-light")
    mine, paper = load("mine", tmp_path), load("paper", tmp_path)
    assert (mine.good, mine.bad, mine.heat, mine.dark) == ("#00ff00", dark.bad, dark.heat, True)
    assert (paper.background, paper.series, paper.dark) == (light.background, light.series, False)


def test_a_users_theme_stands_before_a_shipped_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "loopdesk-dark.toml").write_text('[colours]\nbad = "ansi_bright_red"\n')
    assert load("loopdesk-dark", tmp_path).bad == "ansi_bright_red"
    assert available(tmp_path) == SHIPPED


def test_available_lists_the_users_themes_last(tmp_path: Path) -> None:
    for name in ("zebra.toml", "amber.toml", "notes.txt", ".hidden.toml"):
        (tmp_path / name).write_text("")
    assert available(tmp_path) == (*SHIPPED, "amber", "zebra")
    assert available(tmp_path / "nowhere") == SHIPPED


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[colours", "not valid TOML"),
        ('[colours]\ngood = "green"\n', "good = 'green', which is not a colour"),
        ('[colours]\ngood = "#00ff00ff"\n', "not a colour"),
        ("[colours]\ngood = 3\n", "not a colour"),
        ('[colours]\nfriendly = "#00ff00"\n', "means nothing under [colours]: 'friendly'"),
        ('good = "#00ff00"\n', "means nothing here: 'good'"),
        ('dark = "yes"\n', "Write `dark = true`"),
        ('[ramps]\nheat = ["#000000"]\n', "heat to be a list of 2 to 16"),
        ('[ramps]\nheat = ["#000000", "red"]\n', "heat = 'red'"),
        ("colours = 3\n", "[colours] to be a table"),
    ],
)
def test_a_bad_theme_says_what_is_wrong_with_it(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(content)
    with pytest.raises(ThemeError) as raised:
        load("mine", tmp_path)
    message = str(raised.value)
    assert said in message
    assert "mine.toml" in message
    assert message.endswith(".")


def test_a_file_that_is_no_text_or_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "novel.toml").write_text("# " + "x" * 100_000)
    for name, said in (("binary", "not valid TOML"), ("novel", "too long")):
        with pytest.raises(ThemeError, match=said):
            load(name, tmp_path)


@pytest.mark.parametrize("name", ["../secrets", "a/b", "", "\x1b[31m", "x" * 100])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "themes").mkdir()
    (tmp_path / "secrets.toml").write_text("")
    with pytest.raises(ThemeError, match="cannot be the name"):
        load(name, tmp_path / "themes")


def test_an_unknown_theme_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "amber.toml").write_text("")
    with pytest.raises(ThemeError, match="loopdesk-dark, loopdesk-light, loopdesk-16, amber"):
        load("ember", tmp_path)


def test_a_theme_error_is_a_value_error() -> None:
    assert issubclass(ThemeError, ValueError)
    assert isinstance(load("loopdesk-dark"), Theme)
