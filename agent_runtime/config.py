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
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from annotated_types import Ge, Le
from pydantic import PrivateAttr, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from agent_runtime.errors import ConfigError
from agent_runtime.sections import (
    Canary,
    Engine,
    Journal,
    Learn,
    Log,
    Model,
    Personas,
    Privacy,
    Registry,
    Section,
    Server,
    Turn,
)

FILE_NAME = "townsfolk.toml"
PREFIX = "TOWNSFOLK_"

Origin = Literal["default", "file", "env"]


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
    engine: Engine = Engine()
    turn: Turn = Turn()
    personas: Personas = Personas()
    journal: Journal = Journal()
    registry: Registry = Registry()
    canary: Canary = Canary()
    learn: Learn = Learn()
    privacy: Privacy = Privacy()
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
    def registry_path(self) -> Path:
        return self._in_home(self.registry.path or Path("registry"))

    @property
    def learner_folder(self) -> Path:
        """Where runs of the learner leave what they do and did."""
        return self.home / "learner"

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
    except SettingsError:
        pass  # a variable that names a whole section: among the problems already
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [_problem(detail, given) for detail in details if not _whole_section_variable(detail)]
    else:
        if settings.turn.history > settings.turn.memory:
            problems.append(
                f"turn.history: {settings.turn.history} exchanges cannot go into a prompt when turn.memory "
                f"keeps {settings.turn.memory}; raise turn.memory or lower turn.history"
            )
        if settings.engine.backend == "openai" and not settings.engine.url:
            problems.append(
                "engine.url: is empty, and engine.backend is 'openai'; give the server's address, such as "
                "http://127.0.0.1:8080/v1"
            )
        problems += _zone_problems(settings.learn.zone)
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


def all_keys() -> Iterator[Key]:
    """Every setting there is, in the order of the models."""
    for section, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, Section)
        for name, info in field.annotation.model_fields.items():
            allowed = _allowed(info.annotation, info.metadata)
            default = "" if isinstance(info.default, SecretStr) else info.default
            yield Key(section, name, default, allowed, info.description or "")


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
    variables = [key.variable for key in all_keys()]
    for name in os.environ:
        section, double, _ = name.upper().removeprefix(PREFIX).partition("__")
        is_section = section.lower() in Settings.model_fields
        if not name.upper().startswith(PREFIX) or (double and is_section):
            continue  # not ours, or checked with its section
        if is_section:
            first = next(key.variable for key in all_keys() if key.section == section.lower())
            problems.append(f"{name}: names a whole section; set its keys one by one, such as {first}")
            continue
        near = difflib.get_close_matches(name.upper(), variables, n=1, cutoff=0.8)
        if double or near:
            hint = f"did you mean {near[0]}?" if near else "see docs/configuration.md, or unset it"
            problems.append(f"{name}: there is no such setting; {hint}")
    return problems


def _zone_problems(zone: str) -> list[str]:
    try:
        ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [
            f"learn.zone: {zone!r} is no time zone that this machine knows; give one such as Europe/Berlin"
        ]
    return []


def _problem(detail: ErrorDetails, given: Mapping[str, Any]) -> str:
    location = [str(part) for part in detail["loc"]]
    dotted = ".".join(location[:2])
    known = {key.dotted: key for key in all_keys()}
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


def _whole_section_variable(detail: ErrorDetails) -> bool:
    """Whether `_environment_problems` has named it already."""
    return len(detail["loc"]) == 1 and f"{PREFIX}{detail['loc'][0]}".upper() in map(str.upper, os.environ)


def _allowed(annotation: Any, metadata: list[Any]) -> str:
    if typing.get_origin(annotation) is Literal:
        return f"one of {', '.join(typing.get_args(annotation))}"
    low = next((item.ge for item in metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in metadata if isinstance(item, Le)), None)
    if annotation is bool:
        return "true or false"
    if annotation is int:
        return f"a whole number from {low} to {high}"
    if annotation is float:
        return f"a number from {low} to {high}"
    return "a text" if annotation in (str, SecretStr) else "a path"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
