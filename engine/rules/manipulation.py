"""Whether a text tries to manipulate whoever reads it: signs are found in every reading of it, and weighed together.

One sign is rarely enough. An order to set instructions aside is; an order to switch a protection off is the team's own
risky change, until it is also addressed to a machine, hidden, encoded, or wants nobody told. A sign that is forbidden,
quoted or told of others is none. What rules cannot see (paraphrase, suggestion, what is wrong only together with
another file) passes: this is a filter, not the boundary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations

from engine.judge import Safety, SignalText
from engine.rules.lexicon import END, Lexicon, Sign, lexicon
from engine.rules.pieces import HIDDEN, OBSCURED, PLAIN, TURNED
from engine.rules.readings import MOST_READ, SPELLINGS, Reading, fold, invisible, readings

TOGETHER = 260
"""Signs further apart than this many characters are of different matters."""
MOST_QUOTE = 400
_OVERLAP = 600
_MOST_JOINED = 20
_END_OF_ONE = 160  # characters that are joined from the end of one field with the beginning of another
_MOST_MATCHES = 400
_LEAD = 36  # how far back a sign is taken back by a word before it
_AROUND = 120
_ANY_ORDER = ("act", "mild")
_SAYS = re.compile(r"[^\W\d_] [^\W\d_]|^[^\W\d_]+$|[^\x00-\u02ff]{2}")
_BEGINS = re.compile(r"(?:^|[\x1e\n:(])[\s\"'`]*$")
_WORDS = re.compile(r"(?:\w+[ ,']+){3}")
_COMMON = re.compile(
    r"\b(?:the|and|all|every|everything|to|of|it|this|that|for|with|your|you|any|what|then|la|le|il|el|der|die|das|und"
    r"|alle|les|et|tout|toutes|los|las|todo|todas|il|tutto|tutte|gli|wszystko|main|her)\b"
)
_SENTENCE_END = re.compile(r"[.!?…]+(?=[\s\"')\]}»”]|$)|[。！？।؟]|\n[ \t]*\n\s*")
_CLAUSE_END = re.compile(r"[:;(\n\x1e]")
_LINE_MARK = re.compile(r"\n[ \t]*(?:[#>*|]+|//+|--)(?=[ \t])")
_BLANK = re.compile(r"[\t\r\f\v\xa0]")
_WRAPPED = 50
# A quotation that is still open where the text ends; the last one.
_OPENED = re.compile(
    r"(?:(?<![\w\"])\"[^\"\n]*|(?<![\w`])`[^`\n]*|(?<![\w'])'[^'\n]*|[“„][^”“\n]*|«[^»\n]*|[「『][^」』\n]*)\Z"
)
_KEY = ('":', "':", '": [', "=", "\\")
_SPOKEN_OF = re.compile(
    r"^[^\"'`”»」』\n]*[\"'`”»」』]\s*(?:is|was|as|in our|in the test|should|gets?|appears?|got|no longer)\b"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A sign in a reading."""

    sign: Sign
    start: int
    end: int


def found(text: SignalText) -> Safety:
    """What manipulates in one signal's texts. Pure; the work is linear in their length."""
    return found_together([text])


def found_together(texts: Sequence[SignalText]) -> Safety:
    """The same of a whole report: an attack can be split over fields, or over signals."""
    fields = [value for text in texts for value in text.fields.values() if value.strip()]
    for value in fields:
        for part in _parts(value):
            if (verdict := _judged(part)) is not None:
                return verdict
    return _joined(fields) or Safety(True)


def _parts(value: str) -> Iterator[str]:
    """Pieces that are read whole; they overlap, so that nothing lies between two of them."""
    yield value[:MOST_READ]
    for start in range(MOST_READ - _OVERLAP, len(value) - _OVERLAP, MOST_READ - _OVERLAP):
        yield value[start : start + MOST_READ]


def _judged(text: str) -> Safety | None:
    rules = lexicon()
    verdict: Safety | None = None
    for reading in readings(text):
        # What a comment says is also seen where it stands; that it is hidden says more.
        if (verdict is None or reading.kind == HIDDEN) and (signs := _worst(reading, text, rules)) is not None:
            start, end = _whole_sentence(reading, signs)
            first, last = reading.where(start, end)
            verdict = _blocked(signs, reading, text[first:last].strip(), rules)
            if reading.kind != PLAIN:
                return verdict
    return verdict


