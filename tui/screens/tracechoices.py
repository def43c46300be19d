"""What the dialogs over a trace offer: kinds of rows, things to copy, formats to export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from queries.traces import Trace
from queries.views.trace import export
from queries.views.trace.shown import Wanted
from queries.views.words import counted
from tui.screens.chooser import Choice
from workspace.errors import LoopdeskError
from workspace.paths import write_private
from workspace.text import plain

ALL_KINDS = "all"
ROW, PROPERTIES, PROMPT, LINK = "row", "properties", "prompt", "link"
# Format -> its name in the dialog, and the ending of its file.
FORMATS = {
    "text": ("Text, as on the screen", ".txt"),
    "markdown": ("Markdown table", ".md"),
    "json": ("JSON document", ".json"),
}
_MOST_FILES = 1000


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
    path = _free(folder, f"loopdesk-{_file_name(trace)}", FORMATS[kind][1])
    try:
        write_private(path, "\n".join(lines()) + "\n")
    except OSError as error:
        raise LoopdeskError(
            f"{path} could not be written ({error.strerror or error})",
            do="Start the desk in a folder that you can write to",
        ) from error
    return path


def tab_separated(cells: Sequence[str]) -> str:
    return "\t".join(plain(cell) for cell in cells)


def _file_name(trace: Trace) -> str:
    """Ids are untrusted: nothing of them but letters and digits becomes part of a path."""
    name = "".join(char for char in trace.trace_id if char.isascii() and (char.isalnum() or char in "-_"))
    return name[:64] or "trace"


def _free(folder: Path, name: str, ending: str) -> Path:
    for number in range(1, _MOST_FILES):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}{ending}"
        if not path.exists():
            return path
    raise LoopdeskError(f"There are {_MOST_FILES - 1:,} exports of this round in {folder} already")
