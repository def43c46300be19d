"""What the example loop tunes: the settings of LZMA over a corpus of text, and how good a setting is.

Everything here is real and measurable: fewer bytes, less time, less memory. Some settings cannot work at all
(`lc + lp` above 4 is refused by the library), and that is a real crash.
"""

from __future__ import annotations

import json
import lzma
import random
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

CORPUS = ("argparse.py", "ast.py", "dataclasses.py", "enum.py", "inspect.py", "logging/__init__.py")
CORPUS_BYTES = 40_000  # of each file: a round takes a fraction of a second
FULL_SPEED_MB_S = 12.0
FULL_MEMORY_BYTES = 1 << 23
WEIGHTS = {"ratio": 0.8, "speed": 0.12, "memory": 0.08}


@dataclass(frozen=True, slots=True)
class Settings:
    """LZMA2's own knobs, by the library's names."""

    dict_size: int = 1 << 20
    lc: int = 1
    lp: int = 2
    pb: int = 2
    nice_len: int = 16
    depth: int = 4

    @classmethod
    def load(cls, path: Path) -> Settings:
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


_CHOICES: Mapping[str, tuple[int, ...]] = {
    "dict_size": (1 << 16, 1 << 18, 1 << 20, 1 << 22),
    "lc": (0, 1, 2, 3, 4),
    "lp": (0, 1, 2, 3, 4),
    "pb": (0, 1, 2, 3, 4),
    "nice_len": (8, 16, 32, 64, 128, 273),
    "depth": (1, 4, 16, 64, 200),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """`ratios` is the share saved of each document, 0..1; `dimensions` are what the score is made of, 0..1 each."""

    ratios: Mapping[str, float]
    dimensions: Mapping[str, float]

    @property
    def score(self) -> float:
        return round(sum(WEIGHTS[name] * value for name, value in self.dimensions.items()), 5)


def corpus() -> dict[str, bytes]:
    """The beginnings of some of Python's own source files: text that is on every machine that runs this."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    return {name: (folder / name).read_bytes()[:CORPUS_BYTES] for name in CORPUS}


def propose(best: Settings, knobs: int, chance: random.Random) -> tuple[Settings, str]:
    """Settings that differ in `knobs` places, and the change in words."""
    changed = {
        name: chance.choice([value for value in _CHOICES[name] if value != getattr(best, name)])
        for name in chance.sample(sorted(_CHOICES), knobs)
    }
    words = ", ".join(f"{name} {getattr(best, name)} to {value}" for name, value in changed.items())
    return replace(best, **changed), words


def measure(settings: Settings, documents: Mapping[str, bytes]) -> Measured:
    """Compress every document. Raises `lzma.LZMAError` or `ValueError` for settings that cannot work."""
    filters = [{"id": lzma.FILTER_LZMA2, "mode": lzma.MODE_NORMAL, "mf": lzma.MF_BT4, **asdict(settings)}]
    started = time.perf_counter()
    sizes = {name: len(lzma.compress(text, lzma.FORMAT_RAW, filters=filters)) for name, text in documents.items()}
    seconds = time.perf_counter() - started
    total = sum(map(len, documents.values()))
    dimensions = {
        "ratio": 1 - sum(sizes.values()) / total,
        "speed": min(1.0, total / 1e6 / seconds / FULL_SPEED_MB_S),
        "memory": 1 - settings.dict_size / FULL_MEMORY_BYTES,
    }
    ratios = {name: 1 - size / len(documents[name]) for name, size in sizes.items()}
    return Measured(ratios, {name: round(value, 5) for name, value in dimensions.items()})
