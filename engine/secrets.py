"""What must not leave this machine in a text: keys of known forms, and canaries that were planted to be found again."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote

# The forms that their makers publish for scanners like this one.
_FORMS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a GitHub token": re.compile(r"\b(?:gh[opusr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "an Anthropic key": re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    "an OpenAI key": re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}"),
    "a PostHog key": re.compile(r"\bph[xs]_[A-Za-z0-9]{30,}"),
    "a Slack token": re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w+"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    "a Google key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    "a registry token": re.compile(r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,})"),
    "a signed web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "an address with a password": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}$<]+:[^\s/:@'\"{}$<]{3,}@[^\s'\"]+"),
}
_ASSIGNED = re.compile(
    r"(?:password|passwd|secret|token|api_?key|access_?key|private_?key|credential)s?['\"]?\s*(?::\s*\w+\s*)?[:=]=?\s*"
    r"(?:[a-z]{0,2}['\"])([^'\"\s]{12,})['\"]",
    re.IGNORECASE,
)
_MIN_BITS = 3.2  # a character's mean information; words and placeholders stay below, random keys are above
_SHORTEST_CANARY = 8


def kinds_of_secret(text: str) -> Iterator[str]:
    """What it seems to hold, in words, each once."""
    for what, form in _FORMS.items():
        if form.search(text):
            yield what
    if any(_is_random(found[1]) for found in _ASSIGNED.finditer(text)):
        yield "a secret in a setting"


@dataclass(frozen=True)
class Canaries:
    """Values that were planted where an agent must not look. Found as they are, in another case, with other characters
    between, backwards, and as base64, base32, hexadecimal or percent-encoded."""

    values: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if any(len(_squeezed(value)) < _SHORTEST_CANARY for value in self.values):
            raise ValueError(f"a canary has at least {_SHORTEST_CANARY} letters and digits, or it is found everywhere")

    def are_in(self, text: str) -> bool:
        if not self.values:
            return False
        squeezed = _squeezed(text)
        return any(form in squeezed for form in self._forms)

    @cached_property
    def _forms(self) -> frozenset[str]:
        return frozenset(_squeezed(form) for value in self.values for form in _written(value))


def planted(values: Iterable[str]) -> Canaries:
    return Canaries(tuple(dict.fromkeys(values)))


def _written(value: str) -> Iterator[str]:
    raw = value.encode()
    yield from (value, value[::-1], raw.hex(), quote(value, safe=""), base64.b32encode(raw).decode().rstrip("="))
    # Base64 of a text in which it stands at any place: the ends depend on the neighbours and are left out.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        whole = (shift + len(raw)) // 3 * 4
        yield encoded[(shift * 8 + 5) // 6 : whole]


def _squeezed(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).casefold()


def _is_random(value: str) -> bool:
    counts = Counter(value)
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return bits >= _MIN_BITS and any(char.isdigit() for char in value) and not value.startswith(("${", "{{", "<"))
