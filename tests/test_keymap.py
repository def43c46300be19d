"""The key table: one meaning a key on every screen, actions that exist, the user's own keys."""

from __future__ import annotations

import pytest

from themes.loader import load
from tui.desk import Desk
from tui.keymap import Keymap, conflicts, readme_table
from tui.palette import palette
from tui.screens.behind import BehindScreen
from tui.screens.chooser import Chooser
from tui.screens.confirming import ConfirmScreen
from tui.screens.connect import ConnectScreen
from tui.screens.diff import DiffScreen
from tui.screens.engine import EngineScreen
from tui.screens.full import FullScreen
from tui.screens.gallery import GalleryScreen
from tui.screens.help import HelpScreen, help_lines
from tui.screens.inbox import InboxScreen
from tui.screens.journal import JournalScreen
from tui.screens.knobs import KnobsScreen
from tui.screens.marked import MarkScreen
from tui.screens.morning import MorningScreen
from tui.screens.noting import NoteScreen
from tui.screens.rounds import RoundsScreen
from tui.screens.trace import TraceScreen
from tui.screens.tracecompare import CompareScreen
from tui.screens.triage import TriageScreen
from tui.screens.welcome import WelcomeScreen
from tui.strokes import parse, typed
from tui.verbs import REACHABLE, SCOPES, VERBS, Verb
from tui.widgets.rowlist import RowList
from workspace.errors import LoopdeskError

SCREENS = {
    "morning": MorningScreen,
    "rounds": RoundsScreen,
    "behind": BehindScreen,
    "full": FullScreen,
    "inbox": InboxScreen,
    "triage": TriageScreen,
    "diff": DiffScreen,
    "trace": TraceScreen,
    "compare": CompareScreen,
    "engine": EngineScreen,
    "knobs": KnobsScreen,
    "boards": GalleryScreen,
    "journal": JournalScreen,
    "welcome": WelcomeScreen,
    "dialog": Chooser,
    "confirm": ConfirmScreen,
    "note": NoteScreen,
    "form": ConnectScreen,
    "marked": MarkScreen,
    "help": HelpScreen,
}


def test_a_key_has_one_meaning_on_every_screen():
    assert conflicts(VERBS, {verb.name: parse(verb.keys) for verb in VERBS}) == []


@pytest.mark.parametrize("screen", REACHABLE)
def test_no_two_actions_of_a_screen_share_a_key_or_its_beginning(screen: str):
    """Counted without `conflicts`, which has to find the same."""
    meant: dict[tuple[str, ...], str] = {}
    for verb in Keymap().on(screen):
        for stroke in parse(verb.keys):
            assert meant.setdefault(stroke, verb.name) == verb.name
    for stroke, name in meant.items():
        for end in range(1, len(stroke)):
            assert meant.get(stroke[:end], name) == name


def test_two_verbs_for_one_key_in_a_reachable_scope_are_found():
    verbs = (Verb("one", "x", "list", "One", "screen.one"), Verb("two", "x", "everywhere", "Two", "screen.two"))
    assert [clash.key for clash in conflicts(verbs, {verb.name: parse(verb.keys) for verb in verbs})] == ["x"]


def test_a_key_that_begins_another_verbs_sequence_is_a_conflict():
    verbs = (Verb("one", "g", "list", "One", "screen.one"), Verb("two", "gg", "list", "Two", "screen.two"))
    assert len(conflicts(verbs, {verb.name: parse(verb.keys) for verb in verbs})) == 1


def test_one_key_may_mean_two_things_where_no_screen_has_both():
    verbs = (Verb("one", "tab", "panes", "One", "screen.one"), Verb("two", "tab", "full", "Two", "screen.two"))
    assert conflicts(verbs, {verb.name: parse(verb.keys) for verb in verbs}) == []


def test_every_scope_is_named_and_every_screen_has_its_class():
    assert {verb.scope for verb in VERBS} <= SCOPES.keys()
    assert REACHABLE.keys() == SCREENS.keys()
    assert {name: screen.KEYS for name, screen in SCREENS.items()} == {name: name for name in SCREENS}


