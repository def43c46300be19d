"""Which model judges what, and what a token of it costs.

[models]
safety = "claude-haiku-4-5"
grouping = "claude-sonnet-4-6"
assess = "claude-sonnet-4-6"
research = "claude-sonnet-4-6"
fix = "claude-sonnet-4-6"
review = "claude-sonnet-4-6"
record_prompts = false        # whether what was said to a model goes into its events
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workspace.config import Config, is_http
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from queries.local.prices import Price

# Safety has a model of its own: it reads everything, so it should be quick and cheap, and a better matcher is no
# reason to change the filter. These are the newest whose published prices are in the table that comes along.
DEFAULTS: Mapping[str, str] = {
    "safety": "claude-haiku-4-5",
    "grouping": "claude-sonnet-4-6",
    "assess": "claude-sonnet-4-6",
    # Agents in the sandbox.
    "research": "claude-sonnet-4-6",
    "fix": "claude-sonnet-4-6",
    "review": "claude-sonnet-4-6",
}
RECORD_PROMPTS = "record_prompts"


def models(config: Config) -> Mapping[str, str]:
    """Role -> model. Raises `LoopdeskError` for an unknown role or a name that is none."""
    for name, value in config.models.items():
        if name == RECORD_PROMPTS:
            if not isinstance(value, bool):
                raise LoopdeskError(f"models.{name} is {value!r}, but must be true or false")
        elif name not in DEFAULTS:
            raise LoopdeskError(
                f"[models] has a setting that loopdesk does not know: {name}",
                do=f"Known settings are {', '.join((*DEFAULTS, RECORD_PROMPTS))}",
            )
        elif not isinstance(value, str) or not value.strip():
            raise LoopdeskError(f"models.{name} is {value!r}, but must be the name of a model")
    return {role: str(config.models.get(role, default)).strip() for role, default in DEFAULTS.items()}


def check(config: Config) -> None:
    """Whether a model can be asked with what is set. Raises `LoopdeskError`."""
    for model in models(config).values():
        price_of(config, model)
    if config.anthropic_url and not is_http(config.anthropic_url):
        raise LoopdeskError(f"anthropic_url is {config.anthropic_url!r}, but must be an http or https address")


def records_prompts(config: Config) -> bool:
    return config.models.get(RECORD_PROMPTS) is True


def price_of(config: Config, model: str) -> Price:
    """USD for a token. Raises `LoopdeskError` for a model without a price: no limit could hold it."""
    from queries.local import prices  # the desk reads the names above before its first paint

    found = prices.load(config.prices_file).find(model)
    if found is None:
        raise LoopdeskError(
            f"The model {model!r} has no price",
            "So its spending could not be kept within a budget",
            "Choose another under [models] in config.toml, or name a table with its price as prices_file",
        )
    return found
