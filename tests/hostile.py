"""Text that means harm, or that no terminal draws as it is counted, and how to tell that it did none.

`CORPUS` goes into every field that can reach a screen, a file or a pipe. Each sample begins with its own name, so that
a test can see that it is still readable. `assert_harmless` is for what we print; `assert_ours` for what we draw.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from pyte import Screen, Stream
from wcwidth import wcwidth

_HARM = {
    # Sequences a terminal obeys
    "csi": "\x1b[31m\x1b[2J\x1b[H\x1b[10;10Hred",
    "csi-8bit": "\x9b31m\x9b2Jred",
    "csi-half": "red\x1b[38;2;",
    "title": "\x1b]0;owned\x07\x1b]2;owned\x1b\\after",
    "title-8bit": "\x9d0;owned\x9cafter",
    "osc52": "\x1b]52;c;cm0gLXJmIH4=\x07after",
    "osc52-half": "\x1b]52;c;cm0gLXJmIH4=",
    "osc8": "\x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\after",
    "dcs": "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\after",
    "dcs-8bit": "\x90q#0;2;0;0;0\x9cafter",
    "apc": "\x1b_Ga=T,f=24;AAAA\x1b\\after",
    "pm-sos": "\x1b^private\x1b\\\x1bXstart\x1b\\after",
    "reset": "\x1bc\x1b(0\x0e\x0fafter",
    "modes": "\x1b[?1049l\x1b[?25h\x1b[?1000h\x1b[>25u\x1b[?2004lafter",
    "answerback": "\x05\x1b[c\x1b[6n\x1b[18tafter",
    "nested": "\x1b\x1b[31m\x1b]\x1b]0;x\x07\x1b[\x1b[1mafter",
    "c0": "a\x00b\x01c\x07d\x08e\x0bf\x0cg\x7fh",
    "c1": "".join(map(chr, range(0x80, 0xA0))) + "after",
    "paste": "\x1b[201~rm -rf ~\r\x1b[200~after",
    # Line ends and blanks
    "lines": "one\ntwo\r\nthree\rfour\u2028five\u2029six\x85seven",
    "tabs": "a\tb\t\t\tc",
    "blanks": "a\u00a0b\u2003c\u3000d\u1680e" + " " * 300 + "end",
    # Text that lies about its order or its letters
    "bidi": "user\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061cend",
    "zero-width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg",
    "tags": "a" + "".join(chr(0xE0000 + ord(char)) for char in "hidden") + "\U000e007fb",
    "fillers": "a\u115f\u1160\u3164\uffa0\u2800b",
    "homoglyph": "p\u0430yp\u0430l",
    # Widths that terminals count differently
    "zalgo": "z" + "\u0301\u0316\u0489\u035c" * 60 + "algo",
    "orphan-mark": "\u0301\u20dd\u093e mark",
    "emoji-joined": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f44d\U0001f3fd",
    "emoji-chosen": "\u2764\ufe0f 1\ufe0f\u20e3 \u00a9\ufe0f \U0001f1e9\U0001f1ea",
    "cjk": "夜間実験のループ한국어실험ｆｕｌｌｗｉｄｔｈ",
    "jamo": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "indic": "क्षत्रिय தமிழ் ไทย ພາສາ မြန်မာ",
    "arabic": "\ufdfd السلام عليكم עברית",
    "ambiguous": "①Ⅳ※→■○★",
    # Encodings
    "surrogates": "half \ud83d or \udc00 and \udcff",
    "replacement": b"\xff\xfe caf\xe9".decode("utf-8", "replace"),
    "mojibake": "don\u00e2\u0080\u0099t say \u00e2\u0080\u009cthis\u00e2\u0080\u009d again",
    "noncharacters": "\ufffe\uffff\U0010ffff\ue000 private",
    # Markup of Textual, Rich and others
    "markup-action": "[@click=app.quit]quit[/] [@click=\"app.exit('x')\"]x[/]",
    "markup-style": "[bold red on white]b[/bold red on white][/][link=https://evil.example]l[/link]",
    "markup-broken": "[/][/nothing][[[]]\\[ [$x] [b",
    "emoji-code": ":pile_of_poo: :warning:",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>&lt;",
    "braces": "{0} {project} %s %(x)s ${HOME} `id` $(id)",
    "sql": "'; DROP TABLE events; -- \" ) OR 1=1",
    "path": "../../../etc/passwd",
    "formula": "=cmd|' /C calc'!A0",
    # Sizes
    "long": "word " * 5_000,
    "unbroken": "x" * 50_000,
    "wide": "漢" * 2_000,
    "digits": "9" * 5_000,
}
CORPUS: dict[str, str] = {name: f"{name} {text}" for name, text in _HARM.items()}
LARGE = "large " + "\x1b[31m漢\u202e" * 1_300_000  # 10 MB as UTF-8

_WORTH_A_LOOK = re.compile(r"[^\n\t -~]+")
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Me"}
_MARKS = {"Mn", "Mc"}
_COUNTED_DIFFERENTLY = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff]")
_TOO_MANY_MARKS = 5
# All that a desk says to a terminal: colours, where the cursor goes, blanks it erases and steps over, the modes it sets
# and takes back, the shape of the pointer, a copy.
_OURS = re.compile(
    r"\x1b\[[\d;]*m"
    r"|\x1b\[\d+(?:;\d+)?H"
    r"|\x1b\[\d+[XC]"
    r"|\x1b\[\?(?:7|25|1000|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]"
    r"|\x1b\[\?20(?:26|48)\$p"
    r"|\x1b\[>\d+u|\x1b\[<u"
    r"|\x1b\]22;[a-z-]+\x07"
    r"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"
)


class Emulated(Screen):
    """Pyte, which at some marks without width forgets the rest of what it was given; so it is given one at a time."""

    def draw(self, data: str) -> None:
        for char in data:
            super().draw(char)


def assert_harmless(printed: str | bytes) -> None:
    """Nothing in it is obeyed, hidden, reordered or stacked. Line ends and tabs are allowed: they are ours to print."""
    text = printed.decode("utf-8") if isinstance(printed, bytes) else printed
    for match in _WORTH_A_LOOK.finditer(text):
        marks = 0
        for char in match[0]:
            category = unicodedata.category(char)
            where = f"{char!r} in {text[max(0, match.start() - 30) : match.end() + 30]!r}"
            assert category not in _UNSEEN, f"unseen {where}"
            assert category not in ("Zl", "Zp"), f"a line end {where}"
            marks = marks + 1 if category in _MARKS else 0
            assert marks < _TOO_MANY_MARKS, f"a stack of marks {where}"
            assert not _COUNTED_DIFFERENTLY.match(char), f"counted differently: {where}"


def assert_ours(stream: bytes) -> None:
    """A terminal's stream holds only sequences that the desk sends, and between them only harmless text."""
    assert_harmless(_OURS.sub("", stream.decode("utf-8")).replace("\r", ""))


