"""What a key means on a screen: the verbs with the user's own keys put in.

Keys are matched by `Keymap.press` rather than by Textual's bindings, which know no sequences (`gg`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.strokes import parse, spell
from tui.verbs import REACHABLE, SCOPES, VERBS, Verb
from workspace.errors import LoopdeskError


class Keymap:
    """The table with the user's own keys put in: `overrides` are verb name -> keys, "" for none. `read_only` leaves out
    every verb that writes: it is bound nowhere and offered nowhere.

    Raises `LoopdeskError` for a verb that does not exist and for a key with two meanings on one screen.
    """

    def __init__(
        self,
        overrides: Mapping[str, str] | None = None,
        verbs: Sequence[Verb] = VERBS,
        *,
        read_only: bool = False,
    ) -> None:
        overrides = overrides or {}
        known = {verb.name for verb in verbs}
        for name, keys in overrides.items():
            if name not in known:
                raise LoopdeskError(
                    f"[keys] in the configuration names {name!r}, but there is no such command",
                    do=f"Commands are {', '.join(sorted(known))}",
                )
            if not isinstance(keys, str):
                raise LoopdeskError(f"[keys] in the configuration gives {name!r} {keys!r}", do='Write "j,down"')
        self._strokes = {verb.name: parse(overrides.get(verb.name, verb.keys)) for verb in verbs}
        # With all verbs, so that keys which are good today are good without --read-only too.
        for clash in conflicts(verbs, self._strokes):
            raise LoopdeskError(
                f"On the screen {clash.screen} the key {clash.key} would mean both {clash.one!r} and {clash.other!r}",
                "Each key of a screen has one meaning",
                "Change one of them under [keys] in the configuration",
            )
        self.verbs = tuple(verb for verb in verbs if not (read_only and verb.writes))
        self._left_out = tuple(verb for verb in verbs if read_only and verb.writes)

    def press(self, screen: str, typed: tuple[str, ...]) -> Verb | bool:
        """The verb that the typed keys mean on `screen`; True while they may still become one, else False."""
        may_follow = False
        for verb in self.on(screen):
            for stroke in self._strokes[verb.name]:
                if stroke == typed:
                    return verb
                may_follow |= stroke[: len(typed)] == typed
        return may_follow

    def on(self, screen: str) -> tuple[Verb, ...]:
        """The verbs of a screen, the most particular scope first."""
        scopes = REACHABLE[screen]
        return tuple(sorted((v for v in self.verbs if v.scope in scopes), key=lambda v: scopes.index(v.scope)))

    def refused(self, screen: str, typed: tuple[str, ...]) -> Verb | None:
        """The verb that the keys would mean here if the desk were not read-only."""
        scopes = REACHABLE[screen]
        left_out = (verb for verb in self._left_out if verb.scope in scopes)
        return next((verb for verb in left_out if typed in self._strokes[verb.name]), None)

    def spelled(self, verb: Verb) -> str:
        """The verb's keys as people read them."""
        return " ".join(spell(stroke) for stroke in self._strokes[verb.name])

    def key(self, name: str, screen: str) -> str:
        """The first key of a verb, as people read it; empty where the screen does not have it."""
        strokes = self._strokes[name] if any(verb.name == name for verb in self.on(screen)) else ()
        return spell(strokes[0]) if strokes else ""

    def hints(self, screen: str) -> list[tuple[str, str]]:
        """(key, word) of the verbs that the status line shows."""
        shown = [verb for verb in self.on(screen) if verb.short and self._strokes[verb.name]]
        return [(spell(self._strokes[verb.name][0]), verb.short) for verb in shown]


def screen_name(screen: str) -> str:
    """As a sentence names it: by its most particular scope, which of Morning is the panes' that Boards has too."""
    return "Morning" if screen == "morning" else SCOPES[REACHABLE[screen][0]]


@dataclass(frozen=True, slots=True)
class Clash:
    screen: str
    key: str
    one: str
    other: str


def conflicts(verbs: Sequence[Verb], strokes: Mapping[str, tuple[tuple[str, ...], ...]]) -> list[Clash]:
    """Keys with two meanings on one screen, and sequences that begin with another verb's key."""
    found: dict[tuple[str, str, str], Clash] = {}
    for screen, scopes in REACHABLE.items():
        pressed: dict[str, list[tuple[tuple[str, ...], str]]] = {}  # by the first key
        for stroke, name in ((stroke, v.name) for v in verbs if v.scope in scopes for stroke in strokes[v.name]):
            earlier = pressed.setdefault(stroke[0], [])
            for other_stroke, other in earlier:
                shorter, longer = sorted((other_stroke, stroke), key=len)
                if name != other and longer[: len(shorter)] == shorter:
                    clash = Clash(screen_name(screen), spell(shorter), other, name)
                    found.setdefault((clash.key, other, name), clash)
            earlier.append((stroke, name))
    return list(found.values())


def readme_table(keymap: Keymap | None = None) -> str:
    """The key table of the README, as Markdown."""
    keymap = keymap or Keymap()
    lines = ["| where | keys | what |", "| --- | --- | --- |"]
    for scope, heading in SCOPES.items():
        for place, verb in enumerate(verb for verb in keymap.verbs if verb.scope == scope):
            keys = " ".join(f"`{key}`" for key in keymap.spelled(verb).split())
            lines.append(f"| {heading if not place else ''} | {keys} | {verb.help} |")
    return "\n".join(lines) + "\n"
