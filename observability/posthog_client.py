"""What a loop sends to PostHog: one file to copy into the loop unchanged. Needs only `posthog` and `python-ulid`.

With this module as `ph`:

    with ph.run():
        for n in range(20):
            with ph.round_(agent="coder"):  # events and model calls inside carry this round's id and its flags
                if ph.should_stop() or ph.over_budget():  # before anything is told of the round
                    break
                scorer = strict if ph.variant("scorer_v2") == "test" else usual
                ph.round_started(model="small", baseline_score=best, n_prior_rounds=n)
                ph.step_plan("shorten the prompt", next_action="edit", confidence=0.7)
                report = ph.step_tool("pytest", run_tests, {"path": "tests/"}, timeout_ms=60_000)
                ph.round_scored(report.score, dimensions={"clarity": 0.8, "tone": 0.6})
                ph.round_kept(delta=report.score - best, new_best=True, cost_usd=0.042)
        ph.stop_triggered(reason="max_rounds", rounds_completed=20, total_cost_usd=0.8, final_best_score=0.91)

Environment: POSTHOG_API_KEY, POSTHOG_HOST, POSTHOG_PROJECT_ID, AUTORESEARCH_PROJECT, AUTORESEARCH_CLIENT,
AUTORESEARCH_GIT_SHA, AUTORESEARCH_FLAGS (only these, with commas between), AUTORESEARCH_KILL_SWITCH (the flag that
stops loops, else `stop_loops`), AUTORESEARCH_PRIVACY, AUTORESEARCH_REDACTION_KEY, LOOPDESK_SPOOL, and
LOOPDESK_STRICT=1 for development, where a wrong property is an error. At night it is corrected or left out with a
warning, because nothing here may stop a loop.

Model calls: hand `default_client().sdk` to PostHog's wrapper of Anthropic, OpenAI, Gemini or LangChain, and call it in

    with ph.model_call(phase="critique", task_type="code"):  # proposal, critique, score or refine
        answer = client.messages.create(...)

Each is one `$ai_generation` under the round's trace, with a span id, below the step or the call that made it. The
server adds what it cost, unless the call came with `$ai_input_cost_usd` and `$ai_output_cost_usd` as
`posthog_properties`. AUTORESEARCH_PRIVACY=1 keeps prompts, completions, tools and messages of errors home.

Redaction: keys, passwords, tokens and cookies; e-mail addresses, phone numbers (with their country or named so) and
payment cards; ids of Google's tags and accounts (GTM-, GT-, G-, UA-, AW- with its label, DC-, those of Tag Manager's
API), Meta's pixels and Docker's or OCI's containers. An id becomes a tag such as GTM-[kfcaeb], the same for the same
id in this process; with AUTORESEARCH_REDACTION_KEY, a secret of your own, in all processes and nights. Names, postal
and IP addresses, names of pods and ids without a word around them stay: `add_redaction` takes rules of your own.

Flags are read once, when a round begins, and stay as they are until it ends. A flag goes by agent, as PostHog has it,
or by round where its `bucketing_identifier` is `device_id`: that is the round's id here. Conditions may ask for the
person properties `project`, `client` and `agent`. Where PostHog does not answer, the last that is known holds.

But for that, `FLAGS_WAIT_S` at most, nothing here waits for the network. An event is redacted and written to this
process's spool file first, and a thread sends from there: a dead host or a `kill -9` loses no event. The next start
sends what is left with the same uuid and time, and PostHog stores it once. Lost is only what a power cut takes from the
disk's cache, what is beyond `SPOOL_BYTES` of a process, and what the disk refused if the process ends before it is
sent.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import functools
import hmac
import inspect
import io
import json
import logging
import math
import os
import re
import secrets
import stat
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Concatenate, ParamSpec, TypeVar
from uuid import UUID

P = ParamSpec("P")
T = TypeVar("T")
Fields = Mapping[str, Any]
Text = str | None  # in signatures None is "not known"; such a property is not sent
Number = float | None

log = logging.getLogger("loopdesk")

SPOOL_BYTES = 64 * 1024 * 1024  # of one process: about 60,000 events
MEMORY_BYTES = 8 * 1024 * 1024  # of events that the disk refused
EVENT_BYTES = 900 * 1024  # PostHog refuses an event of 1 MB
BATCH_BYTES = 512 * 1024  # about; one event may be more
BATCH_EVENTS = 100
GATHER_S = 1.0  # a first event waits this long for company
RETRY_S = 60.0  # the longest pause after failures; the first is 2 s
RESCAN_S = 60.0  # between looks for files of processes that are gone
TIMEOUT_S = 10.0  # of one request
SHUTDOWN_S = 4.0
KILL_SWITCH = "stop_loops"  # the flag that ends a loop where it is on
FLAGS_WAIT_S = 1.5  # that the beginning of a round waits for its flags
FLAGS_TIMEOUT_S = 5.0  # of their request, which has a thread of its own
FLAGS_PATIENCE = 2  # failures in a row, after which no round waits until there was an answer in time
FLAGS_ON_EVENTS = 100  # of one project's, the first by name

TEXT_LIMITS = {  # characters
    "plan": 500, "args_json": 2000, "error": 400, "prior_error": 400, "rationale": 800, "$ai_error": 800,
}  # fmt: skip
PHASES = ("proposal", "critique", "score", "refine")  # of a model call; "propose" is taken for the first
# What privacy keeps home of a model call.
SAID = ("$ai_input", "$ai_output", "$ai_output_choices", "$ai_input_state", "$ai_output_state", "$ai_instructions",
        "$ai_tools")  # fmt: skip
_NUMBERS = re.compile(r"dim_.+|delta_from_last|(?:.*_)?(?:score|usd|cost|ms|delta|quality|tokens|confidence)")


class TrackingError(ValueError):
    """In development: a property that the boards could not read."""


# ---------------------------------------------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True)
class Settings:
    """Where events go and in whose name. No `host` is PostHog's US cloud; no `git_sha` is looked up."""

    api_key: str = field(default="", repr=False)
    host: str = ""
    posthog_project_id: str = ""  # for links and the private API; sending does not need it
    project: str = ""
    client: str = "internal"
    git_sha: str = ""
    spool: Path | None = None  # the folder for events that are not delivered yet; None is the platform's
    strict: bool = False
    privacy: bool = False  # prompts and completions stay home
    redaction_key: str = field(default="", repr=False)  # for tags of ids that hold in all processes and nights
    flags: tuple[str, ...] = ()  # the keys of those that are read; empty is all
    kill_switch: str = KILL_SWITCH

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        found = os.environ if environment is None else environment

        def said(name: str) -> str:
            return found.get(name, "").strip()

        def is_on(name: str) -> bool:
            return said(name).lower() in ("1", "true", "yes", "on")

        return cls(
            api_key=said("POSTHOG_API_KEY"),
            host=said("POSTHOG_HOST"),
            posthog_project_id=said("POSTHOG_PROJECT_ID"),
            project=said("AUTORESEARCH_PROJECT"),
            client=said("AUTORESEARCH_CLIENT") or "internal",
            git_sha=said("AUTORESEARCH_GIT_SHA"),
            spool=Path(os.path.expanduser(said("LOOPDESK_SPOOL"))) if said("LOOPDESK_SPOOL") else None,  # noqa: PTH111
            strict=is_on("LOOPDESK_STRICT"),
            privacy=is_on("AUTORESEARCH_PRIVACY"),
            redaction_key=said("AUTORESEARCH_REDACTION_KEY"),
            flags=tuple(key.strip() for key in said("AUTORESEARCH_FLAGS").split(",") if key.strip()),
            kill_switch=said("AUTORESEARCH_KILL_SWITCH") or KILL_SWITCH,
        )


def spool_folder() -> Path:
    """The platform's folder for state that outlives a process."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return base / "loopdesk" / "spool"


def find_git_sha() -> str:
    """The commit of the loop's code: of this file's repository, else of the current folder's; empty where none is."""
    for folder in (Path(__file__).resolve().parent, Path(os.curdir)):
        with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2)
            if done.returncode == 0:
                return done.stdout.strip()
    return ""


# ------------------------------------------------------------------------------------------------------ values


def new_id() -> str:
    """A ULID: it sorts by time, and PostHog takes it as a trace id."""
    from ulid import ULID

    return str(ULID())