def cells(line: str) -> int:
    """How far a terminal moves its cursor for the line."""
    if line.isascii() and line.isprintable():
        return len(line)
    screen = Emulated(2 * len(line) + 8, 2)
    Stream(screen).feed(line)
    assert screen.cursor.y == 0, f"more than one line: {line!r}"
    return screen.cursor.x


@lru_cache(maxsize=10_000)  # screens repeat their lines
def assert_as_wide(line: str, width: int) -> None:
    """The line fills `width` cells exactly, as we count and as a terminal does, and is harmless."""
    assert_harmless(line)
    assert "\n" not in line and "\t" not in line, f"not one line: {line!r}"
    assert sum(map(wcwidth, line)) == width, f"counted otherwise: {line!r}"
    assert cells(line) == width, f"drawn otherwise: {line!r}"


def rounds(now: datetime, corpus: dict[str, str] = CORPUS) -> Iterator[dict]:
    """A run of one round for each sample, which stands in every property that a screen may show."""
    for number, text in enumerate(corpus.values()):
        at = now - timedelta(minutes=5 * number + 8)
        common = {
            "project": text,
            "client": text,
            "agent": text,
            "run_id": f"{text}-run",
            "round_id": f"{text}-{number}",
            "git_sha": text,
            "model": text,
            "scorer_version": text,
        }
        score, cost = 0.5 + number / 200, 0.03
        steps = (
            ("round_started", {"baseline_score": 0.4, "n_prior_rounds": 1}),
            ("proposal_generated", {"cost_usd": cost, "latency_ms": 900}),
            ("proposal_applied", {"target": text}),
            ("round_scored", {"score": score, "score_goal": "max", f"dim_{text}": score, "scorer_variant": text}),
            ("round_kept", {"delta": 0.01, "new_best": score, "cost_usd": cost})
            if number % 2
            else ("round_reverted", {"failure_mode": text, "delta": -0.01, "cost_usd": cost}),
            ("model_escalated", {"from_model": text, "to_model": text, "reason": text, "stall_rounds": 2}),
            ("step.tool_returned", {"step_id": text, "tool": text, "ok": False, "error": text}),
            ("$ai_generation", {"$ai_model": text, "$ai_input": text, "$ai_output_choices": [{"content": text}]}),
            ("$exception", {"$exception_message": text, "$exception_type": text}),
            ("stop_triggered", {"reason": text, "rounds_completed": 1, "final_best_score": score}),
            (text, {"custom": text, text[:200]: text}),
        )
        for place, (name, properties) in enumerate(steps):
            yield {
                "event": name,
                "distinct_id": text,
                "timestamp": (at + timedelta(seconds=20 * place)).isoformat(),
                "uuid": str(UUID(int=number * 1000 + place)),
                "properties": {**common, **properties},
            }