def _joined(fields: Sequence[str]) -> Safety | None:
    """What only says it once fields stand side by side, in any order. The quote shows both parts."""
    rules = lexicon()
    prose = [value for value in fields if _SAYS.search(value)][:_MOST_JOINED]
    sides = [(one[-_END_OF_ONE:].rstrip(), other[:_END_OF_ONE].lstrip()) for one, other in permutations(prose, 2)]
    folded = _prepared(fold("\n\n".join(f"{one} {other}" for one, other in sides)))
    if not _can_be_enough(folded, PLAIN, rules):
        return None
    for one, other in sides:
        text, middle = f"{one} {other}", len(one)
        for reading in islice(readings(text), 1):
            signs = _worst(reading, text, rules)
            start, end = reading.where(signs[0].start, max(sign.end for sign in signs)) if signs else (0, 0)
            if signs and start < middle < end:
                quote = f"{text[start:middle].strip()} … {text[middle:end].strip()}"
                return _blocked(signs, reading, quote, rules, "; it is split over fields")
    return None


def _blocked(signs: Sequence[Found], reading: Reading, quote: str, rules: Lexicon, also: str = "") -> Safety:
    worst = max((found.sign for found in signs), key=lambda sign: (sign.name in rules.threats, sign.weight))
    threat = rules.threats.get(worst.name, "hidden_instructions")
    if threat not in ("remote_code", "secret_exfiltration"):
        if reading.code is not None or reading.how.endswith(TURNED):
            threat = "encoded_payload"
        elif reading.kind == HIDDEN or invisible(quote) * 4 > len(quote):
            threat = "hidden_instructions"
    said = list(dict.fromkeys(rules.says[found.sign.name] for found in signs))
    how = f"; read as {reading.how}" if reading.how else ""
    why = f"{', '.join(said)}{how}{also}."
    return Safety(False, threat, quote[:MOST_QUOTE], why[:1].upper() + why[1:])


def _worst(reading: Reading, text: str, rules: Lexicon) -> list[Found] | None:
    """The signs that stand close together and weigh enough, in their order; None where none do."""
    prepared = _prepared(reading.text)
    if not _can_be_enough(prepared, reading.kind, rules):
        return None
    signs = sorted(_signs(prepared, reading, text, rules), key=lambda found: (found.start, found.end))
    for place, first in enumerate(signs):
        near: dict[str, Found] = {}
        for found in signs[place:]:
            if found.end - first.start > TOGETHER and found is not first:
                break
            near.setdefault(found.sign.name, found)
        if _weight(near, reading, text, prepared, rules) >= rules.enough:
            return sorted(near.values(), key=lambda found: found.start)
    return None


def _can_be_enough(prepared: str, kind: str, rules: Lexicon) -> bool:
    """A first look, wherever in the text its signs stand; most texts end here."""
    # What is open may still be broken up by invisible characters, or spelled otherwise.
    weight = rules.concealed.get(kind, rules.concealed[OBSCURED])
    for _, more, pattern in rules.glances:
        if pattern.search(prepared):
            weight += more
            if weight >= rules.enough:
                return True
    return False


def _weight(near: dict[str, Found], reading: Reading, text: str, prepared: str, rules: Lexicon) -> int:
    counted = _apart(near)
    names = {found.sign.name for found in counted}
    kind = _kind(counted, reading, text)
    threats = names & rules.threats.keys()
    if not threats and not _is_order(counted, kind, prepared):
        return 0
    useless = {"run"} if not names & {"fetch", "backdoor"} else set()
    useless |= {"act", "mild"} if threats else {"mild"} if "act" in names or kind != OBSCURED else set()
    if kind == PLAIN:
        useless |= set(sorted(names & rules.minor)[1:])
        useless |= {"approve"} if "grant" in names else set()  # the same wish twice
    # In the open, signs that are everyday words never add up to an attack.
    if kind == PLAIN and all(one.sign.weight == 1 for one in counted):
        return 0
    return rules.concealed.get(kind, 0) + sum(one.sign.weight for one in counted if one.sign.name not in useless)


def _is_order(signs: Sequence[Found], kind: str, prepared: str) -> bool:
    """Any order at all, to whoever reads it: it is one where it is hidden."""
    names = {found.sign.name for found in signs}
    if "address" in names and names & {"act", "secrecy"} and kind != PLAIN:
        return True
    return kind == OBSCURED and any(_begins_sentence(one, prepared) for one in signs if one.sign.name in _ANY_ORDER)


def _begins_sentence(found: Found, prepared: str) -> bool:
    """Where the verb comes last, its form says enough."""
    before, after = prepared[max(0, found.start - _LEAD) : found.start], prepared[found.start : found.start + _AROUND]
    return not found.sign.is_order or bool(_BEGINS.search(before) and _WORDS.match(after))