def new_uuid() -> str:
    """An event's id that sorts by time, as a UUIDv7: a store's index on ids then grows at its end only.

    A ULID has the same layout, milliseconds in front, but for the bits that say version and variant."""
    from ulid import ULID

    bits = int.from_bytes(ULID().bytes, "big")
    return str(UUID(int=bits & ~(0xF << 76 | 0b11 << 62) | 7 << 76 | 0b10 << 62))


def as_number(value: Any) -> float | None:
    """A finite number from what a loop may call one ("$0.042" is 0.042); None where it would be a guess."""
    if isinstance(value, str):
        # "0,042" may be a decimal or a thousand; with a point behind it a comma can only be the latter.
        if "," in value and "." not in value.rpartition(",")[2]:
            return None
        value = re.sub(r"[$€£,\s]|USD|EUR|GBP", "", value)
    elif not hasattr(value, "__float__"):
        return None
    try:
        number = value if type(value) is int else float(value)
        return number if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError):
        return None


def is_number(value: object) -> bool:
    """Whether `value` is a finite number as it is: numpy's and decimals are, texts and booleans are not."""
    return not isinstance(value, (str, bool)) and as_number(value) is not None


def json_only(value: Any, change: Callable[[str], str] = str, depth: int = 0) -> Any:
    """A copy that JSON can hold, with `change` applied to every text in it. Values with secret names are taken out."""
    if isinstance(value, str):
        return change(value[:] if value.isascii() else value.encode("utf-8", "replace").decode())
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > 40:  # deeper is a circle
        return "[too deep]"
    if isinstance(value, Mapping):
        pairs = ((str(name), item) for name, item in value.items())
        return {
            change(name): json_only(
                "[redacted]" if item and _SECRET_NAME.fullmatch(name) else _with_its_name(name, item, change),
                change,
                depth + 1,
            )
            for name, item in pairs
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_only(item, change, depth + 1) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return as_number(value) if is_number(value) else json_only(str(value), change)


def _with_its_name(name: str, value: Any, change: Callable[[str], str]) -> Any:
    """`value` as `change` leaves it where it stands behind its name, as in a text."""
    if isinstance(value, (str, int)) and not isinstance(value, bool) and _TELLING_NAME.fullmatch(name):
        said = change(f"{name}: {value}")
        return value if said == f"{name}: {value}" else said.partition(": ")[2]
    return value


def as_json(value: object) -> str:
    """`value` as text for a person; whatever it is, this does not raise."""
    try:
        return json.dumps(value, default=str, ensure_ascii=False)
    except Exception:  # a __str__ of the loop's own may raise anything
        return f"<{type(value).__name__}>"


def described(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def one_line(text: str) -> str:
    """What can be shown on a terminal of a text from elsewhere."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:200].strip()


def size_of(result: object) -> int:
    """Bytes of a tool's result as text."""
    if result is None or isinstance(result, (bytes, bytearray)):
        return len(result or b"")
    return len((result if isinstance(result, str) else as_json(result)).encode("utf-8", "replace"))


def clipped(name: str, value: Any) -> Any:
    limit = TEXT_LIMITS.get(name)
    return value[: limit - 1] + "…" if limit and isinstance(value, str) and len(value) > limit else value


def line_of(message: dict[str, Any]) -> bytes:
    """One event as a line. One too large for PostHog gives up its largest properties, and says so."""
    line = json.dumps(message).encode() + b"\n"
    while len(line) > EVENT_BYTES:
        size, name = max((len(json.dumps(value)), name) for name, value in message["properties"].items())
        if size < 1000:
            break
        message["properties"][name] = f"[left out: {size:,} bytes]"
        line = json.dumps(message).encode() + b"\n"
    return line


# --------------------------------------------------------------------------------------------------- redaction

_SECRET_NAME = re.compile(
    r"(?i)(?:.*[_-])?(?:(?:api|access|private|secret|redaction)[_-]?key|passw(?:or)?d|passphrase|authorization|cookie|secret"
    r"|(?:access|refresh|auth|id|session|bearer|api|bot)?[_-]?token|credentials?)"
)
# What is to be taken out of the value can only be seen with its name.
_TELLING_NAME = re.compile(
    r"(?i)(?:.*[_-])?(?:(?:account|container|pixel|conversion)[_-]?(?:id|label)|hostname"
    r"|(?:phone|mobile|telephone|tel|fax|whatsapp)(?:[_-]?(?:number|no|nr))?)"
)
_NAMED = (
    r"([aprstAPRST](?i:(?:pi|ccess|rivate|ecret|edaction)[_-]?(?:access[_-]?)?key|ecret|oken|assw(?:or)?d|assphrase)"
)
# Where a word and a number begin: also behind the `\n` of JSON in a text, and behind the `%3D` of an address.
_BEGINS = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f]{2}))"
_NUMBER_BEGINS = re.compile(r"(?<![\w.+\\-])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f]{2})")
_DIGITS = re.compile(r"[2-6]\d{3}(?:\d{9,15}|([ -])\d{4}\1\d{4}\1\d{4}|([ -])\d{6}\2\d{5})(?![\dA-Za-z]|[.-]\d)")
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7]|35|65)\d{14}|6(?:011|4[4-9]\d)\d{12}|3[47]\d{13}|3[068]\d{12}"
)
_PHONE = r"\+?\(?\d(?:[ ./()-]{0,3}\d){6,14}(?!\d)"
_HEX = r"(?P<id>[0-9a-f]{64}|[0-9a-f]{12})(?![0-9A-Za-z])"

_NO_DIGITS = str.maketrans("0123456789", "ghijklmnop")


def _email(match: re.Match[str]) -> str:
    """An address; the `n` of a `\\n` in front of it looks like its first letter."""
    is_escape = match.string[max(0, match.start() - 1) : match.start()] == "\\" and match[0][0] in "bfnrt"
    return f"{match[0][0]}[email]" if is_escape else "[email]"


def _phone(match: re.Match[str]) -> str:
    """A number with its country. Without spaces it has to be longer, because counts and times have a sign too."""
    digits = sum(map(str.isdigit, match[0]))
    return match[0] if digits < (9 if len(match[0]) > digits + 1 else 11) else "[phone]"


