"""Theme files -> `Theme`: colours by meaning, shipped with the desk or written by its user."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SHIPPED = ("loopdesk-dark", "loopdesk-light", "loopdesk-16")

_FOLDER = Path(__file__).parent
_COLOURS = (
    "background",
    "surface",
    "panel",
    "border",
    "focus",
    "text",
    "dim",
    "strong",
    "title",
    "accent",
    "secondary",
    "good",
    "bad",
    "warn",
    "selected",
    "selected_text",
)
_RAMPS = ("series", "heat")
_RAMP_SIZES = range(2, 17)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_COLOUR = re.compile(
    r"#[0-9a-fA-F]{6}|ansi_default|ansi_(bright_)?(black|red|green|yellow|blue|magenta|cyan|white)", re.ASCII
)
_LARGEST = 64 * 1024  # bytes; a theme is a page of text, anything larger is another file


class ThemeError(ValueError):
    """A theme that cannot be used. The message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as `#rrggbb` or `ansi_...`. `series` are a chart's lines; `heat` runs from low to high.

    `good` and `bad` are better and worse, `accent` the neutral ink of bars, `focus` the frame of what has the focus.
    """

    name: str
    dark: bool
    background: str
    surface: str
    panel: str
    border: str
    focus: str
    text: str
    dim: str
    strong: str
    title: str
    accent: str
    secondary: str
    good: str
    bad: str
    warn: str
    selected: str
    selected_text: str
    series: tuple[str, ...]
    heat: tuple[str, ...]

    @property
    def is_ansi(self) -> bool:
        """Whether the theme leaves the colours to the terminal."""
        return self.background.startswith("ansi_")


def available(user_dir: Path | None = None) -> tuple[str, ...]:
    """The shipped themes, then the user's, whether or not they can be read."""
    own: list[str] = []
    if user_dir is not None and user_dir.is_dir():
        own = sorted(file.stem for file in user_dir.glob("*.toml") if _NAME.fullmatch(file.stem))
    return (*SHIPPED, *(name for name in own if name not in SHIPPED))


def load(name: str, user_dir: Path | None = None) -> Theme:
    """The theme called `name`; a file of the user's stands before a shipped one of the same name.

    What a user's file leaves out comes from loopdesk-dark, or from loopdesk-light where it says `dark = false`.
    Raises `ThemeError`.
    """
    if not _NAME.fullmatch(name):
        raise ThemeError(f"{name[:64]!r} cannot be the name of a theme. Use letters, digits, dots, dashes and spaces.")
    if user_dir is not None and (file := user_dir / f"{name}.toml").is_file():
        return _theme(name, file, _read(file))
    if name in SHIPPED:
        file = _FOLDER / f"{name}.toml"
        return _theme(name, file, _read(file))
    raise ThemeError(f"There is no theme called {name}. Choose one of {', '.join(available(user_dir))}.")


def _read(file: Path) -> dict:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise ThemeError(
            f"The theme {file} cannot be read: {error.strerror}. Mend the file or choose another."
        ) from None
    if len(content) > _LARGEST:
        raise ThemeError(f"The theme {file} is too long to be a theme. Keep it under {_LARGEST // 1024} KB.")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ThemeError(f"The theme {file} is not valid TOML: {error}. Mend it or choose another.") from None


def _theme(name: str, file: Path, content: Mapping) -> Theme:
    dark = content.get("dark", True)
    if not isinstance(dark, bool):
        raise ThemeError(f"The theme {file} has `dark = {dark!r:.60}`. Write `dark = true` or `dark = false`.")
    colours, ramps = _table(file, content, "colours", _COLOURS), _table(file, content, "ramps", _RAMPS)
    for key in content.keys() - {"dark", "colours", "ramps"}:
        raise ThemeError(
            f"The theme {file} has a key that means nothing here: {key!r:.60}. Colours stand under [colours]."
        )
    for key, value in colours.items():
        _check_colour(file, key, value)
    for key, values in ramps.items():
        if not isinstance(values, list) or len(values) not in _RAMP_SIZES:
            raise ThemeError(f"The theme {file} needs {key} to be a list of 2 to 16 colours.")
        for value in values:
            _check_colour(file, key, value)
    missing = len(colours) < len(_COLOURS) or len(ramps) < len(_RAMPS)
    base = _read(_FOLDER / ("loopdesk-dark.toml" if dark else "loopdesk-light.toml")) if missing else content
    return Theme(
        name=name,
        dark=dark,
        series=tuple(ramps.get("series", base["ramps"]["series"])),
        heat=tuple(ramps.get("heat", base["ramps"]["heat"])),
        **{key: colours.get(key, base["colours"][key]) for key in _COLOURS},
    )


def _table(file: Path, content: Mapping, name: str, known: tuple[str, ...]) -> Mapping:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ThemeError(f"The theme {file} needs [{name}] to be a table.")
    for key in table.keys() - set(known):
        raise ThemeError(
            f"The theme {file} has a key that means nothing under [{name}]: {key!r:.60}. Known: {', '.join(known)}."
        )
    return table


def _check_colour(file: Path, key: str, value: object) -> None:
    if not isinstance(value, str) or not _COLOUR.fullmatch(value):
        raise ThemeError(
            f"The theme {file} has {key} = {value!r:.60}, which is not a colour. Write it as #rrggbb or an ansi_ name."
        )
