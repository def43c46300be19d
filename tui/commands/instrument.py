"""`loopdesk instrument`: the drop-in file into loops' repositories, and whether it is still the one of this version."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from queries.views.words import listed
from tui.commands.instrument_folder import Missing, copy_in, missing_in, refuse_uncommitted, write
from tui.main import VERSION
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one folder. `file` is empty where no place for it was found."""

    folder: str
    outcome: str  # current, written, drift, absent, declined or refused
    said: str
    file: str = ""
    missing: Missing | None = None

    @property
    def is_well(self) -> bool:
        return self.outcome in ("current", "written")


@click.command("instrument")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@click.option("--to", metavar="PATH", default="", help="Where in the repository; else where a copy is, or its package.")
@click.option("--check", is_flag=True, help="Write nothing, and end with 1 where the file is missing or another.")
@click.option("--yes", is_flag=True, help="Overwrite an older copy without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(folders: tuple[str, ...], to: str, check: bool, yes: bool, as_json: bool) -> int:
    """Copy the drop-in file into loops' repositories, after a look at what it changes there."""
    found = []
    for folder in folders:
        one = _one(folder, to, check=check, is_sure=yes, is_quiet=as_json)
        found.append(one)
        if not as_json:
            _say(one)
    if as_json:
        click.echo(json.dumps([_document(one) for one in found]))
    return 0 if all(one.is_well for one in found) else 1


def _one(folder: str, to: str, *, check: bool, is_sure: bool, is_quiet: bool) -> Outcome:
    file = ""
    try:
        root = Path(folder).resolve()
        copy = copy_in(root, to)
        file, place = str(copy.path), copy.path.relative_to(root)
        # What it needs is read before anything is written: a broken pyproject.toml is said, and nothing is half done.
        missing = None if check else missing_in(root)
        if copy.is_current:
            return Outcome(folder, "current", f"{place} is that of loopdesk {VERSION}", file, missing)
        if check:
            there = (
                f"{place} is not that of loopdesk {VERSION}" if copy.text is not None else "no drop-in file is there"
            )
            name = "drift" if copy.text is not None else "absent"
            return Outcome(folder, name, f"{there}; run: loopdesk instrument {folder}", file)
        if copy.text is not None:
            refuse_uncommitted(copy)
            if not is_sure and not _agreed(copy.diff(), place, is_quiet=is_quiet):
                return Outcome(folder, "declined", f"{place} is as it was", file, missing)
        write(copy)
        said = f"{place} is new" if copy.text is None else f"{place} is now that of loopdesk {VERSION}"
        return Outcome(folder, "written", said, file, missing)
    except LoopdeskError as error:
        return Outcome(folder, "refused", str(error), file)


def _agreed(diff: list[str], place: Path, *, is_quiet: bool) -> bool:
    """Raises `LoopdeskError` where nobody is there to be asked."""
    if not is_quiet:
        for line in diff:
            click.echo(plain_lines(line)[0][:400])
    if is_quiet or not _is_somebody_there():
        raise LoopdeskError("Nobody is there to confirm it", "Nothing was written", "Give --yes")
    return click.confirm(f"Overwrite {plain(place, 200)}?")


def _is_somebody_there() -> bool:
    return sys.stdin.isatty()


def _say(one: Outcome) -> None:
    click.echo(f"{plain(one.folder, 200)}: {plain(one.said, 500).removesuffix('.')}.", err=not one.is_well)
    if one.missing is None:
        return
    for said in _missing(one.missing):
        click.echo(f"  {said}")


def _missing(missing: Missing) -> list[str]:
    lines = []
    if missing.env is None:
        lines.append(
            "There is no .env: the loop gets its POSTHOG_ and AUTORESEARCH_ variables some other way, or none."
        )
    elif missing.env:
        lines.append(f".env does not set {listed(missing.env)}.")
    if missing.has_personal_key:
        lines.append("POSTHOG_API_KEY in .env is a personal key (phx_): events need the project's (phc_).")
    if missing.env_example:
        lines.append(f".env.example does not name {listed(missing.env_example)}.")
    if missing.packages is None:
        lines.append("There is no pyproject.toml or requirements.txt: the loop needs posthog and python-ulid.")
    elif missing.packages:
        lines.append(f"Its requirements lack {listed(missing.packages)}.")
    else:
        lines.append("Its requirements name posthog and python-ulid.")
    return lines


def _document(one: Outcome) -> dict[str, object]:
    missing = one.missing
    return {
        "folder": one.folder,
        "outcome": one.outcome,
        "said": one.said,
        "file": one.file,
        "env_missing": missing and missing.env,
        "env_example_missing": missing and missing.env_example,
        "packages_missing": missing and missing.packages,
        "has_personal_key": bool(missing and missing.has_personal_key),
    }