def _without_cards(text: str) -> str:
    """Payment cards are known by their first digits, their length and their last digit (Luhn)."""
    at = 0
    while match := _DIGITS.search(text, at):
        digits = re.sub(r"\D", "", match[0])
        doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
        is_right = (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0 and _CARD.fullmatch(digits)
        if is_right and _NUMBER_BEGINS.match(text, match.start()):
            text = f"{text[: match.start()]}[card]{text[match.end() :]}"
        at = match.start() + 1  # one may begin inside what was none: 2026 4111 1111 1111 1111
    return text


# Each: words of which a text holds one if the pattern can fit at all, those in small letters also as capitals; the
# pattern; what comes instead.
_RULES: tuple[tuple[str, str, str | Callable[[re.Match[str]], str]], ...] = (
    (
        "-----BEGIN",
        # A private key that was cut off has no END: then everything behind its BEGIN goes.
        r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
        "[redacted]",
    ),
    ("://", r"(://[^/\s:@\"']{0,256}):[^/\s\"']{1,256}@", r"\1:[redacted]@"),
    (
        "sk- k_live k_test phc_ phx_ phs_ gho_ ghp_ ghu_ ghs_ ghr_ github_pat_ glpat- AKIA ASIA AIza xoxa- xoxb- xoxc- "
        "xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- hf_ npm_ gsk_ r8_ xai- pypi- eyJ lsv2_ aWQ9R1RN ya29. SG. dckr_pat_",
        _BEGINS + r"(?:sk-(?:ant|proj|or|svcacct)-[\w-]{8,}|sk-[A-Za-z0-9]{20,}|sk-(?=[\w-]{0,64}\d)[\w-]{16,}"
        r"|[srp]k_(?:live|test)_\w{10,}|ph[cxs]_[\w-]{10,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
        r"|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{30,}|xox[a-z]-[\w-]{10,}|(?:hf|npm|gsk|r8)_[A-Za-z0-9]{20,}"
        r"|ya29\.[\w.-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|dckr_pat_[\w-]{16,}"
        r"|xai-[\w-]{20,}|pypi-[\w-]{20,}|lsv2_\w{20,}|eyJ[\w-]{8,2000}\.[\w-]{8,4000}(?:\.[\w-]{8,2000})?"
        # The configuration of a tagging server: in base64 `id=GTM-...` and what lets one in.
        r"|aWQ9R1RN[\w+/=-]{8,})",
        "[redacted]",
    ),
    ("gtm_auth", r"(gtm_auth(?:=|%3[Dd]))[\w-]{8,}", r"\1[redacted]"),
    (
        "authorization",
        r"(?i)(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)(?:(?:basic|bearer|token)\s+)?[^\s\"',;\\]{4,}",
        r"\1[redacted]",
    ),
    ("cookie", r"(?i)(cookie\\?[\"']?\s*:\s*\\?[\"']?[\w.-]{1,64}=)[^\s\"'\\][^\r\n\"'\\]*", r"\1[redacted]"),
    ("hooks.slack.com", r"(hooks\.slack\.com/(?:services|workflows)/)[\w/-]{8,}", r"\1[redacted]"),
    (
        "--",  # as an argument of a command
        r"(?i)(--(?:[a-z]{1,20}-){0,3}(?:passw(?:or)?d|passphrase|secret|(?:api|access|private)-key"
        r"|(?:access|auth|api|bearer)-token)\s+)[^\s\"'\\-][^\s\"'\\]{3,}",
        r"\1[redacted]",
    ),
    ("bearer", r"(?i)\b(bearer)\s+(?:(?=[\w.~+/=-]{0,64}\d)[\w.~+/=-]{8,}|[\w.~+/=-]{16,})", r"\1 [redacted]"),
    ("key secret token passw passphrase", _NAMED + r"\\?[\"']?\s*[:=]\s*\\?[\"'])[^\"'\\\n]+", r"\1[redacted]"),
    (
        "key secret token passw passphrase",
        _NAMED + r"\s*[:=]\s*)(?!(?i:none|null|true|false)\b)[^\s\"'\\&,;]{4,}",
        r"\1[redacted]",
    ),
    (
        "@ %40",  # no address: git@github.com, icon@2x.png, q@k.transpose(0, 1)
        r"(?<![\w.+-])(?!git@)[\w.+-]{1,64}(?:@|%40)(?!\dx\.)(?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,24}(?![\w(-])",
        _email,
    ),
    ("+", r"\+(?<![\w.+\\\n-]\+)(?<!\\[bfnrt]\+)[1-9](?:[ /()-]{0,2}\d){7,14}(?!\d)", _phone),
    (
        'phone mobile tel. tel: tel" tel\\" fax whatsapp',
        r"(?i)((?<![A-Za-z])(?:phone|mobile|telephone|tel|fax|whatsapp)(?:[\s_-]?(?:number|no|nr))?\W{1,6}?)" + _PHONE,
        r"\1[phone]",
    ),
)

# What names a container, a tag or an account, in its named groups: it becomes a tag that is the same for the same id.
_IDS: tuple[tuple[str, str], ...] = (
    (
        "GTM- GT- G- UA- AW- DC-",
        _BEGINS + r"(?:GTM-(?P<gtm>[A-Z0-9]{6,9})|GT-(?P<gt>[A-Z0-9]{7,11})|G-(?P<ga>[A-Z0-9]{10,12})"
        r"|UA-(?P<ua>\d{4,10})-\d{1,4}|AW-(?P<ads>\d{8,12})(?:(?:\\?/|%2[Ff])(?P<label>[\w-]{11,30}))?"
        r"|DC-(?P<floodlight>\d{6,10}))(?![A-Za-z0-9])",
    ),
    (
        "conversion",
        r"(?i:conversion)[\s_-]?(?:(?i:id)\W{1,16}(?P<id>\d{8,12})(?!\d)"
        r"|(?i:label)\W{1,16}(?P<label>(?=[\w-]*[a-z])(?=[\w-]+[A-Z])[\w-]{16,30}))",
    ),
    (
        "pixel fbq facebook.com/tr",
        r"(?i)(?:fbq\(\W{0,40}init\W{1,40}|pixel(?:[\s_-]?id)?\W{1,16}|facebook\.com/tr/?\?id=)(?P<id>\d{14,17})(?!\d)",
    ),
    ("account container", r"(?i)(?:account|container)(?:s(?:\\?/|%2f)|[\s_-]?id\W{1,16})(?P<id>\d{5,12})(?!\w)"),
    ("container", r"(?i:container)(?:[\s_-]?(?i:id))?\W{1,16}" + _HEX),
    ("docker containerd cri-o crio podman libpod", r"(?:docker|containerd|cri-?o|podman|libpod)(?:://|[/-])" + _HEX),
    ('"Id', r"\"Id\\*\":\s{0,3}\\*\"(?P<id>[0-9a-f]{64})(?![0-9a-f])"),
    ("hostname", r"(?i:hostname)\W{1,4}" + _HEX),
)
# The same inside a part of a text: a command, the list that one prints, the path of a control group.
_PARTS: tuple[tuple[str, str, str], ...] = (
    (
        "docker podman nerdctl crictl",
        r"(?:docker|podman|nerdctl|crictl)\s+(?:container\s+)?(?:attach|commit|cp|create|diff|exec|export|inspect|kill"
        r"|logs|pause|port|restart|rm|run|start|stats|stop|top|unpause|wait)\b(?:[^\n\\]|\\(?!n))*",
        r"(?<![=:@0-9A-Za-z])" + _HEX,
    ),
    ("CONTAINER", r"(?s)CONTAINER ID.*", r"(?m)(?:^|(?<=\\n))" + _HEX + r"(?=\s{2})"),
    ("kubepods", r"kubepods[^\s\"']*", r"(?<![:@0-9A-Za-z])" + _HEX),
)


class Redactor:
    """Takes out of texts what may not leave the loop. The rules go in order; a client's own come last.

    A container's id is short, so anybody could try all of them against a plain hash: its tag is keyed (HMAC-SHA256).
    Without a `key` it is this process's own, and tags cannot be followed from one process to the next.
    """

    def __init__(self, key: str = "") -> None:
        self._key = key.encode() or secrets.token_bytes(32)
        self._changes: list[Callable[[str], str]] = []
        self._needles: list[tuple[str, int]] = []
        self._exact: list[tuple[str, int]] = []
        for needles, pattern, replacement in _RULES:
            self._add(needles, functools.partial(_replaced, re.compile(pattern), replacement))
        self._add("", _without_cards)
        for needles, pattern in _IDS:
            self._add(needles, functools.partial(_replaced, re.compile(pattern), self._tagged))
        for needles, pattern, ids in _PARTS:
            inside = functools.partial(_replaced, re.compile(ids), self._tagged)
            self._add(needles, functools.partial(_replaced, re.compile(pattern), functools.partial(_part, inside)))

    def _add(self, needles: str, change: Callable[[str], str]) -> None:
        for needle in needles.split() or [""]:
            (self._needles if needle == needle.casefold() else self._exact).append((needle, len(self._changes)))
        self._changes = [*self._changes, change]
        self._short = functools.lru_cache(maxsize=2048)(self._changed)

    def add(self, pattern: str | re.Pattern[str], replacement: str) -> None:
        """Raises `re.error` at once for what would fail at night."""
        rule = re.compile(pattern)
        rule.sub(replacement, "")
        self._add("", functools.partial(_replaced, rule, replacement))

    def text(self, text: str) -> str:
        # Names and ids come again with every event.
        return self._short(text) if len(text) <= 64 else self._changed(text)

    def _changed(self, text: str) -> str:
        # A pattern costs a hundred times what it costs to see that it cannot fit, which is most of the time.
        small = text.casefold()
        found = {place for needle, place in self._needles if needle in small}
        found |= {place for needle, place in self._exact if needle in text}
        for place in sorted(found):
            text = self._changes[place](text)
        return text

    def _tagged(self, match: re.Match[str]) -> str:
        """The match with a tag in place of each named group."""
        said = match[0]
        for name in sorted(match.groupdict(), key=match.start, reverse=True):
            if match[name]:
                begin, end = (place - match.start() for place in match.span(name))
                said = f"{said[:begin]}[{self.tag(match[name])}]{said[end:]}"
        return said

    def tag(self, identifier: str) -> str:
        """Six letters. Of a container's long id and its short one, the first twelve digits, it is one."""
        known = identifier[:12] if len(identifier) == 64 else identifier
        digest = hmac.digest(self._key, known.encode(), "sha256").hex()[:6]
        return digest.translate(_NO_DIGITS)  # digits would look like another id


def _part(change: Callable[[str], str], match: re.Match[str]) -> str:
    return change(match[0])


def _replaced(rule: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str], text: str) -> str:
    # `sub` alone prepares its replacement even for nothing.
    return rule.sub(replacement, text) if rule.search(text) else text


