"""Fewer bytes for the same picture, as a terminal emulator sees it."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st

from tui.driver import desk_driver
from tui.wire import erases_in_colour, lean

COLOURS = ["", "38;2;198;209;222", "38;2;1;2;3", "31", "94", "38;5;17"]
BACKGROUNDS = ["", "48;2;15;20;26", "48;2;34;64;95", "44", "100"]
ATTRIBUTES = ["", "1", "2", "3", "4", "7", "9", "1;4"]

SIZE = (1200, 300)  # nothing that is generated wraps or scrolls: Textual keeps within its lines, too


def segment(text: str, *parts: str) -> str:
    """A stretch of text as Textual writes it."""
    style = ";".join(part for part in parts if part)
    return f"\x1b[{style}m{text}\x1b[0m" if style else text


STYLES = st.tuples(st.sampled_from(ATTRIBUTES), st.sampled_from(COLOURS), st.sampled_from(BACKGROUNDS))
PIECES = st.lists(
    st.one_of(
        st.builds(
            lambda style, text: segment(text, *style),
            STYLES,
            st.one_of(st.text("ab ▸é", min_size=1, max_size=6), st.just("a" + " " * 14)),
        ),
        st.builds(lambda x, y: f"\x1b[{y};{x}H", st.integers(1, 30), st.integers(1, 8)),
        st.just("\n"),
        st.builds(lambda y: f"\n\x1b[{y};1H", st.integers(1, 8)),
        st.just("\x1b[?2026h"),
    ),
    max_size=24,
)


def picture(data: str) -> dict[tuple[int, int], tuple]:
    """What differs from an empty screen."""
    screen = pyte.Screen(*SIZE)
    pyte.Stream(screen).feed(data)
    return {
        (y, x): tuple(char)
        for y, line in screen.buffer.items()
        for x, char in line.items()
        if char != screen.default_char
    }


@given(st.lists(PIECES, min_size=1, max_size=3))
def test_the_picture_stays_the_same(frames: list[list[str]]):
    written = ["".join(frame) for frame in frames]
    assert picture("".join(map(lean, written))) == picture("".join(written))


def test_a_style_that_is_set_already_is_not_set_again():
    row = segment("one ", COLOURS[1], BACKGROUNDS[1]) + segment("two ", COLOURS[2], BACKGROUNDS[1])
    assert lean(row) == f"\x1b[{COLOURS[1]};{BACKGROUNDS[1]}mone \x1b[{COLOURS[2]}mtwo \x1b[m"


def test_moving_the_cursor_keeps_the_style():
    rows = segment("one", COLOURS[1]) + "\x1b[2;7H" + segment("two", COLOURS[1])
    assert lean(rows) == f"\x1b[{COLOURS[1]}mone\x1b[2;7Htwo\x1b[m"


def test_moving_to_a_line_ends_the_one_before():
    rows = segment("one", COLOURS[1]) + "\n\x1b[2;1H" + segment("two", COLOURS[1])
    assert lean(rows) == f"\x1b[{COLOURS[1]}mone\x1b[2Htwo\x1b[m"


def test_an_ended_line_that_nothing_follows_stays_ended():
    assert lean(segment("one", COLOURS[1]) + "\n") == f"\x1b[{COLOURS[1]}mone\n\x1b[m"


def test_an_attribute_that_has_to_go_is_reset():
    assert lean(segment("a", "1") + segment("b", "4")) == "\x1b[1ma\x1b[0;4mb\x1b[m"


def test_long_blanks_are_erased():
    row = segment("one" + " " * 20 + "two" + " " * 9, BACKGROUNDS[1]) + "\n\x1b[2;1H" + segment("x", BACKGROUNDS[1])
    assert lean(row) == f"\x1b[{BACKGROUNDS[1]}mone\x1b[20X\x1b[20Ctwo\x1b[9X\x1b[2Hx\x1b[m"
    assert " " * 20 in lean(row, erase=False)


def test_blanks_that_are_seen_are_written():
    assert " " * 20 in lean(segment("one" + " " * 20, "4"))


def test_what_may_be_gnu_screen_is_written_blanks():
    assert erases_in_colour({"TERM": "xterm-256color"})
    assert erases_in_colour({"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"})
    assert not erases_in_colour({"TERM": "screen-256color"})


def test_output_without_styles_is_left_alone():
    assert lean("\x1b[?1049h") == "\x1b[?1049h"


def test_only_a_terminals_driver_is_changed():
    class WebDriver:
        pass

    assert desk_driver(WebDriver) is WebDriver