@pytest.mark.parametrize("screen", REACHABLE)
def test_every_verb_of_a_screen_can_be_done_there(screen: str):
    targets = {"app": Desk, "screen": SCREENS[screen], "focused": RowList}
    for verb in Keymap().on(screen):
        target, _, action = verb.action.partition(".")
        assert hasattr(targets[target], f"action_{action.partition('(')[0]}"), verb.name


def test_keys_are_parsed_into_names_characters_and_sequences():
    assert parse("gg,home, ctrl+p,f5,zR,+,?") == (
        ("g", "g"),
        ("home",),
        ("ctrl+p",),
        ("f5",),
        ("z", "R"),
        ("+",),
        ("?",),
    )


def test_a_comma_is_a_key_that_can_be_pressed():
    assert getattr(Keymap().press("trace", (typed("comma", ","),)), "name", None) == "step-back"


def test_a_sequence_is_waited_for():
    keys = Keymap()
    assert keys.press("rounds", ("g",)) is True
    assert getattr(keys.press("rounds", ("g", "g")), "name", None) == "top"
    assert keys.press("rounds", ("g", "x")) is False


def test_a_press_is_named_by_its_character_where_it_has_one():
    assert typed("question_mark", "?") == "?"
    assert typed("G", "G") == "G"
    assert typed("space", " ") == "space"
    assert typed("ctrl+p", "\x10") == "ctrl+p"


def test_the_users_keys_replace_the_tables():
    keys = Keymap({"refresh": "f5,ctrl+r"})
    assert getattr(keys.press("morning", ("f5",)), "name", None) == "refresh"
    assert keys.press("morning", ("r",)) is False
    assert "`f5` `ctrl+r`" in readme_table(keys)


def test_a_verb_without_keys_is_not_shown():
    keys = Keymap({"quit": ""})
    assert ("q", "quit") not in keys.hints("morning")
    assert ("?", "help") in keys.hints("morning")


def test_keys_of_the_user_that_clash_are_reported_in_a_sentence():
    with pytest.raises(LoopdeskError) as failed:
        Keymap({"refresh": "w"})
    assert "w" in failed.value.what and "'window'" in failed.value.what and "'refresh'" in failed.value.what
    assert "On the screen Morning" in failed.value.what
    assert "[keys]" in failed.value.do


def test_a_clash_names_the_screen_where_it_is():
    with pytest.raises(LoopdeskError, match="On the screen Trace the key F would mean both"):
        Keymap({"kinds": "F"})


@pytest.mark.parametrize("screen", REACHABLE)
def test_what_writes_is_bound_nowhere_on_a_read_only_desk(screen: str):
    keys = Keymap(read_only=True)
    assert not any(verb.writes for verb in keys.on(screen))
    for verb in VERBS:
        if verb.writes and verb.scope in REACHABLE[screen]:
            for stroke in parse(verb.keys):
                assert getattr(keys.press(screen, stroke), "name", "") != verb.name
                assert keys.refused(screen, stroke) == verb
            assert verb.short not in [word for _, word in keys.hints(screen) if verb.short]


def test_keys_that_clash_only_with_what_is_left_out_are_reported_on_a_read_only_desk_too():
    with pytest.raises(LoopdeskError, match="'export'"):
        Keymap({"kinds": "e"}, read_only=True)


def test_keys_for_a_verb_that_does_not_exist_are_reported():
    with pytest.raises(LoopdeskError, match="no such command"):
        Keymap({"fly": "x"})


def test_help_begins_with_what_belongs_to_the_screen_and_shows_the_users_keys():
    lines = ["".join(text for text, _ in line) for line in help_lines(Keymap({"sort": "O"}), "rounds", PALETTE)]
    assert lines[0] == f"Keys: {SCOPES['rounds']}"
    assert any(line.split()[:1] == ["O"] and "Sort" in line for line in lines)
    assert not any("pane by its letter" in line for line in lines)


PALETTE = palette(load("loopdesk-dark"))


def test_the_readme_table_has_every_verb():
    table = readme_table()
    assert all(verb.help in table for verb in VERBS)
    assert table.startswith("| where | keys | what |\n| --- | --- | --- |\n")