# --------------------------------------------------------------------------------------------------- the spool


class Spool:
    """A JSONL file used as a queue: appended at its end, sent from its front, emptied when all of it is sent.

    Locked while a process uses it. The kernel frees the lock when that process dies, however it dies: a lock that can
    be had means an owner that is gone. Not thread-safe; `Delivery` takes turns.
    """

    def __init__(self, file: BinaryIO, path: Path | None = None, limit: int = SPOOL_BYTES) -> None:
        self.path, self._file, self._limit = path, file, limit
        self._size, self._sent = file.seek(0, os.SEEK_END), 0

    @classmethod
    def create(cls, folder: Path, project: str) -> Spool:
        """Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(3):
            path = folder / f"{project}.{new_id()}.jsonl"
            made = cls.open(path, os.O_CREAT | os.O_EXCL)
            if made:
                return made
            path.unlink(missing_ok=True)  # another process took it for an abandoned one before it was locked
        raise OSError("its files cannot be locked")

    @classmethod
    def open(cls, path: Path, flags: int = 0) -> Spool | None:
        """None where another process has it or it is not ours. Raises OSError."""
        flags |= os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
        is_free = _lock(file)
        facts = os.fstat(file.fileno())
        is_ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == (os.getuid() if hasattr(os, "getuid") else 0)
        if is_free and is_ours and facts.st_nlink:  # 0: whoever had the lock before has sent and removed it
            return cls(file, path)
        file.close()
        return None

    @property
    def has_pending(self) -> bool:
        return self._sent < self._size

    def append(self, line: bytes) -> None:
        """Raises OSError where the disk or the limit refuses the line; then nothing of it is in the file."""
        if self._size + len(line) > self._limit:
            raise OSError(f"the limit of {self._limit:,} bytes is reached")
        self._file.seek(self._size)
        if self._file.write(line) != len(line):
            self._file.truncate(self._size)
            raise OSError("the disk is full")
        self._size += len(line)

    def next(self) -> tuple[list[dict[str, Any]], int]:
        """The oldest events that are not sent, and the position behind them. A line that is no event is passed over."""
        self._file.seek(self._sent)
        read = self._file.read(BATCH_BYTES)
        if b"\n" not in read:
            read += self._file.read(EVENT_BYTES)
        *lines, rest = read.split(b"\n")
        if not lines:  # a last line that a crash cut short, or one longer than any that is written here
            return _events([rest]), self._sent + len(rest)
        lines = lines[:BATCH_EVENTS]
        return _events(lines), self._sent + sum(map(len, lines)) + len(lines)

    def sent(self, position: int) -> None:
        """What is before `position` is delivered, and will not be sent again even if this process dies now."""
        rest = self._size - position
        if rest == 0 or position >= max(rest, 1024 * 1024):
            # Moved to the front only where it does not overlap: killed meanwhile, the file holds it twice, not never.
            self._file.seek(position)
            tail = self._file.read(rest)
            self._file.seek(0)
            self._file.write(tail)
            self._file.truncate(rest)
            self._size, self._sent = rest, 0
        else:
            self._file.seek(self._sent)
            self._file.write(b" " * (position - self._sent - 1) + b"\n")
            self._sent = position

    def close(self) -> None:
        """Give the lock back, and remove the file where nothing is left in it."""
        self._file.close()
        if self.path and not self.has_pending:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def abandon(self) -> None:
        """Close the copy that a fork made; file and lock stay with the parent."""
        self._file.close()


def _lock(file: Any) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(2**30)  # far behind the data, which Windows would forbid others to read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _events(lines: list[bytes]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict) and event.get("event") and event.get("distinct_id"):
                found.append(event)
    return found


# ---------------------------------------------------------------------------------------------------- delivery


class Delivery:
    """Spools events and sends them from a thread of its own. `put` never waits for the network and never raises."""

    def __init__(self, folder: Path, project: str, host: str, api_key: str, warn: Callable[[str, str], None]) -> None:
        """Without an `api_key` events are only kept. `warn` gets a key and a sentence, to be said once."""
        self._folder, self._host, self._api_key, self._warn = folder, host, api_key, warn
        self._project = re.sub(r"[^A-Za-z0-9_-]+", "_", project)[:64] or "unnamed"
        self._reset()
        if hasattr(os, "register_at_fork"):
            weak = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _after_fork(weak()))
        with self._turn:
            self._start()  # with what earlier processes left

    def _reset(self) -> None:
        self._takes_events = False  # whether the host has taken any
        self._turn = threading.Condition()  # guards what follows
        self._own: Spool | None = None
        self._memory = Spool(io.BytesIO(), limit=MEMORY_BYTES)  # of what the disk refused
        self._left: Spool | None = None  # of a process that is gone
        self._rescan_at = 0.0
        self._asked = self._answered = 0  # who flushes draws a number and waits for it
        self._failures = 0
        self._deadline: float | None = None  # set when stopping
        self._thread: threading.Thread | None = None

    def after_fork(self) -> None:
        """In the child: the parent keeps its file and its events; the child's first event makes a file of its own."""
        for spool in (self._own, self._left):
            if spool:
                spool.abandon()
        self._reset()

    def put(self, line: bytes) -> None:
        with self._turn:
            try:
                if self._own is None:
                    self._own = Spool.create(self._folder, self._project)
                self._own.append(line)
            except OSError as error:
                self._remember(line, error.strerror or str(error))
            self._start()
            self._turn.notify_all()

    def _remember(self, line: bytes, reason: str) -> None:
        try:
            self._memory.append(line)
            self._warn("memory", f"{self._folder} takes no events ({reason}); they are in memory until they are sent.")
        except OSError:
            self._warn("lost", f"Events are being lost: {self._folder} takes none ({reason}), and memory is full.")

    def flush(self, timeout_s: float) -> bool:
        """Try to send everything now; whether nothing is left. Ends early where the host does not take it."""
        with self._turn:
            if self._thread and self._thread.is_alive():
                self._asked += 1
                mine = self._asked
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._answered >= mine, timeout_s)
            return not self._has_pending()

    def stop(self, timeout_s: float) -> None:
        """One last try, for at most `timeout_s`. What is put afterwards is kept for the next start."""
        with self._turn:
            self._deadline = time.monotonic() + timeout_s
            self._asked += 1
            self._turn.notify_all()
        if self._thread and self._thread.is_alive():
            self._thread.join(timeout_s)  # it closes the files itself, even where a request outlasts this
        else:
            self._close()

    def _start(self) -> None:
        if self._thread is None and self._api_key and self._deadline is None:
            self._thread = threading.Thread(target=self._work, name="loopdesk-delivery", daemon=True)
            # While the interpreter ends no thread starts any more: then the next process sends.
            with contextlib.suppress(RuntimeError):
                self._thread.start()

    def _has_pending(self) -> bool:
        return bool(self._own and self._own.has_pending) or self._memory.has_pending

    def _work(self) -> None:
        is_stopping = False
        while not is_stopping:
            with self._turn:
                self._wait()
                ticket, is_stopping = self._asked, self._deadline is not None
            is_sent = self._send_all()
            with self._turn:
                self._failures = 0 if is_sent else self._failures + 1
                self._answered = ticket
                self._turn.notify_all()
        self._close()

    def _wait(self) -> None:
        def is_asked() -> bool:
            return self._asked > self._answered

        if self._failures:
            self._turn.wait_for(is_asked, min(2.0 ** min(self._failures, 10), RETRY_S))
        elif self._rescan_at and self._turn.wait_for(lambda: is_asked() or self._has_pending(), RESCAN_S):
            self._turn.wait_for(is_asked, GATHER_S)

    def _send_all(self) -> bool:
        """Send until nothing is left or time is up; False where the host did not take something."""
        try:
            while self._deadline is None or time.monotonic() < self._deadline:
                with self._turn:
                    spool = self._next_spool()
                    if spool is None:
                        return True
                    events, position = spool.next()
                if events:
                    self._send(events)
                with self._turn:
                    spool.sent(position)
            return True
        except Exception as error:  # whatever it is: the events are still in the spool, and the thread goes on
            self._explain(error)
            return False

    def _next_spool(self) -> Spool | None:
        for spool in (self._own, self._memory, self._left):
            if spool and spool.has_pending:
                return spool
        self._leave()
        if time.monotonic() >= self._rescan_at or self._asked > self._answered:
            self._left = self._adopt()
            self._rescan_at = 0.0 if self._left else time.monotonic() + RESCAN_S
        return self._left

    def _adopt(self) -> Spool | None:
        # A spool belongs to a project's name, not to a host or a key: mend either, and the next start delivers it.
        for path in sorted(self._folder.glob("*.jsonl")):
            if path.stem.rpartition(".")[0] in (self._project, "unnamed"):
                with contextlib.suppress(OSError):
                    spool = Spool.open(path)
                    if spool and spool.has_pending:
                        return spool
                    if spool:
                        spool.close()
        return None

    def _leave(self) -> None:
        if self._left:
            self._left.close()
        self._left = None

    def _send(self, events: list[dict[str, Any]]) -> None:
        """Raises what the SDK raises. A batch that is refused as such goes in halves, and an event that is refused
        alone by a host that takes others is set aside: it must not hold up the rest."""
        from posthog.request import batch_post

        try:
            # gzip, because prompts shrink to a tenth.
            batch_post(self._api_key, self._host, gzip=True, timeout=TIMEOUT_S, batch=events)
            self._takes_events = True
        except Exception as error:
            if getattr(error, "status", None) not in (400, 413):
                raise
            if len(events) > 1:
                middle = len(events) // 2
                # The newer half first: where the oldest event is the bad one, it is others that show the host is well.
                self._send(events[middle:])
                self._send(events[:middle])
            elif self._takes_events:
                self._set_aside(events[0], error)
            else:
                raise

    def _set_aside(self, event: dict[str, Any], error: Exception) -> None:
        path = self._folder / f"{self._project}.refused"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            file.write(line_of(event))
        self._warn(
            "set aside", f"PostHog refuses an event {event.get('event')!s:.60} ({error!s:.120}). It is in {path}."
        )

    def _explain(self, error: Exception) -> None:
        said = one_line(described(error))
        kept = f"events are kept in {self._folder}"
        status = getattr(error, "status", None)
        if isinstance(status, int) and 400 <= status < 500 and status not in (408, 429):
            mend = f"Check POSTHOG_API_KEY and POSTHOG_HOST; until then {kept} and the next start sends them."
            self._warn("refusal", f"PostHog at {self._host} refuses events ({said}). {mend}")
        else:
            self._warn("outage", f"PostHog at {self._host} cannot be reached, so {kept} until it is back ({said}).")

    def _close(self) -> None:
        with self._turn:
            if self._own:
                self._own.close()
            self._own = None
            self._leave()


