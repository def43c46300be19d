"""The demo's story: its repository, and what its scripted model says."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Story:
    """`files` are the repository's, by path; `fix` those that the scripted model writes."""

    repository: str
    project: str
    error: str
    ci: tuple[str, ...]
    files: Mapping[str, str]
    fix: Mapping[str, str]
    research: Mapping[str, Any]
    fix_says: Mapping[str, str]
    review: Mapping[str, str]


@cache
def story() -> Story:
    found = tomllib.loads(Path(__file__).with_name("story.toml").read_text(encoding="utf-8"))
    files, fix = ({path: text.lstrip("\n") for path, text in found[name].items()} for name in ("files", "fix"))
    return Story(**{**found, "ci": tuple(found["ci"]), "files": files, "fix": fix})
