"""A profile for tests: the embedded one, made short; any setting may be replaced by its section."""

from __future__ import annotations

from typing import Any

import msgspec

from learner.train.profiles import FOLDER, Profile, read_profile


def quick(name: str = "embedded", **sections: dict[str, Any]) -> Profile:
    """`quick(schedule={"epochs": 1})`: four examples a batch, two epochs, unless told otherwise."""
    profile = read_profile(FOLDER / f"{name}.toml")
    defaults = {"schedule": {"epochs": 2, "batch": 4, "accumulate": 1}}
    for section in {*defaults, *sections}:
        values = {**defaults.get(section, {}), **sections.get(section, {})}
        part = msgspec.structs.replace(getattr(profile, section), **values)
        profile = msgspec.structs.replace(profile, **{section: part})
    return profile