def _after_fork(delivery: Delivery | None) -> None:
    if delivery:
        delivery.after_fork()


# ------------------------------------------------------------------------------------------------------- flags


@dataclass(frozen=True, slots=True)
class Knobs:
    """What the flags said at one moment, by key. A variant is its name, or true or false of a flag without variants; a
    payload is parsed JSON, and only there where its flag is on."""

    variants: Mapping[str, bool | str] = field(default_factory=dict)
    payloads: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> dict[str, bool | str]:
        """As PostHog's SDK would put them on an event."""
        return {f"$feature/{key}": self.variants[key] for key in sorted(self.variants)[:FLAGS_ON_EVENTS]}


def knobs_of(answer: Any, before: Knobs, keys: Collection[str] = ()) -> Knobs:
    """Of what `/flags` answered, for these `keys` or all; a flag that PostHog could not evaluate stays as it was.

    Raises for what is no answer, as a proxy may give one."""
    from posthog.types import normalize_flags_response, to_flags_and_payloads

    told = answer.get("flags", answer.get("featureFlags"))
    if not isinstance(told, dict):
        raise ValueError("its answer holds no flags")
    is_partial = answer.get("errorsWhileComputingFlags") is True
    # Not every server narrows them itself, and older SDKs take a flag that failed for one that is off.
    told = {key: one for key, one in told.items() if key in keys or not keys}
    sound = {key: one for key, one in told.items() if not (isinstance(one, dict) and one.get("failed"))}
    whole = {**answer, "flags": sound} if "flags" in answer else {**answer, "featureFlags": sound}
    found = to_flags_and_payloads(normalize_flags_response(whole))
    variants = {key: one for key, one in (found["featureFlags"] or {}).items() if _is_sound(key) and _is_sound(one)}
    payloads = {key: _parsed(one) for key, one in (found["featureFlagPayloads"] or {}).items() if variants.get(key)}
    if is_partial:
        payloads = {**{key: one for key, one in before.payloads.items() if key not in variants}, **payloads}
        variants = {**before.variants, **variants}
    return Knobs(variants, payloads)


def _is_sound(name: Any) -> bool:
    """A key or a variant that can stand in an event; PostHog's own limit is 400 characters."""
    return isinstance(name, bool) or (isinstance(name, str) and name.isprintable() and len(name) <= 400)


def _parsed(payload: Any) -> Any:
    """PostHog keeps a payload as JSON text."""
    try:
        return json.loads(payload) if isinstance(payload, str) else payload
    except (ValueError, RecursionError):
        return payload


