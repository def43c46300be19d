"""What a model call cost, worked out at ingest as PostHog's pipeline does, from a price table of our own. Pure.

The figures it adds are marked `$ai_cost_model_source`: `manual` (this table), `custom` (token prices on the event) or
`passthrough` (costs on the event). PostHog itself marks most of its own `openrouter`, so the two can be told apart.

Two deliberate differences in finding a model's row. A newer minor version is not priced as the one before it
(`claude-opus-4-9` is unknown, not `claude-opus-4`), and a name that is only a part of a row's (`claude`) has no price:
an unknown cost is better than a wrong one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workspace.errors import LoopdeskError

PRICED_EVENTS = ("$ai_generation", "$ai_embedding")
PACKAGED = Path(__file__).with_name("prices.json")
_OWN, _CUSTOM, _PASSED = "manual", "custom", "passthrough"
# PostHog's rates of the prompt's price where a model's row names none.
_ANTHROPIC_READ, _ANTHROPIC_WRITE, _OTHER_READ = 0.1, 1.25, 0.5
_THINKS_APART = re.compile(r"gemini-(2[.-]5|3)")  # Google does not count reasoning in the output tokens
_PARTS = re.compile(r"[a-z0-9]+")
_MINOR_VERSION = re.compile(r"\d{1,2}")


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one token; `request` and `web_search` for one of each. None is PostHog's default rate, or nothing."""

    model: str
    provider: str
    prompt_token: float
    completion_token: float
    cache_read_token: float | None = None
    cache_write_token: float | None = None
    request: float | None = None
    web_search: float | None = None


class Prices:
    """A price table, asked by the model names that SDKs send."""

    def __init__(self, rows: Iterable[Price]) -> None:
        self._by_parts = {_parts(row.model): row for row in rows}
        self._longest_first = sorted(self._by_parts, key=len, reverse=True)

    def find(self, model: str) -> Price | None:
        """The row of that name, else the longest that the name contains: dates, regions and resellers are left out."""
        parts = _parts(model)
        exact = self._by_parts.get(parts)
        if exact:
            return exact
        for name in self._longest_first:
            if _contains(parts, name):
                return self._by_parts[name]
        return None


def cost_properties(properties: Mapping[str, object], prices: Prices) -> dict[str, object]:
    """What PostHog adds to a generation or embedding: nothing for a model without a price. USD."""
    given = _number(properties.get("$ai_input_cost_usd")), _number(properties.get("$ai_output_cost_usd"))
    if all(given):
        others = [_number(properties.get(f"$ai_{part}_cost_usd")) for part in ("request", "web_search")]
        total = _number(properties.get("$ai_total_cost_usd")) or _usd(sum(given) + sum(others))
        return {"$ai_total_cost_usd": total, "$ai_cost_model_source": _PASSED}
    model = properties.get("$ai_model")
    model = model.strip().lower() if isinstance(model, str) else ""
    price, source = _custom(properties, model), _CUSTOM
    if price is None:
        price, source = (prices.find(model) if model else None), _OWN
    return {} if price is None else _priced(properties, model, price, source)


def load(path: str) -> Prices:
    """The table in `path`, or the one that comes along where it is empty. Raises `LoopdeskError`."""
    if not path:
        return packaged()
    file = Path(path).expanduser()
    try:
        return _read(file)
    except OSError as error:
        raise LoopdeskError(
            f"Cannot read the price table {file}: {error.strerror}", do="Mend prices_file in config.toml"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise LoopdeskError(
            f"{file} is not a price table: {error}",
            'It holds {"models": [{"model": ..., "provider": ..., "prompt_token": USD, "completion_token": USD}]}',
            "Mend it, or remove prices_file from config.toml",
        ) from error


@cache
def packaged() -> Prices:
    """The table that comes along; read once per process, never written."""
    return _read(PACKAGED)


def _read(path: Path) -> Prices:
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("models"), list):
        raise ValueError("it has no list of models")
    return Prices([_row(row) for row in document["models"]])


