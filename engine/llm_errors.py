"""What went wrong between the engine and a model, in sentences, and whether it is worth another try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import anthropic
import httpx2

from observability.posthog_client import Redactor
from workspace.text import plain

Said = tuple[str, str, str]
_SOON_S = 300.0
_LATER_S = 3600.0
_MOST = 200


@dataclass(frozen=True, slots=True)
class Trouble:
    """`may_pass`: it is tried again, after `wait_s` where the server names it. `is_free`: it cost nothing, else nobody
    knows. After the last try nothing more is asked of this model, or of all, for `again_s`, if it `pauses` them."""

    said: Said
    may_pass: bool = False
    is_free: bool = True
    wait_s: float | None = None
    again_s: float = _SOON_S
    pauses: Literal["", "model", "all"] = ""


UNREACHABLE = Trouble(
    ("The model cannot be reached", "This machine is offline, or anthropic_url is wrong", ""), True, True, pauses="all"
)


class Explainer:
    """Keeps the key out of what a server says about it."""

    def __init__(self, key: str) -> None:
        self._key, self._redactor = key, Redactor()

    def __call__(self, error: Exception, model: str) -> Trouble:
        if isinstance(error, anthropic.APIStatusError):
            return self._refused(error, model)
        if isinstance(error, anthropic.APITimeoutError):
            is_free = isinstance(error.__cause__, httpx2.ConnectTimeout)
            return Trouble(("The model did not answer in time", "", ""), True, is_free, pauses="all")
        if isinstance(error, anthropic.APIConnectionError):
            if isinstance(error.__cause__, httpx2.ConnectError):
                return UNREACHABLE
            return Trouble(("The model's answer broke off", "", ""), True, False, pauses="all")
        said = (f"The model's answer cannot be read ({type(error).__name__})", "Something other than it may answer", "")
        return Trouble(said, True, False, pauses="all")

    def _refused(self, error: anthropic.APIStatusError, model: str) -> Trouble:
        return self.refused(error.status_code, error.body, error.response.headers.get("retry-after", ""), model)

    def refused(self, status: int, body: object, retry_after: str, model: str) -> Trouble:
        """For an answer with `status`: its `body` as JSON, and its header of that name."""
        wait_s, says = _retry_after(retry_after), self._says(body)
        if status == 401:
            return Trouble(
                ("The model refused the key", "ANTHROPIC_API_KEY is wrong, or was withdrawn", "Set it again"),
                pauses="all",
            )
        if status in (402, 403):
            return Trouble((f"The key may not use {model}: {says}", "", ""), pauses="model")
        if status == 404:
            do = "Name another under [models] in config.toml"
            return Trouble((f"There is no model {model}: {says}", "", do), pauses="model")
        if status == 429:
            return Trouble((f"The rate limit of {model} is reached", "", ""), True, True, wait_s, pauses="model")
        if status >= 500 or status in (408, 409):
            what = "is overloaded" if status == 529 else f"failed with {status}"
            return Trouble((f"{model} {what}", "", ""), True, True, wait_s, pauses="model")
        return Trouble((f"{model} refused the request with {status}: {says}", "", ""), again_s=_LATER_S)

    def _says(self, body: object) -> str:
        inner = body.get("error") if isinstance(body, dict) else None
        said = str(inner.get("message", "")) if isinstance(inner, dict) else ""
        said = said.replace(self._key, "[redacted]") if self._key else said
        return plain(self._redactor.text(said), _MOST) or "no reason given"


def unusable(model: str, stop_reason: str | None, text: str) -> Said | None:
    """Why a message holds no answer; None where it has one. Such a one is not asked for again at once: the same
    question would be answered in the same way."""
    if stop_reason == "refusal":
        return (f"{model} refused to judge this", "", "")
    if stop_reason in ("max_tokens", "model_context_window_exceeded"):
        return (f"{model} came to no end: its answer was cut off", "", "")
    return None if text else (f"{model} gave an empty answer", "", "")


def _retry_after(header: str) -> float | None:
    """Seconds that the server asks for, if it says a number."""
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
