"""The sections of the settings: every key with its type, default, range and meaning.

`config` reads them; docs/configuration.md lists them, and a test fails when the two disagree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]


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
        le=2,
        description="Seconds between heartbeats; a peer that sends nothing for 5 s is dead.",
    )


class Model(Section):
    """The base model that speaks."""

    path: OptionalPath = Field(
        default=None, description="A GGUF file; empty means the model that comes along."
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="CPU threads for the model; 0 measures, all cores but one at most.",
    )
    slots: int = Field(
        default=16, ge=1, le=256, description="Replies generated at the same time, in one batch."
    )
    context: int = Field(
        default=0,
        ge=0,
        le=1_048_576,
        description="Tokens per talk; 0 means what the model allows, 4,096 at most.",
    )
    queue: int = Field(default=64, ge=0, le=4096, description="Requests that may wait for a slot.")
    cache_mb: int = Field(
        default=256, ge=0, le=1_048_576, description="Megabytes for what talks that pause have read already."
    )


class Engine(Section):
    """What runs the model."""

    backend: Literal["llama", "openai"] = Field(
        default="llama",
        description="`llama` runs the model here; `openai` asks an OpenAI-compatible server "
        "(llama-server, vLLM, SGLang, Ollama).",
    )
    url: str = Field(
        default="",
        description="That server's address up to and with `/v1`, such as http://127.0.0.1:8080/v1.",
    )
    model: str = Field(
        default="", description="The model's name at that server; empty takes the first that it lists."
    )
    api_key: SecretStr = Field(
        default=SecretStr(""),
        description="The key that the server asks for; better as a variable than in the file.",
    )
    isolated: bool = Field(
        default=False,
        description="Whether `llama` runs in a process of its own: when the engine library crashes or hangs, "
        "some replies are lost, and not the runtime.",
    )


class Turn(Section):
    """One turn: a player's line and the reply to it."""

    deadline_s: float = Field(
        default=6.0,
        ge=0.5,
        le=60,
        description="Seconds from a line's arrival, with its wait for the NPC, to when its reply is cut off.",
    )
    max_line: int = Field(
        default=500, ge=20, le=500, description="Characters of a player's line that are read."
    )
    memory: int = Field(default=32, ge=0, le=1000, description="Exchanges kept for each NPC and player.")
    history: int = Field(
        default=2, ge=0, le=64, description="Of those, the latest ones that go into a prompt."
    )
    facts: int = Field(default=8, ge=0, le=32, description="Facts that a line names, at most, in a prompt.")
    per_player_per_10s: int = Field(
        default=6, ge=1, le=100, description="Lines a player may say in ten seconds."
    )
    npc_talks: int = Field(default=4, ge=1, le=64, description="Players one NPC answers at the same time.")
    npc_queue: int = Field(default=16, ge=0, le=64, description="Lines that may wait for one NPC.")


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


class Registry(Section):
    """The versions that were trained, and what is expected of one that serves."""

    path: OptionalPath = Field(
        default=None, description="Where versions are kept; empty means HOME/registry."
    )
    poll_ms: int = Field(
        default=100, ge=10, le=5000, description="Milliseconds between two looks at what was decided."
    )
    keep: int = Field(
        default=10, ge=0, le=10_000, description="Versions that `versions prune` keeps beside those in use."
    )
    keep_days: int = Field(
        default=30, ge=0, le=3650, description="It keeps what came or was named in so many days, too."
    )
    guard_turns: int = Field(
        default=200, ge=0, le=100_000, description="Turns that a new version is watched; 0 watches none."
    )
    guard_margin: float = Field(
        default=0.05, ge=0.0, le=1.0, description="Share of bad turns borne above the predecessor's."
    )
    guard_slower: float = Field(
        default=2.0,
        ge=1.0,
        le=100.0,
        description="Times the predecessor's p95 from which first words count as late.",
    )
    guard_crashes: int = Field(
        default=2, ge=1, le=100, description="Crashes in a row that end a version that is watched."
    )


