"""The registry: a trained version comes in and never changes again; aliases say which one serves.

`versions/<n>-<hash>/` holds each version, `audit.jsonl` every decision. Reading needs no lock and nothing
running; each change is made under one lock, by compare-and-swap, as one line of the audit log. Whoever
decides, no alias comes to name a version that is banned or was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent_runtime import files
from agent_runtime.errors import RegistryConflict, RegistryError, VersionRefused
from agent_runtime.registry import aliases, audit, versions
from agent_runtime.registry.audit import BARE, Alias, Entry, State, What
from agent_runtime.registry.canary import MAX_SHARE
from agent_runtime.registry.manifest import Draft, check_draft
from agent_runtime.registry.versions import Version, Versions

LOCK = ".lock"
LOCK_SECONDS = 5.0
INSTEAD_OF_A_BAN = {
    "the bare base": "it cannot be banned",
    "champion": "`townsfolk rollback` bans it",
    "challenger": "`townsfolk versions drop` first",
    "last_good": "promote another one first",
}


class Registry:
    """The versions and decisions below `root`, which need not be there yet. `now` tells the time, UTC."""

    def __init__(self, root: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.root = root
        self.log_path = root / "audit.jsonl"
        self._versions = Versions(root)
        self._now = now

    def state(self) -> State:
        """What all decisions add up to. Raises `RegistryError`."""
        return audit.read(self.log_path)

    def audit(self) -> tuple[Entry, ...]:
        """Every decision, the oldest first. Raises `RegistryError`."""
        return self.state().entries

    def get(self, which: int | str) -> Version:
        """A version by its number or id. Raises `RegistryError` when there is none, and `VersionRefused`
        when it cannot be read."""
        with self._explained():
            return self._versions.get(which)

    def versions(self) -> list[Version]:
        """The bare base and every version that can be read, by number. Raises `RegistryError`."""
        with self._explained():
            return [version for version in self._versions.all() if isinstance(version, Version)]

    def damaged(self) -> list[str]:
        """Why some folders among the versions cannot be read."""
        with self._explained():
            return [str(error) for error in self._versions.all() if isinstance(error, VersionRefused)]

    def verify(self, version: Version) -> None:
        """Read every byte of a version again. Raises `VersionRefused` for anything that is not as it was
        when it came."""
        versions.verify(version)

    def add(self, staged: Path, draft: Draft, *, who: str = "learner", why: str = "") -> Version:
        """Take in a copy of a folder with `adapter.gguf`, `report.json`, `card.md` and whatever else belongs
        to the version. One that came just before a crash, so that no decision names it, is not added twice.
        Raises `VersionRefused`, or `RegistryError`."""
        check_draft(draft)
        with self._explained():
            self._versions.prepare()
            with self._versions.copied(staged, draft) as (copy, kept), self._locked() as state:
                named = {entry.version for entry in state.entries}
                version = self._versions.publish(copy, kept, draft, named, self._now())
                self._append(state, who, "add", version.number, why)
                return version

    def remove(self, number: int, *, who: str, why: str) -> None:
        """Delete a version that no alias names; its number is never used again. Raises `RegistryError`."""
        version = self.get(number)
        with self._locked() as state:
            if number == BARE or number in state.aliases.values():
                raise RegistryError(f"version {number} is {_role(state, number)}: it cannot be removed")
            self._append(state, who, "prune", number, why)
            self._versions.remove(version)

    def move(self, name: Alias, to: int | None, *, expected: int | None, who: str, why: str) -> State:
        """Let an alias name another version, if it still names `expected`. A new champion makes the old one
        `last_good`, and is no longer challenger. Raises `RegistryConflict` when somebody else was first,
        and `RegistryError` for a version that is banned or not there."""
        return self._move("move", name, to, expected, who, why)

    def promote(
        self, number: int, *, expected: int, challenger: int | None = None, who: str, why: str
    ) -> State:
        """`move` of the champion; with `challenger`, only while that is on trial."""
        return self._move("promote", "champion", number, expected, who, why, challenger=challenger)

    def challenge(
        self, number: int, share: float, *, expected: int | None = None, who: str, why: str
    ) -> State:
        """Let a version answer a `share` of the players, above 0 up to `MAX_SHARE`: the others judge the
        champion. `expected` is the challenger before."""
        return self._move("challenge", "challenger", number, expected, who, why, share)

    def set_share(
        self, challenger: int, share: float, *, expected: float | None = None, who: str, why: str
    ) -> State:
        """Let the challenger answer another share of the players; with `expected`, only while that is its
        share. Raises `RegistryConflict`, also when it is the challenger no longer."""
        with self._locked() as state:
            _expect(state, "challenger", challenger)
            if expected not in (None, state.share):
                winner = next(entry.who for entry in reversed(state.entries) if entry.share is not None)
                raise RegistryConflict("share", f"{expected:.0%}", f"{state.share:.0%}", winner)
            return self._append(state, who, "share", challenger, why, share=_share(share))

    def drop(self, challenger: int, *, who: str, why: str, ban: bool = False) -> State:
        """End a challenge. A ban flags the data it was made from, too. Raises `RegistryConflict`."""
        with self._locked() as state:
            _expect(state, "challenger", challenger)
            return self._append(state, who, "drop", challenger, why, {"challenger": None}, bans=ban)

    def rollback(self, *, who: str, why: str, expected: int | None = None) -> State:
        """Back to `last_good`; the champion is banned (but not the bare base) and its data flagged. With
        `expected`, only while that is the champion. Raises `RegistryConflict`, and `RegistryError` when there
        is no way back."""
        with self._locked() as state:
            if expected is not None:
                _expect(state, "champion", expected)
            if state.champion == state.last_good == BARE:
                raise RegistryError("the bare base serves, and nothing is behind it")
            moves: dict[Alias, int | None] = {"champion": state.last_good}
            return self._append(state, who, "rollback", state.champion, why, moves, bans=True)

    def refuse(self, number: int, *, instead: int, who: str, why: str) -> State:
        """Write down that a version cannot serve. No alias names it any longer; where it was champion,
        `instead` is, which serves, unless somebody has banned it."""
        with self._locked() as state:
            moves: dict[Alias, int | None] = {"champion": instead} if state.champion == number else {}
            return self._append(state, who, "refuse", number, why, moves)

    def ban(self, number: int, *, who: str, why: str) -> State:
        """Let a version never serve again, and flag its data. Raises `RegistryError` while it serves."""
        self.get(number)
        with self._locked() as state:
            if number == BARE or number in state.aliases.values():
                role = _role(state, number)
                raise RegistryError(f"version {number} is {role}: {INSTEAD_OF_A_BAN[role]}")
            return self._append(state, who, "ban", number, why, bans=True)

    def unban(self, number: int, *, who: str, why: str) -> State:
        """Take a ban back, and the flag from its data, unless another banned version was made of it. Raises
        `RegistryError` when there is none."""
        with self._locked() as state:
            if number not in state.banned:
                raise RegistryError(f"version {number} is not banned")
            return self._append(state, who, "unban", number, why)

    def mark(self, number: int, *, who: str, why: str) -> State:
        """Say that a version should be trained anew, and take players' words off its card. Raises
        `RegistryError`."""
        version = self.get(number)
        with self._locked() as state:
            self._versions.without_words(version)
            return self._append(state, who, "mark", number, why)

    def sweep(self) -> None:
        """Delete what killed processes left half made, while nobody adds. Raises `RegistryError`."""
        with self._locked():
            self._versions.sweep(older_s=0)

    def _move(
        self,
        what: What,
        name: Alias,
        to: int | None,
        expected: int | None,
        who: str,
        why: str,
        share: float | None = None,
        challenger: int | None = None,
    ) -> State:
        with self._locked() as state:
            _expect(state, name, expected)
            if challenger is not None:
                _expect(state, "challenger", challenger)
            self._check_fit(state, name, to)
            moves: dict[Alias, int | None] = {name: to}
            if name == "champion" and to != expected:
                moves["last_good"] = expected
                if state.challenger == to:
                    moves["challenger"] = None
            about = to if to is not None else expected
            part = None if share is None else _share(share)
            return self._append(state, who, what, about or BARE, why, moves, share=part)

    def _check_fit(self, state: State, name: Alias, to: int | None) -> None:
        if to is None and name != "challenger":
            raise RegistryError(f"{name} always names a version; 0 is the bare base")
        if to is None:
            return
        if to in state.banned:
            raise RegistryError(
                f"version {to} is banned ({state.banned[to]}); `townsfolk versions unban {to}` first"
            )
        if name == "challenger" and to == state.champion:
            raise RegistryError(f"version {to} is the champion already; it cannot challenge itself")
        self.get(to)

    def _is_there(self, number: int) -> bool:
        with suppress(RegistryError):
            return bool(self.get(number))
        return False

    def _dataset(self, number: int) -> tuple[str, ...]:
        try:
            manifest = self.get(number).manifest
        except RegistryError:
            return ()  # its files are gone or broken; the ban holds all the same
        return (manifest.dataset,) if manifest else ()

    def _append(
        self,
        state: State,
        who: str,
        what: What,
        version: int,
        why: str,
        moves: Mapping[Alias, int | None] | None = None,
        *,
        share: float | None = None,
        bans: bool = False,
    ) -> State:
        entry = Entry(
            at=self._now(),
            who=who,
            what=what,
            why=why,
            version=version,
            moves=_changes(state, moves or {}),
            share=share,
            bans=bans and version != BARE,
            flags=self._dataset(version) if bans else (),
        )
        if moves is not None:
            to = aliases.settled(state, state.after(entry), self._is_there)
            entry = msgspec.structs.replace(entry, moves=_changes(state, to))
        audit.append(self.log_path, entry)
        return state.after(entry)

    @contextmanager
    def _locked(self) -> Iterator[State]:
        with self._explained():
            self.root.mkdir(parents=True, exist_ok=True)
            with files.locked(self.root / LOCK, LOCK_SECONDS):
                yield self.state()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise RegistryError(f"{error}; try again in a moment") from error
        except OSError as error:
            raise RegistryError(f"{self.root}: {error}; check the folder, its rights and its disk") from error


def _expect(state: State, name: Alias, expected: int | None) -> None:
    found = state.aliases[name]
    if found != expected:
        winner = next((entry.who for entry in reversed(state.entries) if name in entry.moves), "nobody")
        raise RegistryConflict(name, expected, found, winner)


def _changes(state: State, moves: Mapping[Alias, int | None]) -> dict[Alias, tuple[int | None, int | None]]:
    return {name: (state.aliases[name], to) for name, to in moves.items() if to != state.aliases[name]}


def _share(share: float) -> float:
    if not 0 < share <= MAX_SHARE:
        raise RegistryError(
            f"a challenger answers above 0 and at most {MAX_SHARE:.0%} of the players, not {share:.0%}"
        )
    return share


def _role(state: State, number: int) -> str:
    if number == BARE:
        return "the bare base"
    return next(alias for alias, to in state.aliases.items() if to == number)
