"""HOME/townsfolk.toml and `TOWNSFOLK_SECTION__KEY` variables come in, one frozen `Settings` goes out.

Environment goes over file, file over default. Every problem is reported at once, with its key and fix;
an unknown key is a problem too. Nothing is written here.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from annotated_types import Ge, Le
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from agent_runtime.errors import ConfigError

FILE_NAME = "townsfolk.toml"
PREFIX = "TOWNSFOLK_"

OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]
Origin = Literal["default", "file", "env"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Server(Section):
    """Where game servers connect."""

    host: str = Field(default="127.0.0.1", description="Address to listen on. The token travels unencrypted.")
    port: int = Field(
        default=30301, ge=0, le=65535, description="TCP port to listen on; 0 takes any free one."
    )
    max_connections: int = Field(
        default=64, ge=1, le=4096, description="Game servers connected at the same time."
    )
    heartbeat_s: float = Field(
        default=2.0,
        ge=0.2,
        le=60,
        description="Seconds between heartbeats; a peer silent for two of them is dead.",
    )


class Model(Section):
    """The base model that speaks."""

    path: OptionalPath = Field(
        default=None, description="A GGUF file; empty means the model that comes along."
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads for the model; 0 means all cores."
    )
    slots: int = Field(
        default=16, ge=1, le=256, description="Replies generated at the same time, in one batch."
    )
    context: int = Field(
        default=0, ge=0, le=1_048_576, description="Tokens per talk; 0 means what the model allows."
    )
    queue: int = Field(default=64, ge=0, le=4096, description="Requests that may wait for a slot.")


class Turn(Section):
    """One turn: a player's line and the reply to it."""

    deadline_s: float = Field(
        default=6.0, ge=0.5, le=60, description="Seconds after which a reply is cut off."
    )
    max_line: int = Field(
        default=500, ge=20, le=500, description="Characters of a player's line that are read."
    )
    memory: int = Field(default=32, ge=0, le=1000, description="Exchanges kept for each NPC and player.")
    history: int = Field(
        default=4, ge=0, le=64, description="Of those, the latest ones that go into a prompt."
    )
    facts: int = Field(default=10, ge=0, le=64, description="Facts about the world that go into a prompt.")
    per_player_per_10s: int = Field(
        default=6, ge=1, le=100, description="Lines a player may say in ten seconds."
    )
    npc_queue: int = Field(default=4, ge=0, le=64, description="Lines that may wait for one NPC.")


class Personas(Section):
    """Who the NPCs are."""

    folder: OptionalPath = Field(
        default=None, description="Your own personas, over those that come along; empty means HOME/personas."
    )


class Journal(Section):
    """The record of every turn."""

    path: OptionalPath = Field(default=None, description="The DuckDB file; empty means HOME/journal.duckdb.")
    commit_ms: int = Field(
        default=20, ge=1, le=1000, description="Milliseconds that rows wait for one commit."
    )


class Log(Section):
    """What the runtime writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is shown."
    )
    format: Literal["auto", "json", "pretty"] = Field(
        default="auto", description="`auto` is pretty on a terminal and JSON otherwise."
    )


def default_home() -> Path:
    """`TOWNSFOLK_HOME`, or the platform's folder for a user's data."""
    return Path(os.environ.get(f"{PREFIX}HOME") or platformdirs.user_data_path("townsfolk")).expanduser()


class Settings(BaseSettings):
    """All settings. `home` holds the settings file, the journal, the token, personas and models."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=False
    )

    server: Server = Server()
    model: Model = Model()
    turn: Turn = Turn()
    personas: Personas = Personas()
    journal: Journal = Journal()
    log: Log = Log()
    _home: Path = PrivateAttr(default_factory=default_home)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `load` passes the file as arguments, so that this order means: environment over file.
        return env_settings, init_settings

    @property
    def home(self) -> Path:
        return self._home

    @property
    def model_path(self) -> Path | None:
        """The chosen GGUF file, or None for the embedded model."""
        return self._in_home(self.model.path) if self.model.path else None

    @property
    def journal_path(self) -> Path:
        return self._in_home(self.journal.path or Path("journal.duckdb"))

    @property
    def personas_folder(self) -> Path:
        return self._in_home(self.personas.folder or Path("personas"))

    @property
    def persona_folders(self) -> tuple[Path, Path]:
        """The personas that come along, and then the admin's own."""
        return share_dir() / "data" / "personas", self.personas_folder

    @property
    def token_path(self) -> Path:
        """The file with the bearer token that game servers present."""
        return self.home / "token"

    def warnings(self) -> list[str]:
        """What is allowed but should be known."""
        if _is_loopback(self.server.host):
            return []
        return [
            f"server.host is {self.server.host}: the token and all talk travel unencrypted; "
            "listen on 127.0.0.1, or tunnel the port (WireGuard, ssh -L) between the machines"
        ]

    def _in_home(self, path: Path) -> Path:
        return self.home / path.expanduser()


