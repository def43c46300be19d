"""What the dialogs over a trace offer: kinds of rows, things to copy, formats to export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from queries.traces import Trace
from queries.views.trace import export
from queries.views.trace.shown import Wanted
from queries.views.words import counted
from tui.files import file_name, write_new
from tui.screens.chooser import Choice

ALL_KINDS = "all"
ROW, PROPERTIES, PROMPT, LINK = "row", "properties", "prompt", "link"
# Format -> its name in the dialog, and the ending of its file.
FORMATS = {
    "text": ("Text, as on the screen", ".txt"),
    "markdown": ("Markdown table", ".md"),
    "json": ("JSON document", ".json"),
}


def kind_choices(trace: Trace, wanted: Wanted) -> list[Choice]:
    """Each kind with how often it occurs. A chosen one again takes it off."""
    choices = [Choice("All kinds", counted(len(trace.tree), "row"), ALL_KINDS, not wanted.kinds)]
    for kind, number in export.kinds(trace.tree).items():
        is_chosen = kind in wanted.kinds
        note = f"{counted(number, 'row')}{', chosen: again takes it off' if is_chosen else ''}"
        choices.append(Choice(kind, note, kind, is_chosen))
    return choices


def copy_choices(has_prompt: bool) -> list[Choice]:
    choices = [
        Choice("The row", "tab separated", ROW),
        Choice("What it said", "all properties, as JSON", PROPERTIES),
        Choice("Where else the round can be seen", "link or command", LINK),
    ]
    if has_prompt:
        choices.insert(1, Choice("Prompt and completion", "", PROMPT))
    return choices


def export_choices(trace: Trace) -> list[Choice]:
    return [Choice(name, f"loopdesk-{_file_name(trace)}{ending}", kind) for kind, (name, ending) in FORMATS.items()]


def export_to(folder: Path, trace: Trace, kind: str) -> Path:
    """Write the trace into a file of its own, readable only by its owner; what is there is never overwritten.

    Blocking. Raises `LoopdeskError`.
    """
    lines: Callable[[], Iterator[str]] = {
        "text": lambda: export.text(trace.tree, trace.account),
        "markdown": lambda: export.markdown(trace.tree, trace.account),
        "json": lambda: iter([export.to_json(trace.tree, trace.account)]),
    }[kind]
    return write_new(folder, f"loopdesk-{_file_name(trace)}", FORMATS[kind][1], "\n".join(lines()) + "\n")


def _file_name(trace: Trace) -> str:
    return file_name(trace.trace_id, "trace")
