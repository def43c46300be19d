"""What words speak for: the lexicon that rules read issues and notes by. Data, and how a line of it is written.

A cue's phrases are separated by ` | `; each is a regular expression that begins and ends at a word's edge. Repetitions
are bounded: anybody may write the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.judge import Actionability
from engine.rules.verdict import ASK, DROP, START


@dataclass(frozen=True, slots=True)
class Cue:
    """`points` for `speaks_for` where `pattern` is found; `says` is the reason it gives."""

    speaks_for: Actionability
    points: float
    says: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Loud:
    """What makes a report as urgent as `priority`, and the sentence for it."""

    priority: int
    says: str
    pattern: re.Pattern[str]


def _phrases(text: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<!\w){phrase}(?!\w)" for phrase in text.split(" | ")), re.IGNORECASE)


def _cue(speaks_for: Actionability, points: float, says: str, phrases: str) -> Cue:
    return Cue(speaks_for, points, says, _phrases(phrases))


_FILE = r"[\w/.-]{1,80}\.(?:py|toml|json|jsonl|md|ya?ml|sql|sh|txt|cfg|ini|js|ts|rs|go|tsv|csv)"
# How a title begins that says what to change.
_IMPERATIVE = (
    "accept add align allow apply assign average avoid backfill batch bind bound bring build bump cache call cap cast "
    "catch change check clean clear clip close collect compare compute convert copy correct count cover create cut "
    "decode deduplicate default defer delete detect disable distinguish do drain drop enable encode end escape exclude "
    "expect expose extend fail fall fetch fill filter finish fix flag flush follow forget format give group guard "
    "handle hide hold ignore import include increase index invalidate join keep let lift limit link list load lock log "
    "lower make mark mask match measure mend merge move name normalise normalize note open order pad parse pass pin "
    "point prefer prevent print prune pull push put quote raise read rebuild record reduce refresh refuse reject "
    "release reload remove rename repair replace report rescore resend reserve reset resolve respect restart restore "
    "retry return reuse revert rewrite rotate round route run sample save say scale score seed send separate serve set "
    "shorten show skip sort spell split start stop store strip subtract switch sync tag take tell test throttle time "
    "treat trim truncate turn undo unify update upgrade use validate verify version wait warn weigh widen wrap write"
).replace(" ", "|")

# A report whose title is none of its signals' has been thought about, and the title's form says what came of it: the
# first of these that fits.
CONCLUDED: Sequence[Cue] = (
    Cue(ASK, 2.5, "it ends in a question", re.compile(r"\?\s{0,9}(?:\([^)]{0,80}\))?\Z")),
    Cue(START, 1.5, "it says what to change", re.compile(rf"\A(?:{_IMPERATIVE})\b", re.IGNORECASE)),
    Cue(DROP, 2.0, "it states something and asks for nothing", re.compile("")),
)
# In the title and in what was written.
IN_WORDS: Sequence[Cue] = (
    _cue(
        START,
        0.5,
        "something is broken",
        r"crash | exception | error | traceback | regressed | fails? | broken | wrong | unreadable",
    ),
    _cue(
        ASK,
        2.0,
        "a person has to go there",
        r"(?:replace|buy|start|call|renew|plug)[^\n]{0,120}(?<!\w)"
        r"(?:disk|machine|host|box|ntp|key|card|contract|account) | "
        r"owners? disagree",
    ),
    _cue(
        ASK,
        1.0,
        "it asks who or which",
        r"may (?:we|the|i) | who | which\b[^.\n]{0,120}\? | should we | shall | is (?:this|it|that) (?:intended|meant)",
    ),
    _cue(
        DROP,
        1.5,
        "it is a guess or a wish",
        r"maybe | perhaps | might | not sure | felt | somehow | strange | a bit | would be nice | some day | idea | "
        r"no hurry | curious | thank you | thanks | great (?:job|work|tool)",
    ),
    _cue(DROP, 1.5, "it is advertising", r"spam | followers | cheap | buy now | casino"),
    _cue(DROP, 1.0, "it is over or known", r"duplicate | one (?:slow|bad|odd) night | false positive | of a removed"),
    _cue(
        DROP,
        1.0,
        "nothing has to change",
        r"feature request | at the floor | because the client wants | differ by 1 %",
    ),
)
# In what was found out, and in what was written.
IN_EVIDENCE: Sequence[Cue] = (
    _cue(START, 2.0, "it names the line", rf"{_FILE}:\d+"),
    _cue(START, 1.0, "it names the file", _FILE),
    Cue(START, 1.0, "it names the function", re.compile(r"\b[a-z_]\w*\(\)")),
    _cue(
        START,
        1.5,
        "it names the change that did it",
        r"(?=[0-9a-f]{0,39}\d)[0-9a-f]{3,40} (?:added|removed|dropped|changed|moved|set)",
    ),
    _cue(
        START,
        1.0,
        "the mistake is described",
        r"by mistake | typo | off by one | twice | only at exit | no time-?out | instead of | double[- ]counts? | "
        r"without (?:a |an )?(?:reset|reason|mask\w*|check\w*|escap\w*|lock\w*|limit\w*) | in quotes | "
        r"never (?:reset|closed|released|called) | is (?:missing|empty|ignored|never|relative|hard[- ]coded|text) | "
        r"miss(?:es|ing) | ignores? | forgets? | lacks? | local time | a string | "
        r"not (?:escaped|closed|awaited|reset|sorted|checked|read|set|passed|rounded|converted) | "
        r"wrong (?:key|unit|sign|path|order|file|zone|index|field)",
    ),
    _cue(
        START,
        1.0,
        "it says what the code does",
        r"uses? | splits? | formats | compares | asks for | treats | writes | sets | reads | cuts",
    ),
    _cue(START, 0.5, "it names the setting", r"\w{1,60} = \S+"),
    _cue(START, 1.0, "a small change undoes it", r"diff of \d+ lines | revert | one line | roll(?:ed)? back"),
    _cue(
        START,
        0.5,
        "it can be repeated",
        r"since (?:deploy|commit|version|round) | failing since | every time | profile",
    ),
    _cue(
        ASK,
        2.0,
        "it lies outside of the code",
        r"not in (?:the|any) repositor(?:y|ies) | not managed by | not ours | no access | cannot be reached | "
        r"their (?:repository|account|machine|server) | no credentials | subscription",
    ),
    _cue(
        ASK,
        1.5,
        "somebody else decides on it",
        r"protected | policy | contracts? | legal | licen[cs]es? | gdpr | personal data | approval | permissions? | "
        r"needs? (?:a |the )?(?:decision|consent|answer|signature) | owner\b.{0,120}\b(?:says|decides)",
    ),
    _cue(
        ASK,
        1.5,
        "nothing written down decides it",
        r"nobody (?:wrote|knows|said) | no (?:note|record|rule|decision|name) | not written down | unknown which | "
        r"spec(?:ification)? (?:says nothing|is silent) | undefined | not decided | still open",
    ),
    _cue(
        ASK,
        1.5,
        "there are two ways",
        r"both\b[^.]{0,120}\bvalid | for and (?:one )?against | disagrees? | trade-?off | "
        r"either\b[^.]{0,120}\bor | depends on | "
        r"half of the (?:users|clients|team) | two (?:options|ways|prices|answers)",
    ),
    _cue(
        ASK,
        1.5,
        "somebody chose it so",
        r"agreed with | by hand | on purpose | deliberate(?:ly)? | intended | picked | chosen",
    ),
    _cue(
        ASK,
        1.5,
        "money stands against quality",
        r"(?:double|triple|twice) the cost | saves? \$\S+ | would (?:cost|double|triple) | "
        r"costs? \$\S+ (?:more|a month) | "
        r"budget | quality \S+ against | at the price of",
    ),
    _cue(
        ASK,
        2.0,
        "a machine or an account needs a person",
        r"smart status | failing disk | disk (?:is )?(?:full|failing) | power | cable | host is down | quota | "
        r"expire[ds]? | invoice | billing | hardware",
    ),
    _cue(
        DROP,
        2.0,
        "it is within the noise",
        r"within (?:\w+ )?(?:noise|sigma|spread|range|limits?) | sigma | below the noise | not significant | "
        r"by chance | "
        r"spread of (?:ten|\d+) (?:runs|reruns) | no (?:real )?difference | p = 0\.[1-9]\d* | "
        r"only (?:two|three|four|[2-9]) (?:rounds|cases|runs|samples)",
    ),
    _cue(DROP, 2.0, "it was decided before", r"declined | duplicate | no new (?:figures|evidence|data)"),
    _cue(
        DROP,
        2.0,
        "it is gone",
        r"cannot be reproduced | not reproducible | last event on | "
        r"(?:was|were) (?:removed|deleted|retired) (?:on|in) | "
        r"never came (?:back|again) | gone since | no repeat | none since | not (?:seen )?(?:again|since) | "
        r"only once | "
        r"retired | old version | outdated | planned | maintenance | outage",
    ),
    _cue(
        DROP,
        2.0,
        "it went by itself",
        r"(?:next|following|later) (?:night|run|day)s?\b[^.]{0,120}\b(?:\d+ rounds|normal|usual|fine|again) | "
        r"recovered | "
        r"back to (?:normal|usual) | by itself | resolved itself",
    ),
    _cue(
        DROP,
        2.0,
        "nothing is broken",
        r"no error | nothing (?:is )?(?:broken|wrong) | as (?:documented|designed|expected|intended) | "
        r"works (?:as|fine) | is documented | meant to",
    ),
    _cue(
        DROP,
        1.5,
        "it does no harm",
        r"false positive | temporary folder | only in (?:a )?tests? | not used | unused | fixture | test data | "
        r"harmless",
    ),
    _cue(DROP, 1.5, "it is advertising", r"account (?:is )?\w+ (?:hours?|days?) old | advert\w* | spam"),
    _cue(DROP, 1.5, "it is wanted so", r"keep our | wants? (?:it|them) so | wanted so | note of the client"),
    _cue(DROP, 1.0, "the code has no part in it", r"equal | unchanged | no deploy | outside | shared with a"),
)
ADDRESSED = _phrases(
    r"merged (?:this|at|on|yesterday|today) | pull request #?\d+ (?:\w+ )?(?:merged|open|restores|fixes|is) | "
    r"branch \S+ (?:was )?pushed | assigned to | branch exists | building since | fixed in | "
    r"already (?:fixed|merged) | "
    r"(?:agent task|proposal)\b[^.\n]{0,120}\b(?:running|building|open) | "
    r"(?:script|entry|code)s?\b[^.\n]{0,120}\bwere removed | \d+\.\d+ (?:moved|fixed|fixes|removed)"
)
LOUD: Sequence[Loud] = (
    Loud(
        0,
        "It sounds as if a secret lay open.",
        _phrases(
            r"phx_\w* | sk-\w+ | prints the key | "
            r"(?:key|token|secret|password)s?\b[^.\n]{0,120}\b(?:logs?|prints?|in full|public|leak\w*)"
        ),
    ),
    Loud(
        0,
        "It sounds as if what is recorded were wrong, and could not be had back.",
        _phrases(r"records? (?:are |were )?overwritten | data (?:is |was )?lost | wrong records | without a rubric"),
    ),
    Loud(
        0,
        "It sounds as if whole loops stood still.",
        _phrases(r"no events from any | host\S* is down | nothing (?:runs|ran) | all loops"),
    ),
    Loud(
        1,
        "It sounds as if whole nights or a client's trust were at stake.",
        _phrases(
            r"no \w[\w ]{0,60} for (?:two|three|four|five|\d+) nights | crash\w* | kill switch | consent\w* | "
            r"lawyer | legal"
        ),
    ),
    Loud(
        1,
        "It sounds as if most of a night, or the scores themselves, were affected.",
        _phrases(
            r"(?:three|four|five|ten|\d\d?) times (?:as|in a row) | \d+ times in a row | gives? 0\.\d+ more | "
            r"leak(?:age|s)? of | val(?:idation|_\w+)\b[^.\n]{0,120}\b(?:jumped|fell|dropped)"
        ),
    ),
    Loud(
        3,
        "It sounds as if it looked wrong and worked.",
        _phrases(
            r"readme | docs? | typo | colou?rs? | theme | contrast | legend | rename | cosmetic | label | "
            r"wording | noise"
        ),
    ),
)
"""The first that is found; where none is, a report is P2, and one where nothing has to be done P4."""