def _row(row: object) -> Price:
    if not isinstance(row, dict) or not isinstance(row.get("model"), str) or not _parts(row["model"]):
        raise ValueError("a row has no model")
    rates = ("prompt_token", "completion_token", "cache_read_token", "cache_write_token", "request", "web_search")
    for name in rates:
        value = row.get(name, 0 if name not in rates[:2] else None)
        right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
        if not right:
            raise ValueError(f"{name} of {row['model']!r} is not a number of USD")
    return Price(row["model"], str(row.get("provider", "")), **{name: row[name] for name in rates if name in row})


def _custom(properties: Mapping[str, object], model: str) -> Price | None:
    names = ("input_token", "output_token", "cache_read_token", "cache_write_token", "request", "web_search")
    rates = [_rate(properties.get(f"$ai_{name}_price")) for name in names]
    if rates[0] is None or rates[1] is None:
        return None
    return Price(_CUSTOM, _CUSTOM, rates[0], rates[1], *rates[2:])


def _priced(properties: Mapping[str, object], model: str, price: Price, source: str) -> dict[str, object]:
    exclusive = _is_exclusive(properties, model)
    tokens = {name: _number(properties.get(f"$ai_{name}_tokens")) for name in ("input", "output", "reasoning")}
    read = _number(properties.get("$ai_cache_read_input_tokens"))
    output = tokens["output"] + (tokens["reasoning"] if _THINKS_APART.search(model) else 0)
    costs: dict[str, object] = {
        "$ai_input_cost_usd": _input_cost(properties, model, price, tokens["input"], read, exclusive),
        "$ai_output_cost_usd": _usd(price.completion_token * output),
    }
    if price.request:
        costs["$ai_request_cost_usd"] = _usd(price.request)
    searches = _number(properties.get("$ai_web_search_count"))
    if price.web_search and searches:
        costs["$ai_web_search_cost_usd"] = _usd(price.web_search * searches)
    return {
        **costs,
        "$ai_total_cost_usd": _usd(sum(value for value in costs.values() if isinstance(value, float))),
        "$ai_model_cost_used": price.model,
        "$ai_cost_model_source": source,
        "$ai_cost_model_provider": price.provider,
        "$ai_cache_reporting_exclusive": exclusive,
    }


def _input_cost(
    properties: Mapping[str, object], model: str, price: Price, tokens: float, read: float, exclusive: bool
) -> float:
    anthropic = _is_anthropic(properties, model)
    written = _number(properties.get("$ai_cache_creation_input_tokens")) if anthropic else 0.0
    fresh = tokens if exclusive else max(0.0, tokens - read - written)
    default_read = _ANTHROPIC_READ if anthropic else _OTHER_READ
    read_rate = price.prompt_token * default_read if price.cache_read_token is None else price.cache_read_token
    write_rate = price.prompt_token * _ANTHROPIC_WRITE if price.cache_write_token is None else price.cache_write_token
    return _usd(price.prompt_token * fresh + read_rate * read + write_rate * written)


def _is_exclusive(properties: Mapping[str, object], model: str) -> bool:
    """Whether the input tokens leave out those of the cache: as the event says, else as Anthropic counts and others
    do not."""
    said = properties.get("$ai_cache_reporting_exclusive")
    return said if isinstance(said, bool) else _is_anthropic(properties, model)


def _is_anthropic(properties: Mapping[str, object], model: str) -> bool:
    provider = properties.get("$ai_provider")
    return (isinstance(provider, str) and provider.lower() == "anthropic") or "claude" in model or "anthropic" in model


def _parts(name: str) -> tuple[str, ...]:
    """`claude-3.5-sonnet` and `claude-3-5-sonnet` are one name."""
    return tuple(_PARTS.findall(name.lower()))


def _contains(parts: tuple[str, ...], name: tuple[str, ...]) -> bool:
    for start in range(len(parts) - len(name) + 1):
        end = start + len(name)
        if parts[start:end] == name and not (end < len(parts) and _MINOR_VERSION.fullmatch(parts[end])):
            return True
    return False


def _number(value: object) -> float:
    """A count or amount as SDKs send it, numbers in text too; 0 for anything else."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) and found > 0 else 0.0


def _rate(value: object) -> float | None:
    """A price on the event; 0 is one too, as of a model that runs at home."""
    return _number(value) if value in (0, "0") or _number(value) else None


def _usd(value: float) -> float:
    return round(float(value), 12) if math.isfinite(value) else 0.0
