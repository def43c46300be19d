"""What it costs a loop to tell one event: redaction, beside the copy that is made anyway, and all of it to the disk."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.data import ROOT
from bench.table import ratio, show
from observability.posthog_client import Client, Redactor, Settings, json_only

_DIFF = (
    "--- a/loop.py\n+++ b/loop.py\n@@ -12,3 +12,3 @@ def score(tokens):\n+    started = 1764153254\n"
    "-    best = 0.9741203  # round 01JD2QZ8V6M3K9T4C7B5N1XHRW at 88e37bb972e7363e3ee0702809e9ea9d36ef512f\n"
)


def run(turns: int = 20) -> None:
    rows = []
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        client = Client(Settings(project="bench", git_sha="c0ffee", spool=Path(folder)))
        redactor = Redactor()
        for name, event, properties in _events():
            copied = _best(lambda p=properties: json_only(p), turns)
            redacted = _best(lambda p=properties: json_only(p, redactor.text), turns)
            kept = _best(lambda e=event, p=properties: client.sdk.capture(e, distinct_id="d", properties=p), turns)
            rows.append((name, copied, redacted, kept, ratio(redacted, kept)))
        client.shutdown(0)
    columns = ("event", "copied µs", "copied and redacted µs", "captured and on the disk µs", "share")
    show(f"One event in a loop, best of {turns}", columns, rows)


def _events() -> list[tuple[str, str, Mapping[str, Any]]]:
    code = (ROOT / "queries" / "local" / "ingest.py").read_text(encoding="utf-8") + _DIFF * 10
    step = {
        "step_id": "01JD2QZ8V6M3K9T4C7B5N1XHRW",
        "tool": "pytest",
        "args_json": '{"path": "tests/", "flags": ["-q"]}',
    }
    return [
        ("a step", "step.tool_called", step),
        ("a model call, 12 KB", "$ai_generation", _call(code[:10_000])),
        ("a model call, 120 KB", "$ai_generation", _call((code * 10)[:118_000])),
    ]


def _call(prompt: str) -> Mapping[str, Any]:
    said = {"$ai_input": [{"role": "user", "content": prompt}], "$ai_output_choices": [{"content": _DIFF * 8}]}
    return {**said, "$ai_model": "claude-haiku-4-5", "$ai_input_tokens": len(prompt) // 4, "$ai_latency": 2.5}


def _best(call: Callable[[], object], turns: int) -> float:
    """Microseconds of the processor: what it costs the loop, whoever else is at work."""
    spent = []
    for _ in range(turns):
        started = time.process_time()
        for _ in range(10):
            call()
        spent.append((time.process_time() - started) * 100_000)
    return min(spent)


if __name__ == "__main__":
    run()