class Canary(Section):
    """How a challenger is tried: by few players first, then by more."""

    window_h: float = Field(
        default=24.0, ge=0.0, le=720.0, description="Hours of a player's ratings that count, from the first."
    )
    step_h: float = Field(
        default=2.0, ge=0.0, le=720.0, description="Hours before more players get the challenger."
    )
    step_turns: int = Field(
        default=30, ge=0, le=100_000, description="Turns it must have taken before that, without harm."
    )
    days: float = Field(
        default=14.0, ge=0.01, le=365.0, description="Days after which a challenge without a result ends."
    )
    alpha: float = Field(
        default=0.05, ge=0.001, le=0.5, description="Share of false promotions that is borne."
    )


class Learn(Section):
    """The nightly run that learns from what players rated."""

    at: str = Field(
        default="04:30",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="The time of day, such as 04:30, at which a night begins; empty for none.",
    )
    zone: str = Field(
        default="", description="The time zone of it, such as Europe/Berlin; empty means the machine's."
    )
    grace_h: float = Field(
        default=6.0, ge=0.0, le=23.0, description="Hours a night that was missed may begin later."
    )
    after_raters: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Begin also when so many players rated since the last run; 0 for never.",
    )
    look_s: float = Field(default=60.0, ge=0.1, le=3600.0, description="Seconds between two counts of those.")
    passed: Literal["canary", "promote", "keep"] = Field(
        default="canary",
        description="What a version gets that passed the gate: some players first, all, or none until you "
        "decide.",
    )
    share: int = Field(
        default=5, ge=1, le=50, description="Percent of the players that a canary answers first."
    )
    wait_while_serving: bool = Field(
        default=False, description="Whether a run pauses while players talk with NPCs."
    )
    minutes: float = Field(
        default=0.0,
        ge=0.0,
        le=10_000.0,
        description="Minutes of a run, waiting left out, after which it ends; its trainings take at most "
        "half of them. 0 means what its profile gives to trainings, and 200 for all else.",
    )
    memory_mb: int = Field(
        default=0,
        ge=0,
        le=16_777_216,
        description="Memory at which a run ends; 0 means what its profile says.",
    )
    base: OptionalPath = Field(
        default=None,
        description="The folder of the base's weights (safetensors); empty means the embedded model's.",
    )
    profile: OptionalPath = Field(
        default=None, description="A file of training settings; empty takes the one made for the base."
    )
    backend: Literal["auto", "cpu", "peft", "unsloth"] = Field(
        default="auto", description="What trains; `auto` takes the fastest that works here."
    )
    min_raters: int = Field(
        default=8, ge=1, le=100_000, description="Players whose ratings can be used that a run needs."
    )
    min_ratings: int = Field(
        default=80, ge=1, le=1_000_000, description="Rated turns that can be used that a run needs."
    )
    replay: float = Field(
        default=1.5, ge=0.0, le=20.0, description="Turns of the base's corpus for each new one to imitate."
    )
    cases: int = Field(
        default=40, ge=5, le=10_000, description="Cases asked of each golden slice; of refusals all are."
    )
    alpha: float = Field(
        default=0.05,
        ge=0.001,
        le=0.4,
        description="Chance that any night promotes what raters do not prefer.",
    )
    least_gain: float = Field(
        default=0.0,
        ge=0.0,
        le=0.5,
        description="Won judgements above one half that are asked for, too; 0.15 is 15 points.",
    )
    retrain_without: bool = Field(
        default=True,
        description="Whether to train once more without the raters who were followed most, and ask for "
        "the same verdict.",
    )
    new_account_h: float = Field(
        default=20.0,
        ge=0.0,
        le=10_000.0,
        description="Hours since a player's first turn before their ratings count.",
    )
    keep_runs: int = Field(
        default=14, ge=1, le=10_000, description="Runs that are kept, each with its snapshot and its data."
    )
    seed: int = Field(
        default=1, ge=0, le=2_147_483_647, description="The seed of everything drawn by chance."
    )


class Privacy(Section):
    """Whose talk may be trained on."""

    consent: Literal["ask", "opt-out"] = Field(
        default="ask",
        description="`ask`: only of players who allowed it. `opt-out`: of all but those who withdrew; "
        "tell your players.",
    )


class Log(Section):
    """What the runtime writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is shown."
    )
    format: Literal["auto", "json", "pretty"] = Field(
        default="auto", description="`auto` is pretty on a terminal and JSON otherwise."
    )
