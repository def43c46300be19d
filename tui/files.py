"""Files that the desk writes for a person: in the folder it was started in, never over one that is there."""

from __future__ import annotations

from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.paths import write_private

_MOST_FILES = 1000


def write_new(folder: Path, name: str, ending: str, text: str) -> Path:
    """`name` + `ending`, with a number where that name is taken; mode 0600. Blocking. Raises `LoopdeskError`."""
    path = _free(folder, name, ending)
    try:
        write_private(path, text)
    except OSError as error:
        raise LoopdeskError(
            f"{path} could not be written ({error.strerror or error})",
            do="Start the desk in a folder that you can write to",
        ) from error
    return path


def file_name(text: str, otherwise: str) -> str:
    """Ids and names are untrusted: nothing of them but letters and digits becomes part of a path."""
    name = "".join(char for char in text if char.isascii() and (char.isalnum() or char in "-_"))
    return name[:64] or otherwise


def _free(folder: Path, name: str, ending: str) -> Path:
    for number in range(1, _MOST_FILES):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}{ending}"
        if not path.exists():
            return path
    raise LoopdeskError(f"There are {_MOST_FILES - 1:,} files named {name} in {folder} already")
