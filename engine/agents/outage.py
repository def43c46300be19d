"""Whether a run that ended without an answer did so because no model, or no money, was to be had. Pure."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from engine.judge import Unavailable
from engine.llm_errors import UNREACHABLE, Explainer
from engine.sandbox.gateway import Call
from workspace.errors import LoopdeskError

# The API's refusals that say something about the request, and nothing about the model.
_OF_THE_REQUEST = (400, 413, 422)
_ANSWERED = 200


def outage(
    held: LoopdeskError | None, last: Call | None, model: str, explain: Explainer, now: datetime
) -> Unavailable | None:
    """By the gateway: `held` is the budget that its latest request would have passed, `last` the latest that it sent.
    None where the reason is the run's own."""
    if isinstance(held, Unavailable):
        return held
    if held is not None:
        return Unavailable(held.what, held.means, held.do)
    if last is None or last.status == _ANSWERED or last.status in _OF_THE_REQUEST:
        return None
    trouble = explain.refused(last.status, _body(last), last.wait, model) if last.status else UNREACHABLE
    again_s = max(trouble.again_s, trouble.wait_s or 0.0)
    return Unavailable(*trouble.said, retry_at=now + timedelta(seconds=again_s))


def _body(call: Call) -> object:
    try:
        return json.loads(call.said)
    except (ValueError, RecursionError):
        return None
