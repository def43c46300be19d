"""What is configured, and where each value came from.

Order, later wins: defaults, `config.toml`, `.env` in the current folder, the environment, the command line.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from workspace.errors import LoopdeskError
from workspace.knobs import KNOWN, Knob, knobs
from workspace.paths import Workspace, config_folder, default_root, refuse_writable_by_others

# Environment variable -> field.
_ENVIRONMENT = {
    "LOOPDESK_WORKSPACE": "workspace_dir",
    "LOOPDESK_TIMEZONE": "timezone",
    "LOOPDESK_THEME": "theme",
    "LOOPDESK_BACKEND": "backend",
    "POSTHOG_HOST": "posthog_host",
    "POSTHOG_PROJECT_ID": "posthog_project_id",
    "POSTHOG_API_KEY": "posthog_project_key",
    "POSTHOG_PERSONAL_API_KEY": "posthog_personal_key",
    "ANTHROPIC_API_KEY": "anthropic_key",
    "ANTHROPIC_BASE_URL": "anthropic_url",
    "GITHUB_TOKEN": "github_token",
    "LOOPDESK_DATABASE_URL": "database_url",
}
# What a `.env` may set: the loops' own names. A checkout's file never says where loopdesk keeps its data.
_DOTENV = tuple(name for name in _ENVIRONMENT if name.startswith("POSTHOG_"))
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*)")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")
BACKENDS = ("posthog", "embedded")
SHORTEST_REFRESH_S = 60


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting with its default. `sources` names where a value came from, by field name."""

    workspace_dir: str = ""
    timezone: str = ""
    """IANA name; empty means the machine's own."""
    night_starts_hour: int = 18
    """Local hour at which a night begins, 0 to 23."""
    theme: str = "loopdesk-dark"
    port: int = 8377
    """Where `loopdesk serve` listens on loopback."""
    ascii: bool = False
    backend: str = ""
    """`posthog` or `embedded`; empty chooses by what is configured."""
    posthog_host: str = ""
    """As PostHog or a loop's environment gives it; `queries.remote` derives the host that answers questions."""
    posthog_project_id: str = ""
    posthog_project_key: str = ""
    """`phc_...`, what loops send events with; not a secret."""
    posthog_personal_key: str = field(default="", repr=False)
    """`phx_...`, what asks questions; a secret."""
    refresh_seconds: int = 0
    """How often the desk asks PostHog by itself; 0 is never, else at least 60."""
    prompt_days: int = 30
    """How long the embedded store keeps prompts and completions; PostHog's own time is 30."""
    prices_file: str = ""
    """A table of model prices in place of the one that comes along."""
    browser_origins: tuple[str, ...] = ()
    """Web pages that may send events to `loopdesk serve`, as `https://app.example`."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Key overrides of the desk: verb name -> keys, comma separated."""
    signal_sources: Mapping[str, object] = field(default_factory=dict)
    """`[sources.NAME]` in the file: the engine's sources, switched, weighed and set; `engine.sources` checks them."""
    anthropic_key: str = field(default="", repr=False)
    """What the engine's judgement is asked of a model with; a secret. Empty: rules judge."""
    anthropic_url: str = ""
    """Where the model answers; empty is Anthropic's own."""
    github_token: str = field(default="", repr=False)
    """What GitHub's issues are read with, and proposals pushed; a secret."""
    repositories: Mapping[str, object] = field(default_factory=dict)
    """`[repositories.NAME]`: where the loops' code is; `engine.repositories` checks it."""
    guard: Mapping[str, object] = field(default_factory=dict)
    """`[guard]`: what no change may touch; `engine.guard_rules` checks it."""
    outcomes: Mapping[str, object] = field(default_factory=dict)
    """`[outcomes]`: when a merged fix is measured; `engine.outcomes` checks it."""
    mcp: Mapping[str, object] = field(default_factory=dict, repr=False)
    """`[mcp.NAME]`: servers whose tools research may use; `engine.agents.mcp` checks it. Headers may be secrets."""
    database_url: str = field(default="", repr=False)
    """A Postgres through which other machines do research and fixes; a secret. Empty: this machine does them."""
    embedding_model: str = ""
    """The folder of a model2vec model, for likeness of meaning; empty compares words."""
    models: Mapping[str, object] = field(default_factory=dict)
    """`[models]`: role -> model; `engine.roles` checks it."""
    budgets: Mapping[str, object] = field(default_factory=dict)
    """`[budgets]`: the most that the engine spends; `engine.budget` checks it."""
    notify: Mapping[str, object] = field(default_factory=dict, repr=False)
    """`[notify]`: how you are told what deserves it; `engine.notify` checks it. A webhook's address may be a secret."""
    knobs: Mapping[str, Knob] = field(default_factory=lambda: KNOWN)
    """`[knobs.NAME]`: what flags mean, by key, over those that loopdesk knows."""
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        return Workspace(Path(self.workspace_dir).expanduser() if self.workspace_dir else default_root())

    @property
    def zone(self) -> str:
        return self.timezone or machine_timezone()

    @property
    def asks_posthog(self) -> bool:
        """Whether the boards are asked of a PostHog elsewhere rather than of the embedded store."""
        if self.backend:
            return self.backend == "posthog"
        return bool(self.posthog_personal_key and self.posthog_host) and not self.is_own_server

    @property
    def sends_to_posthog(self) -> bool:
        """Whether the engine's own events go to a PostHog elsewhere rather than into the embedded store."""
        is_set = bool(self.posthog_host and self.posthog_project_key)
        return is_set and self.backend != "embedded" and not self.is_own_server

    @property
    def is_own_server(self) -> bool:
        """Whether `posthog_host` is where this machine's `loopdesk serve` listens."""
        parts = urlsplit(self.posthog_host)
        return parts.hostname in LOOPBACK and parts.port == self.port