class Flags:
    """Reads flags, and remembers what they were. Never raises, and waits for `FLAGS_WAIT_S` at most.

    Each request has a thread, because the SDK's time limit is one of every read from the network: a host that cannot
    be looked up, or answers in drops, would hold a round for as long as it likes. An answer that comes too late is for
    the rounds that follow.
    """

    def __init__(self, ask: Callable[..., Any], keys: Collection[str], warn: Callable[[str, str], None]) -> None:
        """`ask` is the SDK's request with key and host; it raises where there is no answer. `warn` is as elsewhere."""
        self.latest = Knobs()
        self.has_asked = False
        self._ask, self._keys, self._warn = ask, sorted(set(keys)), warn
        self._asked = self._newest = 0  # requests are numbered: a late answer does not replace that of a later one
        self._failures = self._failed_last = 0
        self._ask_at = 0.0
        self._threads: list[threading.Thread] = []

    def read(self, distinct_id: str, device_id: str, person: Fields) -> Knobs:
        """The flags as they are now, else the last that are known."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if time.monotonic() < self._ask_at or len(self._threads) >= 4:
            return self.latest
        self.has_asked = True
        self._pause()
        self._asked += 1
        number, started = self._asked, time.monotonic()
        found: list[Knobs] = []
        is_done = threading.Event()

        def ask() -> None:
            try:
                wanted = {"flag_keys_to_evaluate": self._keys} if self._keys else {}
                who = {"distinct_id": distinct_id, "device_id": device_id, "person_properties": dict(person)}
                answer = self._ask(**who, groups={}, group_properties={}, geoip_disable=True, **wanted)
                found.append(knobs_of(answer, self.latest, self._keys))
                if number > self._newest:
                    self._newest, self.latest = number, found[0]
                if time.monotonic() - started < FLAGS_WAIT_S:
                    self._failures, self._ask_at = 0, 0.0
            except Exception as error:
                self._failed(number, described(error))
            finally:
                is_done.set()

        thread = threading.Thread(target=ask, name="loopdesk-flags", daemon=True)
        self._threads.append(thread)
        thread.start()
        if self._failures < FLAGS_PATIENCE and not is_done.wait(FLAGS_WAIT_S):
            self._failed(number, f"no answer within {FLAGS_WAIT_S:g} s")
        return found[0] if found else self.latest

    def _failed(self, number: int, reason: str) -> None:
        if number == self._failed_last:  # it was too late already
            return
        self._failed_last, self._failures = number, self._failures + 1
        reason = one_line(reason)
        self._pause()
        held = "the last that are known hold" if self._newest else "defaults hold"
        self._warn("flags", f"PostHog does not tell its flags ({reason}). Until it does, {held}.")

    def _pause(self) -> None:
        if self._failures:
            self._ask_at = time.monotonic() + min(2.0 ** min(self._failures, 10), RETRY_S)


# ------------------------------------------------------------------------------------------------------ client


@dataclass(slots=True)
class Round:
    """The round that is open here."""

    round_id: str
    has_verdict: bool = False  # once it was kept or reverted
    knobs: Knobs = field(default_factory=Knobs)


_open_round: contextvars.ContextVar[Round | None] = contextvars.ContextVar("loopdesk_round", default=None)


@dataclass(slots=True)
class Span:
    """The model call or step that is open here. The first call inside a model call stands for it and takes its id from
    `free`; what a step calls stands below it."""

    span_id: str
    trace_id: str  # of calls outside of a round
    parent_id: Text
    free: list[str]
    is_step: bool = False
    is_parent: bool = False  # of another model call

    def taken(self) -> str:
        try:
            return self.free.pop()  # threads may share the call: one of them has it
        except IndexError:
            return new_id()


_open_span: contextvars.ContextVar[Span | None] = contextvars.ContextVar("loopdesk_span", default=None)


@contextmanager
def _span(span_id: str, *, is_step: bool = False) -> Iterator[Span]:
    around = _open_span.get()
    here = Span(span_id, span_id, None, [] if is_step else [span_id], is_step)
    if around:
        here.trace_id, here.parent_id = around.trace_id, around.span_id
        around.is_parent |= not is_step
    _open_span.set(here)
    try:
        yield here
    finally:
        _open_span.set(around)


class Client:
    """One loop's voice. Loops use the functions at the end of this file, which share a client made on first use.

    Every method that sends also takes `agent=` and `round_id=` (else those of the run and round around it) and any
    further property. A wrong property is a `TrackingError` in development; at night nothing that is told raises.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        from posthog import Posthog

        self.settings = said = settings or Settings.from_environment()
        self._warned: set[str] = set()
        self._redactor = Redactor(said.redaction_key)
        self._common = {"project": said.project, "client": said.client, "git_sha": said.git_sha or find_git_sha()}
        self.sdk = Posthog(
            said.api_key or "not-set",  # without a key the SDK builds no event, and there would be none to keep
            host=said.host or None,
            # The SDK builds the events and its `batch_post` sends them, but from the spool. Its own queue lives in
            # memory and dies with the process; it tells what failed but not what was delivered; and its shutdown waits
            # for a dead host without a limit.
            send=False,
            before_send=self._keep,
            privacy_mode=said.privacy,
            disable_geoip=True,  # where a loop's machine stands is no finding
            enable_exception_autocapture=False,  # tracebacks hold prompts: the loop decides which to send
            enable_local_evaluation=False,  # no polling for flags that nobody asked for
        )
        folder = (said.spool or spool_folder()).absolute()  # the loop may change its folder
        key = said.api_key if self._can_send(folder) else ""
        self._delivery = Delivery(folder, said.project, self.sdk.host, key, self._warn)
        self._flags = self._reading_flags() if key else None
        self._costs: dict[str | None, list[float]] = {}  # USD by run, as the verdicts of its rounds told them
        atexit.register(self.shutdown)

    def _can_send(self, folder: Path) -> bool:
        if not self.settings.project:
            wrong = "AUTORESEARCH_PROJECT is not set"
        elif not self.settings.api_key:
            wrong = "POSTHOG_API_KEY is not set"
        elif self.settings.api_key.startswith("phx_"):
            wrong = "POSTHOG_API_KEY is a personal key (phx_), but events are sent with the project's key (phc_)"
        else:
            return True
        self._warn("unset", f"{wrong}, so events are kept in {folder}; the first start with it right sends them.")
        return False

    def _warn(self, key: str, sentence: str) -> None:
        # Once a process: a night's log is read in the morning.
        if key not in self._warned:
            self._warned.add(key)
            log.warning("%s", sentence)

    def shutdown(self, timeout_s: float = SHUTDOWN_S) -> None:
        """Send what is left, for at most `timeout_s`; the rest stays in the spool. Called at exit by itself."""
        atexit.unregister(self.shutdown)
        self._delivery.stop(timeout_s)
        self.sdk.shutdown()

    def flush(self, timeout_s: float = SHUTDOWN_S) -> bool:
        """Send everything now; whether all of it was delivered."""
        return self._delivery.flush(timeout_s)

    def add_redaction(self, pattern: str | re.Pattern[str], replacement: str = "[redacted]") -> None:
        """One more rule for every text of every event, before it is written or sent. Raises `re.error`."""
        self._redactor.add(pattern, replacement)

    def agent_id(self, agent: str) -> str:
        """The `distinct_id` of an agent: project, client and role."""
        return f"{self.settings.project or 'unnamed'}:{self.settings.client}:{agent}"

    def track(self, event: str, *, agent: Text = None, round_id: Text = None, **props: Any) -> Text:
        """Send one event; its uuid, or None where it could not be built."""
        try:
            from posthog import get_tags

            around = get_tags()
            agent = agent or around.get("agent") or "loop"
            round_id = round_id or around.get("round_id")
            properties = {**self._checked(event, props), "agent": agent, **({"round_id": round_id} if round_id else {})}
            here = _open_round.get()
            if here and here.round_id == round_id and event in ("round_kept", "round_reverted"):
                here.has_verdict = True
            if event in ("round_kept", "round_reverted"):
                self._costs.setdefault(around.get("run_id"), []).append(properties.get("cost_usd") or 0.0)
            return self.sdk.capture(event, distinct_id=self.agent_id(agent), properties=properties, uuid=new_uuid())
        except Exception as error:
            if self.settings.strict:
                raise
            reason = self._redactor.text(described(error))[:200]
            self._warn(f"{event} broken", f"An event {event} could not be built ({reason}).")
            return None

    def _checked(self, event: str, props: Fields) -> Fields:
        if not event:
            raise TrackingError("An event needs a name.")
        known = {name: value for name, value in props.items() if value is not None}
        for name, value in known.items():
            if _NUMBERS.fullmatch(name):
                number = as_number(value)
                if not is_number(value):
                    self._complain(event, name, value, "a finite number", number)
                known[name] = float(number) if name.startswith("dim_") and number is not None else number
            elif name == "score_goal" and value not in ("min", "max"):
                known[name] = next((goal for goal in ("min", "max") if str(value).lower().startswith(goal)), None)
                self._complain(event, name, value, '"min" or "max"', known[name])
        return json_only({name: value for name, value in known.items() if value is not None})

    def _complain(self, event: str, name: str, value: object, wanted: str, instead: object) -> None:
        sentence = f"{event}: {name} is {self._redactor.text(repr(value))[:80]}, but must be {wanted}"
        if self.settings.strict:
            raise TrackingError(f"{sentence}.")
        self._warn(f"{event} {name}", f"{sentence}; {'left out' if instead is None else f'sent as {instead!r}'}.")

    def _keep(self, message: dict[str, Any]) -> dict[str, Any]:
        """The SDK's `before_send`: every event of this process passes here, those of its model wrappers too."""
        properties = {**{name: value for name, value in self._common.items() if value}, **message.pop("properties")}
        if message["event"] in ("$ai_generation", "$ai_embedding", "$ai_span", "$ai_trace"):
            self._place(message, properties)
        if properties.get("round_id"):
            # Over the trace id that the SDK's model wrappers make up for each call.
            properties["$ai_trace_id"] = properties["round_id"]
        clean = {name: json_only(value, self._redactor.text) for name, value in message.items()}
        clean["properties"] = {
            name: clipped(name, value) for name, value in json_only(properties, self._redactor.text).items()
        }
        if (here := _open_round.get()) and here.round_id == properties.get("round_id"):
            clean["properties"] = {**here.knobs.properties, **clean["properties"]}
        clean.update(uuid=message["uuid"], timestamp=message["timestamp"])  # whatever a client's rule looks like
        self._delivery.put(line_of(clean))
        return clean

    # Model calls, as PostHog's wrappers tell them.

    @contextmanager
    def model_call(self, *, phase: Text = None, task_type: Text = None, agent: Text = None) -> Iterator[str]:
        """Everything inside carries `phase` (of `PHASES`) and `task_type`; gives the span id of the call.

        It is for one call, tries of it included; a call inside one of these stands below it. A stream has to be read
        inside, because it is told when it ends. What a provider raises is told and goes on.
        """
        from posthog import get_tags

        tags = {"phase": self._phase(phase), "task_type": task_type if isinstance(task_type, str) else None}
        known = {name: value for name, value in tags.items() if value}
        with self._inside(agent or get_tags().get("agent") or "loop", **known), _span(new_id()) as here:
            try:
                yield here.span_id
            finally:
                if here.is_parent and here.free:  # no call took the id that others name
                    name = tags["phase"] or tags["task_type"] or "model call"
                    about = {"$ai_span_id": here.free.pop(), "$ai_span_name": name, "$ai_trace_id": here.trace_id}
                    self.track("$ai_span", **about, **{"$ai_parent_id": here.parent_id})

    def _phase(self, phase: Text) -> Text:
        if phase is None or phase in PHASES:
            return phase
        known = str(phase).strip().lower() if isinstance(phase, str) else ""
        known = "proposal" if known == "propose" else known
        instead = known if known in PHASES else None
        if phase != "propose":
            self._complain("a model call", "phase", as_json(phase), f"one of {', '.join(PHASES)}", instead)
        return instead

    def _described(self, error: BaseException) -> str:
        """Under privacy without its message: a provider's quotes the prompt."""
        return type(error).__name__ if self.settings.privacy else described(error)

    def _place(self, message: dict[str, Any], properties: dict[str, Any]) -> None:
        """What the wrappers leave out of a model call or make up: its place, its agent, and what is to stay home."""
        here, event = _open_span.get(), message["event"]
        made_up = {str(properties.get(name)) for name in ("$ai_trace_id", "$ai_span_id")}
        if str(message["distinct_id"]) in made_up:  # LangChain's and every stream's: a person for each call
            message["distinct_id"] = self.agent_id(str(properties.get("agent") or "loop"))
            properties.pop("$process_person_profile", None)
        if event == "$ai_trace" and properties.get("$ai_span_id") and (here or properties.get("round_id")):
            message["event"] = "$ai_span"  # a chain of LangChain's: the trace is the round
        elif not properties.get("$ai_span_id") and event != "$ai_trace":
            properties["$ai_span_id"] = here.taken() if here and event != "$ai_span" else new_id()
        if here:
            properties["$ai_trace_id"] = here.trace_id
            if not properties.get("$ai_parent_id"):
                properties["$ai_parent_id"] = here.span_id if here.is_step else here.parent_id
        if properties.get("phase"):
            properties.setdefault("$ai_span_name", properties["phase"])
        if self.settings.privacy:
            for name in SAID:
                properties.pop(name, None)

    # Run and round.

    @contextmanager
    def run(self, *, agent: str = "loop", run_id: Text = None) -> Iterator[str]:
        """One night of the loop: everything inside carries `run_id`, a ULID, which is what `with` gives."""
        run_id = run_id or new_id()
        try:
            with self._inside(agent, run_id=run_id):
                yield run_id
        finally:
            self._costs.pop(run_id, None)

    @contextmanager
    def round_(self, *, agent: Text = None, round_id: Text = None) -> Iterator[str]:
        """One round: everything inside carries `round_id`, a ULID, which is the `$ai_trace_id` of model calls too, and
        the flags' variants as they are at its beginning.

        An exception that leaves a round without a verdict is its verdict: `round_reverted`, failure mode "crash".
        """
        from posthog import get_tags

        here, around = Round(round_id or new_id()), _open_round.get()
        agent = agent or get_tags().get("agent") or "loop"
        here.knobs = self._read_flags(agent, here.round_id)
        with self._inside(agent, round_id=here.round_id):
            _open_round.set(here)
            try:
                yield here.round_id
            except Exception as error:
                if not here.has_verdict:
                    self.round_reverted(failure_mode="crash", error=self._described(error))
                raise
            finally:
                _open_round.set(around)

    @contextmanager
    def _inside(self, agent: str, **tags: str) -> Iterator[None]:
        from posthog import identify_context, new_context, tag

        with new_context(capture_exceptions=False, client=self.sdk):
            identify_context(self.agent_id(agent))  # for model wrappers, which would make up a person
            for name, value in {"agent": agent, **tags}.items():
                tag(name, value)
            yield

    # Knobs: what flags say, the same from a round's beginning to its end. Outside of a round it is the latest known.

    def variant(self, key: str, default: bool | str = False) -> bool | str:
        """The variant's name, or whether a flag without variants is on; `default` where nothing is known of it."""
        return self._knobs().variants.get(key, default)

    def payload(self, key: str, default: Any = None) -> Any:
        """What the flag carries, as parsed JSON; `default` where it is off, carries nothing or is not known."""
        return self._knobs().payloads.get(key, default)

    def should_stop(self) -> str:
        """Why the loop should end now, "" where it need not: the kill switch is on for this agent. Its payload may say
        why, as a text. Where PostHog does not answer, the last that is known of it holds."""
        key = self.settings.kill_switch
        if not self.variant(key):
            return ""
        reason = self.payload(key)
        return (one_line(reason) if isinstance(reason, str) else "") or f"the flag {key} is on"

    def nightly_budget_usd(self) -> float | None:
        """The smallest `usd` in the payloads of the flags that are on, such as `{"usd": 20}`; None without any."""
        told = [
            one for one in self._knobs().payloads.values() if isinstance(one, Mapping) and is_number(one.get("usd"))
        ]
        return min((usd for usd in (float(one["usd"]) for one in told) if usd >= 0), default=None)

    def over_budget(self) -> bool:
        """Whether what the rounds of this run have cost, as their verdicts told in this process, is the night's budget
        or more. False without a budget."""
        from posthog import get_tags

        budget = self.nightly_budget_usd()
        return budget is not None and math.fsum(self._costs.get(get_tags().get("run_id"), ())) >= budget

    def _knobs(self) -> Knobs:
        if here := _open_round.get():
            return here.knobs
        if self._flags is None or self._flags.has_asked:
            return self._flags.latest if self._flags else Knobs()
        from posthog import get_tags

        return self._read_flags(get_tags().get("agent") or "loop", "")

    def _read_flags(self, agent: str, round_id: str) -> Knobs:
        if self._flags is None:
            return Knobs()
        try:
            person = {**{name: self._common[name] for name in ("project", "client")}, "agent": agent}
            return self._flags.read(self.agent_id(agent), round_id, person)
        except Exception as error:  # no thread starts while the interpreter ends
            self._warn("flags broken", f"Flags could not be read ({self._redactor.text(described(error))[:200]}).")
            return self._flags.latest

    def _reading_flags(self) -> Flags:
        from posthog.request import flags

        # The request alone: it says what failed, where `evaluate_flags` logs a traceback and answers with nothing. It
        # also sends no `$feature_flag_called` for each look: a round's variants are on its events.
        ask = functools.partial(flags, self.settings.api_key, self.sdk.host, timeout=FLAGS_TIMEOUT_S, max_retries=0)
        keys = {*self.settings.flags, self.settings.kill_switch} if self.settings.flags else ()
        return Flags(ask, keys, self._warn)

    # Steps. Each returns its `step_id`.

    def step_plan(self, plan: str, *, next_action: Text = None, confidence: Number = None, **more: Any) -> str:
        return self._step("step.plan", more, plan=plan, next_action=next_action, confidence=confidence)

    def step_observation(self, source: str, value: Any, *, delta_from_last: Number = None, **more: Any) -> str:
        return self._step("step.observation", more, source=source, value=value, delta_from_last=delta_from_last)

    def step_reflection(self, verdict: str, *, issues: Any = None, retry: bool | None = None, **more: Any) -> str:
        return self._step("step.reflection", more, verdict=verdict, issues=issues, retry=retry)

    def step_retry(self, cause: str, *, attempt: int, prior_error: Text = None, **more: Any) -> str:
        return self._step("step.retry", more, cause=cause, attempt=attempt, prior_error=prior_error)

    def step_tool(
        self, tool: str, call: Callable[..., T], args: Fields | None = None, *, timeout_ms: Number = None, **more: Any
    ) -> T:
        """The result of `call(**args)`; call and return are told under one `step_id`, and what it raises goes on.

        The result of an async function is to be awaited, as without this. `timeout_ms` is told, not enforced.
        """
        args = args or {}
        step_id = self._step("step.tool_called", more, tool=tool, args_json=as_json(args), timeout_ms=timeout_ms)
        more, started = {**more, "tool": tool, "step_id": step_id}, time.perf_counter()

        def returned(result: object, error: BaseException | None) -> None:
            latency_ms = round((time.perf_counter() - started) * 1000, 3)
            told = {"ok": error is None, "latency_ms": latency_ms, "result_bytes": size_of(result)}
            self._step("step.tool_returned", more, error=self._described(error) if error else None, **told)

        try:
            with _span(step_id, is_step=True):
                result = call(**args)
        except BaseException as error:
            returned(None, error)
            raise
        if inspect.isawaitable(result):
            return _awaited(result, returned, step_id)  # type: ignore[return-value]
        returned(result, None)
        return result

    def _step(self, event: str, more: Fields, **props: Any) -> str:
        step_id = more.get("step_id") or new_id()
        self.track(event, **{**more, **props, "step_id": step_id})
        return step_id

    def eval_suite(
        self, suite: str, *, n_cases: int, scorer_version: Text = None, score_goal: str = "max", **more: Any
    ) -> EvalSuite:
        """Begin an eval run (`eval.run`); its cases are told to what this returns."""
        begun = EvalSuite(self, new_id(), score_goal)
        more |= {"suite_id": begun.suite_id, "scorer_version": scorer_version, "score_goal": score_goal}
        self.track("eval.run", suite=suite, n_cases=n_cases, **more)
        return begun

    # The nine core events.

    def round_started(
        self,
        *,
        model: Text = None,
        diff_lines: Number = None,
        baseline_score: Number = None,
        n_prior_rounds: Number = None,
        **more: Any,
    ) -> Text:
        more |= {"diff_lines": diff_lines, "baseline_score": baseline_score, "n_prior_rounds": n_prior_rounds}
        return self.track("round_started", model=model, **more)

    def proposal_generated(
        self,
        *,
        prompt_tokens: Number = None,
        completion_tokens: Number = None,
        cost_usd: Number = None,
        latency_ms: Number = None,
        **more: Any,
    ) -> Text:
        more |= {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        return self.track("proposal_generated", cost_usd=cost_usd, latency_ms=latency_ms, **more)

    def proposal_applied(
        self, *, target: str, diff_bytes: Number = None, apply_latency_ms: Number = None, **more: Any
    ) -> Text:
        more |= {"diff_bytes": diff_bytes, "apply_latency_ms": apply_latency_ms}
        return self.track("proposal_applied", target=target, **more)

    def round_scored(
        self,
        score: float,
        *,
        dimensions: Mapping[str, float] | None = None,
        score_goal: str = "max",
        scorer_version: Text = None,
        scorer_variant: Text = None,
        quality_score: Number = None,
        **more: Any,
    ) -> Text:
        """`dimensions` become one number `dim_<name>` each. A crashed round has no score and does not send this."""
        more |= {f"dim_{name.removeprefix('dim_')}": value for name, value in (dimensions or {}).items()}
        more |= {"scorer_version": scorer_version, "scorer_variant": scorer_variant, "quality_score": quality_score}
        return self.track("round_scored", score=score, score_goal=score_goal, **more)

    def round_kept(
        self, *, delta: Number = None, new_best: bool | None = None, cost_usd: Number = None, **more: Any
    ) -> Text:
        """`cost_usd` is the whole round's, the proposal's included; `delta` is in the score's own unit and sign."""
        return self.track("round_kept", delta=delta, new_best=new_best, cost_usd=cost_usd, **more)

    def round_reverted(
        self, *, failure_mode: Text = None, cost_usd: Number = None, regressed_dimensions: Any = None, **more: Any
    ) -> Text:
        more |= {"cost_usd": cost_usd, "regressed_dimensions": regressed_dimensions}
        return self.track("round_reverted", failure_mode=failure_mode, **more)

    def model_escalated(
        self, *, from_model: str, to_model: str, stall_rounds: Number = None, reason: Text = None, **more: Any
    ) -> Text:
        more |= {"stall_rounds": stall_rounds, "reason": reason}
        return self.track("model_escalated", from_model=from_model, to_model=to_model, **more)

    def stop_triggered(
        self,
        *,
        reason: str,
        rounds_completed: Number = None,
        total_cost_usd: Number = None,
        final_best_score: Number = None,
        **more: Any,
    ) -> Text:
        more |= {"total_cost_usd": total_cost_usd, "final_best_score": final_best_score}
        return self.track("stop_triggered", reason=reason, rounds_completed=rounds_completed, **more)

    def finetune_batch_published(
        self, *, batch_id: str, n_examples: Number = None, r2_key: Text = None, target_model: Text = None, **more: Any
    ) -> Text:
        more |= {"n_examples": n_examples, "r2_key": r2_key, "target_model": target_model}
        return self.track("finetune_batch_published", batch_id=batch_id, **more)


@dataclass(frozen=True, slots=True)
class EvalSuite:
    """One eval run. `score_goal` says which way is worse: a case that is worse than before is a regression too."""

    client: Client
    suite_id: str
    score_goal: str = "max"

    def case(
        self,
        case_id: str,
        *,
        dim: str,
        score: float,
        rationale: Text = None,
        passed: bool | None = None,
        prior_score: Number = None,
        **more: Any,
    ) -> Text:
        here = {**more, "suite_id": self.suite_id, "case_id": case_id, "dim": dim}
        uuid = self.client.track("eval.case", score=score, rationale=rationale, passed=passed, **here)
        before, now = as_number(prior_score), as_number(score)
        if before is not None and now is not None and (now > before if self.score_goal == "min" else now < before):
            self.regression(case_id, dim=dim, prior_score=before, new_score=now, **more)
        return uuid

    def regression(self, case_id: str, *, dim: str, prior_score: float, new_score: float, **more: Any) -> Text:
        before, now = as_number(prior_score), as_number(new_score)
        more |= {"suite_id": self.suite_id, "case_id": case_id, "dim": dim}
        more |= {"delta": None if before is None or now is None else now - before}
        return self.client.track("eval.regression", prior_score=prior_score, new_score=new_score, **more)


async def _awaited(result: Any, returned: Callable[[object, BaseException | None], None], step_id: str) -> Any:
    try:
        with _span(step_id, is_step=True):
            value = await result
    except BaseException as error:
        returned(None, error)
        raise
    returned(value, None)
    return value


# --------------------------------------------------------------------------------- the functions of this module

_default: Client | None = None
_making = threading.Lock()


def default_client() -> Client:
    """The client that the functions below share, made from the environment on first use."""
    global _default
    with _making:
        if _default is None:
            _default = Client()
        return _default


def carry(call: Callable[P, T]) -> Callable[P, T]:
    """`call` with the run and round of here, for a thread pool: threads do not inherit them, as tasks do."""
    here = contextvars.copy_context()

    @functools.wraps(call)
    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return here.copy().run(call, *args, **kwargs)  # a copy, because two threads cannot be in the same one

    return carried


def _shared(method: Callable[Concatenate[Client, P], T]) -> Callable[P, T]:
    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return method(default_client(), *args, **kwargs)

    return call


agent_id = _shared(Client.agent_id)
variant = _shared(Client.variant)
payload = _shared(Client.payload)
should_stop = _shared(Client.should_stop)
nightly_budget_usd = _shared(Client.nightly_budget_usd)
over_budget = _shared(Client.over_budget)
add_redaction = _shared(Client.add_redaction)
flush = _shared(Client.flush)
shutdown = _shared(Client.shutdown)
track = _shared(Client.track)
run = _shared(Client.run)
round_ = _shared(Client.round_)
model_call = _shared(Client.model_call)
step_plan = _shared(Client.step_plan)
step_tool = _shared(Client.step_tool)
step_observation = _shared(Client.step_observation)
step_reflection = _shared(Client.step_reflection)
step_retry = _shared(Client.step_retry)
eval_suite = _shared(Client.eval_suite)
round_started = _shared(Client.round_started)
proposal_generated = _shared(Client.proposal_generated)
proposal_applied = _shared(Client.proposal_applied)
round_scored = _shared(Client.round_scored)
round_kept = _shared(Client.round_kept)
round_reverted = _shared(Client.round_reverted)
model_escalated = _shared(Client.model_escalated)
stop_triggered = _shared(Client.stop_triggered)
finetune_batch_published = _shared(Client.finetune_batch_published)