def load(home: Path | None = None) -> Settings:
    """The settings of `home` (default: `default_home()`). Raises `ConfigError` with all problems."""
    home = (home or default_home()).expanduser().absolute()
    given = _read_file(home / FILE_NAME)
    problems = _environment_problems()
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems += [_problem(detail, given) for detail in error.errors(include_url=False)]
    else:
        if settings.turn.history > settings.turn.memory:
            problems.append(
                f"turn.history: {settings.turn.history} exchanges cannot go into a prompt when turn.memory "
                f"keeps {settings.turn.memory}; raise turn.memory or lower turn.history"
            )
        settings._home = home
    if problems:
        raise ConfigError(problems)
    return settings


@dataclass(frozen=True, slots=True)
class Key:
    """One setting, for the documentation, `config init` and `config show`."""

    section: str
    name: str
    default: Any
    allowed: str
    meaning: str

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        return f"{PREFIX}{self.section}__{self.name}".upper()


def keys() -> Iterator[Key]:
    """Every setting there is, in the order of the models."""
    for section, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, Section)
        for name, info in field.annotation.model_fields.items():
            allowed = _allowed(info.annotation, info.metadata)
            yield Key(section, name, info.default, allowed, info.description or "")


def origin(key: Key, home: Path) -> Origin:
    """Where the effective value of `key` comes from."""
    if key.name in EnvSettingsSource(Settings)().get(key.section, {}):
        return "env"
    return "file" if key.name in _read_file(home / FILE_NAME).get(key.section, {}) else "default"


def share_dir() -> Path:
    """The folder that holds `data/` and `luanti_bridge_mod/`: inside the package when installed from a
    wheel, the checkout otherwise."""
    package = Path(__file__).resolve().parent
    return package / "share" if (package / "share").is_dir() else package.parent


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read as TOML: {error}; correct or remove the file"]) from error


def _environment_problems() -> list[str]:
    """Variables that look like settings but would be ignored."""
    problems = []
    variables = [key.variable for key in keys()]
    for name in os.environ:
        section, double, _ = name.upper().removeprefix(PREFIX).partition("__")
        if not name.upper().startswith(PREFIX) or (double and section.lower() in Settings.model_fields):
            continue  # not ours, or checked with its section
        near = difflib.get_close_matches(name.upper(), variables, n=1, cutoff=0.8)
        if double or near:
            hint = f"did you mean {near[0]}?" if near else "see docs/configuration.md, or unset it"
            problems.append(f"{name}: there is no such setting; {hint}")
    return problems


def _problem(detail: ErrorDetails, given: Mapping[str, Any]) -> str:
    location = [str(part) for part in detail["loc"]]
    dotted = ".".join(location[:2])
    known = {key.dotted: key for key in keys()}
    if detail["type"] == "extra_forbidden":
        candidates = list(known) if len(location) > 1 else list(Settings.model_fields)
        near = difflib.get_close_matches(dotted, candidates, n=1)
        hint = f"did you mean {near[0]}?" if near else "remove it; docs/configuration.md lists them all"
        return f"{dotted}: there is no such setting; {hint}"
    value = detail["input"]
    if dotted not in known:
        return f"{dotted}: {value!r} is not a section; write [{dotted}] with keys below it"
    key = known[dotted]
    in_file = isinstance(given.get(key.section), Mapping) and key.variable not in map(str.upper, os.environ)
    where = f"{FILE_NAME}" if in_file else key.variable
    return f"{dotted}: {value!r} (from {where}) cannot be used; give {key.allowed}"


def _allowed(annotation: Any, metadata: list[Any]) -> str:
    if typing.get_origin(annotation) is Literal:
        return f"one of {', '.join(typing.get_args(annotation))}"
    low = next((item.ge for item in metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in metadata if isinstance(item, Le)), None)
    if annotation is int:
        return f"a whole number from {low} to {high}"
    if annotation is float:
        return f"a number from {low} to {high}"
    return "a text" if annotation is str else "a path"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