_SETTABLE = {f.name: f.type for f in fields(Config) if f.name != "sources"}
# `[posthog] host = ...` in the file is `posthog_host` here.
_TABLES = ("posthog",)
SECRETS = ("posthog_personal_key", "anthropic_key", "github_token", "database_url")


def load(overrides: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration. `overrides` are command line values (None is ignored). Raises `LoopdeskError`."""
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    sources: dict[str, str] = {}

    def put(found: Mapping[str, object], source: str) -> None:
        values.update(found)
        sources.update(dict.fromkeys(found, source))

    path = config_file()
    put(_from_file(path), str(path))
    if environment is os.environ:
        put(_from_dotenv(Path.cwd() / ".env"), ".env")
    put({key: environment[name] for name, key in _ENVIRONMENT.items() if environment.get(name)}, "environment")
    put({key: value for key, value in (overrides or {}).items() if value is not None}, "command line")
    return _checked(replace(Config(), **values, sources=sources))  # type: ignore[arg-type]


def config_file() -> Path:
    """Where settings are read from, and where connecting PostHog writes them (0600)."""
    return config_folder() / "config.toml"


def _from_file(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise LoopdeskError(f"Cannot read {path}: {error.strerror}", do="Make it readable, or move it away") from error
    refuse_writable_by_others(path)
    try:
        found = tomllib.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LoopdeskError(f"{path} is not valid TOML: {error}", do="Mend the line, or move the file away") from error
    for table in _TABLES:
        inner = found.pop(table, {})
        if not isinstance(inner, dict):
            raise LoopdeskError(f"{path} has a setting {table!r} that must be a table", do=f"Write [{table}]")
        found |= {f"{table}_{name}": value for name, value in inner.items()}
    if "sources" in found:
        found["signal_sources"] = found.pop("sources")
    if isinstance(found.get("browser_origins"), list):
        found["browser_origins"] = tuple(found["browser_origins"])
    unknown = sorted(found.keys() - _SETTABLE.keys())
    if unknown:
        raise LoopdeskError(
            f"{path} has a setting that loopdesk does not know: {unknown[0]}",
            do=f"Known settings are {', '.join(sorted(_SETTABLE))}",
        )
    return found


def _from_dotenv(path: Path) -> dict[str, object]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}  # a loop's file, not ours: one that cannot be read says nothing
    found = {}
    for line in lines:
        assignment = _ASSIGNMENT.fullmatch(line)
        if assignment and assignment[1] in _DOTENV:
            value = assignment[2].strip()
            quoted = value[:1] in ("'", '"') and value.endswith(value[:1]) and len(value) > 1
            value = value[1:-1] if quoted else value.partition(" #")[0].strip()
            if value:
                found[_ENVIRONMENT[assignment[1]]] = value
    return found


def _checked(config: Config) -> Config:
    hour = config.night_starts_hour
    if isinstance(hour, bool) or not isinstance(hour, int) or not 0 <= hour <= 23:
        raise LoopdeskError(f"night_starts_hour is {hour!r}, but must be a whole hour from 0 to 23")
    if not isinstance(config.port, int) or not 0 <= config.port <= 65535:
        raise LoopdeskError(f"port is {config.port!r}, but must be a number from 0 to 65535")
    if not isinstance(config.signal_sources, Mapping):
        raise LoopdeskError("sources must be a table of sources", do='Write [sources.plateau] and "enabled = false"')
    for name in ("models", "budgets", "notify", "repositories", "guard", "outcomes", "mcp"):
        if not isinstance(getattr(config, name), Mapping):
            raise LoopdeskError(f"{name} must be a table", do=f"Write [{name}]")
    words = ("workspace_dir", "timezone", "theme", "prices_file", "backend")
    for name in (*words, "posthog_host", "posthog_project_key", "anthropic_url", "embedding_model", *SECRETS):
        if not isinstance(getattr(config, name), str):
            shown = "not text" if name in SECRETS else repr(getattr(config, name))
            raise LoopdeskError(f"{name} is {shown}, but must be text")
    if config.database_url and not config.database_url.startswith(("postgresql://", "postgres://")):
        raise LoopdeskError(
            "database_url does not name a Postgres",
            "Through one other machines do research and fixes; it is not repeated here, because it may hold a password",
            "Write postgresql://user:password@host/name, or unset LOOPDESK_DATABASE_URL",
        )
    _check_posthog(config)
    try:
        ZoneInfo(config.zone)
    except (KeyError, ValueError, OSError) as error:
        raise LoopdeskError(
            f"There is no time zone {config.timezone!r}", do='Use an IANA name such as "Europe/Berlin"'
        ) from error
    # TOML writes a number as the project's id.
    return replace(config, posthog_project_id=str(config.posthog_project_id), knobs=knobs(config.knobs))


def _check_posthog(config: Config) -> None:
    if config.backend not in ("", *BACKENDS):
        raise LoopdeskError(f"backend is {config.backend!r}, but must be posthog or embedded")
    if type(config.refresh_seconds) is not int or 0 < config.refresh_seconds < SHORTEST_REFRESH_S:
        raise LoopdeskError(
            f"refresh_seconds is {config.refresh_seconds!r}, but must be 0 or at least {SHORTEST_REFRESH_S}",
            "PostHog counts every question against the project's hourly limit",
        )
    if type(config.prompt_days) is not int or config.prompt_days < 0:
        raise LoopdeskError(f"prompt_days is {config.prompt_days!r}, but must be a whole number of days")
    for origin in config.browser_origins:
        if not (isinstance(origin, str) and _ORIGIN.fullmatch(origin)):
            raise LoopdeskError(
                f"browser_origins has {origin!r}, which no browser sends as its origin",
                do='Write scheme, name and port alone, such as "https://app.example" or "http://localhost:3000"',
            )


def is_http(url: str) -> bool:
    """Whether this is an address with a host that HTTP can reach."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def machine_timezone() -> str:
    """The machine's IANA zone: `TZ`, else what /etc/localtime points at, else UTC."""
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        target = os.path.realpath("/etc/localtime")
        _, found, name = target.partition("zoneinfo/")
        name = name if found else ""
    try:
        return ZoneInfo(name).key if name else "UTC"
    except (KeyError, ValueError, OSError):
        return "UTC"
