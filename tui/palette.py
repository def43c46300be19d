"""A theme's colours as styles by meaning, with the glyphs that carry the same meaning without colour."""

from __future__ import annotations

from dataclasses import dataclass

from rich.color import Color, blend_rgb
from rich.style import Style
from textual.theme import Theme as TextualTheme

from themes.loader import Theme

_BREATH = 0.16  # of a colour, on the background


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Every mark is one cell wide. `bars` and `sparks` run from least to most, `bars` from nothing on."""

    up: str
    down: str
    dot: str
    ring: str
    ok: str
    fail: str
    ellipsis: str
    arrow: str
    dash: str
    caret: str
    flag: str
    lost: str
    zero: str
    bars: tuple[str, ...]
    sparks: tuple[str, ...]


UNICODE = Glyphs(
    up="▲",
    down="▼",
    dot="●",
    ring="○",
    ok="✓",
    fail="✗",
    ellipsis="…",
    arrow="→",
    dash="–",
    caret="^",
    flag="◆",
    lost="░",
    zero="·",
    bars=(" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"),
    sparks=("▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"),
)
ASCII = Glyphs(
    up="^",
    down="v",
    dot="*",
    ring="o",
    ok="+",
    fail="x",
    ellipsis="~",
    arrow=">",
    dash="-",
    caret="^",
    flag="!",
    lost=".",
    zero="_",
    bars=(" ", "#"),
    sparks=(".", ":", "-", "=", "+", "*", "%", "#"),
)


@dataclass(frozen=True, slots=True)
class Palette:
    """Styles without a background, except `selected`, `heat`, and the margins of lines that were `added` and `removed`,
    which bring the text colour that reads on it."""

    text: Style
    dim: Style
    strong: Style
    title: Style
    good: Style
    bad: Style
    warn: Style
    accent: Style
    border: Style
    focus: Style
    selected: Style
    series: tuple[Style, ...]
    heat: tuple[Style, ...]
    added: Style
    removed: Style
    ascii: bool
    glyphs: Glyphs


def palette(theme: Theme, *, ascii: bool = False, no_color: bool = False) -> Palette:
    """Without colour, weight and reverse stay; without Unicode, every glyph is ASCII."""
    glyphs = ASCII if ascii else UNICODE
    return _plain(ascii, glyphs) if no_color else _coloured(theme, ascii, glyphs)


def textual_theme(theme: Theme) -> TextualTheme:
    """The same colours for Textual's own widgets and style sheets."""
    return TextualTheme(
        name=theme.name,
        primary=theme.focus,
        secondary=theme.secondary,
        warning=theme.warn,
        error=theme.bad,
        success=theme.good,
        accent=theme.accent,
        foreground=theme.text,
        background=theme.background,
        surface=theme.surface,
        panel=theme.panel,
        boost=theme.panel if theme.is_ansi else None,
        dark=theme.dark,
        ansi=theme.is_ansi,
        variables={
            "border": theme.focus,
            "border-blurred": theme.border,
            "block-cursor-background": theme.selected,
            "block-cursor-foreground": theme.selected_text,
            "input-selection-background": theme.selected,
            "input-selection-foreground": theme.selected_text,
            "screen-selection-background": theme.selected,
            "screen-selection-foreground": theme.selected_text,
            "scrollbar": theme.border,
            "scrollbar-background": theme.background,
            "scrollbar-corner-color": theme.background,
        },
    )


def _coloured(theme: Theme, ascii: bool, glyphs: Glyphs) -> Palette:
    return Palette(
        text=_ink(theme.text),
        # A terminal's default colour has no dimmer brother; the attribute does what the colour cannot.
        dim=_ink(theme.dim, dim=theme.dim == theme.text),
        strong=_ink(theme.strong, bold=True),
        title=_ink(theme.title, bold=True),
        good=_ink(theme.good),
        bad=_ink(theme.bad),
        warn=_ink(theme.warn),
        accent=_ink(theme.accent),
        border=_ink(theme.border),
        focus=_ink(theme.focus),
        selected=Style(color=_colour(theme.selected_text), bgcolor=_colour(theme.selected)),
        series=tuple(_ink(colour) for colour in theme.series),
        heat=tuple(_on(colour) for colour in theme.heat),
        added=_margin(theme, theme.good),
        removed=_margin(theme, theme.bad),
        ascii=ascii,
        glyphs=glyphs,
    )


def _plain(ascii: bool, glyphs: Glyphs) -> Palette:
    text, dim, bold, reverse = Style(), Style(dim=True), Style(bold=True), Style(reverse=True)
    return Palette(
        text=text,
        dim=dim,
        strong=bold,
        title=bold,
        good=bold,
        bad=bold,
        warn=bold,
        accent=text,
        border=dim,
        focus=bold,
        selected=reverse,
        series=(text,),
        heat=(dim, text, bold),
        added=bold,
        removed=dim,
        ascii=ascii,
        glyphs=glyphs,
    )


def _ink(colour: str, *, bold: bool | None = None, dim: bool | None = None) -> Style:
    return Style(color=_colour(colour), bold=bold, dim=dim or None)


def _margin(theme: Theme, colour: str) -> Style:
    """The colour on a breath of itself; sixteen colours have none to breathe."""
    if theme.is_ansi:
        return _ink(colour)
    ground, tint = (Color.parse(one).get_truecolor() for one in (theme.background, colour))
    return Style(color=_colour(colour), bgcolor=Color.from_triplet(blend_rgb(ground, tint, _BREATH)))


def _on(background: str) -> Style:
    """A background with the text colour, near black or near white, that has the higher contrast on it."""
    if background.startswith("ansi_"):
        is_dark = background in ("ansi_black", "ansi_red", "ansi_blue", "ansi_magenta", "ansi_bright_black")
        text = "ansi_bright_white" if is_dark else "ansi_black"
    else:
        # Contrast with white and with black is equal at this luminance (WCAG 2, relative luminance).
        text = "#f4f8fc" if luminance(background) < 0.179 else "#0a1016"
    return Style(color=_colour(text), bgcolor=_colour(background))


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0..1, by WCAG 2's formula."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(name: str) -> Color:
    return Color.parse(name.removeprefix("ansi_"))