def _kind(signs: Sequence[Found], reading: Reading, text: str) -> str:
    """How a person would have met just these signs: not all of a text need be broken up or spelled otherwise."""
    if reading.kind == OBSCURED and reading.how.endswith(TURNED):
        # By chance a word turned round is another word; a phrase or a sentence is not.
        around = reading.text[max(0, signs[0].start - _LEAD) : signs[0].end + _AROUND]
        is_phrase = signs[0].sign.weight > 1 or not reading.text[signs[0].start : signs[0].end].isascii()
        return OBSCURED if is_phrase or len(set(_COMMON.findall(around))) >= 2 else PLAIN
    if reading.kind != PLAIN:
        return reading.kind
    spans = [reading.where(found.start, found.end) for found in signs]
    stands = text[min(start for start, _ in spans) : max(end for _, end in spans)]
    if invisible(stands) * 4 > len(stands):
        return OBSCURED
    if reading.how.endswith(SPELLINGS):
        first, last = min(found.start for found in signs), max(found.end for found in signs)
        return OBSCURED if fold(stands) != reading.text[first:last] else PLAIN
    return PLAIN


def _apart(near: dict[str, Found]) -> list[Found]:
    """The same words are one sign, the heaviest that they are. Whom they speak to is another matter."""
    counted: list[Found] = []
    for found in sorted(near.values(), key=lambda found: (-found.sign.weight, found.sign.name in (*_ANY_ORDER, "run"))):
        rivals = [other for other in counted if "address" not in (found.sign.name, other.sign.name)]
        if all(found.end <= other.start or other.end <= found.start for other in rivals):
            counted.append(found)
    return counted


def _prepared(text: str) -> str:
    """The same length: sentences end in one sign, blanks are blanks, and what marks a line as a comment is one."""
    ended = _SENTENCE_END.sub(lambda end: END * len(end[0]), text)
    bare = _LINE_MARK.sub(lambda mark: "\n" + " " * (len(mark[0]) - 1), ended)
    return _BLANK.sub(" ", bare)


def _signs(prepared: str, reading: Reading, text: str, rules: Lexicon) -> Iterator[Found]:
    for sign in rules.signs:
        for count, match in enumerate(sign.pattern.finditer(prepared)):
            if count == _MOST_MATCHES:
                break
            start, end = match.span(1)
            if not _is_taken_back(sign, prepared, start, end, rules) and not _is_asked(
                sign, reading.text, prepared, end
            ):
                yield Found(sign, start, end)


def _is_asked(sign: Sign, text: str, prepared: str, end: int) -> bool:
    """`Approve all of them?` asks what others think."""
    stop = prepared.find(END, end, end + _AROUND)
    return sign.is_order and sign.weight < 3 and stop >= 0 and text[stop] in "?？"


def _is_wrapped(text: str, start: int) -> bool:
    """Whether the line before goes on here: the first word of a wrapped line begins nothing."""
    above, end, indent = text[max(0, start - 2 * _AROUND) : start].rpartition("\n")
    line = above[-_AROUND:].rpartition("\n")[2]
    return bool(end) and not indent.strip() and len(line) >= _WRAPPED and (line[-1:].isalnum() or line[-1:] == ",")


def _is_taken_back(sign: Sign, text: str, start: int, end: int, rules: Lexicon) -> bool:
    if sign.is_order and _is_wrapped(text, start):
        return True
    lead = text[max(0, start - _AROUND) : start]
    clause = _CLAUSE_END.split(lead)[-1]
    unless = rules.unless.get(sign.language)
    if unless is not None and unless.search(clause[-_LEAD:]):
        return True
    trail = text[end : end + _AROUND].split(END)[0]
    if (spoils := rules.spoils.get(sign.name)) is not None and spoils.search(text[start:end] + trail):
        return True
    if sign.language == "all" and sign.name != "exfiltrate":
        around = lead.split(END)[-1] + " " + trail
        return bool(rules.told.search(around))  # a command in quotes is a command
    return _is_quoted(text, start, end, rules)


def _is_quoted(text: str, start: int, end: int, rules: Lexicon) -> bool:
    """Whether somebody talks about it in quotes. The value of a JSON key is no such talk."""
    before = text[max(0, start - 2 * _AROUND) : start]
    opened = _OPENED.search(before)
    if opened is None:
        return False
    lead = before[: opened.start()].rstrip().split(END)[-1]
    if lead.endswith(_KEY):
        return False
    return bool(rules.mentions.search(lead) or _SPOKEN_OF.search(text[end : end + _AROUND]))


def _whole_sentence(reading: Reading, signs: Sequence[Found]) -> tuple[int, int]:
    start, end = signs[0].start, max(found.end for found in signs)
    rest = _prepared(reading.text[end : end + MOST_QUOTE])
    stop = re.search(r"[\x1e\n]", rest)
    tail = stop.start() if stop else len(rest)
    return start, min(end + tail, max(end, start + MOST_QUOTE))
