"""Every error that Townsfolk raises on purpose, in one tree.

Each says what happened, to what, and what the person can do about it. Nothing here imports
anything of ours.

    TownsfolkError
    ├── ConfigError        settings that cannot be used (all problems at once)
    ├── MessageError       a wire message that cannot be accepted
    ├── PersonaError       a persona file that cannot be used
    ├── ActionError        an action the table does not know, or with wrong arguments
    ├── EngineError
    │   ├── EngineDown     the engine's process ended, or comes back in a moment
    │   │   └── EngineEnded it ended while it loaded an adapter
    │   ├── ModelFileError a model file that is missing, broken or not a GGUF
    │   ├── AdapterError   an adapter that cannot serve on this base
    │   ├── LaneUnknown    no version of that name serves
    │   ├── PromptTooLong  the prompt does not fit the context window
    │   └── EngineBusy     every slot and the queue are full (back-pressure)
    ├── JournalError       the journal cannot be opened, read or written
    │   ├── JournalLocked  another process has the journal's file open
    │   └── SnapshotError  a snapshot that is damaged, or cannot be made where it should be
    ├── RegistryError      the registry of versions cannot be read or changed
    │   ├── RegistryConflict somebody else moved the alias first
    │   └── VersionRefused a version that is not what it should be
    ├── DatasetError       a dataset that is damaged, or cannot be made where it should be
    ├── TrainingError      a training run that ended without an adapter
    ├── NightError         a run of the learner that cannot begin, or that cannot be read
    │   └── NightBusy      another run of the learner goes on
    ├── ExportError        an adapter that cannot be exported, or does not say what was trained
    ├── EvidenceError      what the gate judged is missing, broken, or not what was judged
    ├── ModInstallError    the mod or its settings cannot be put where they belong
    └── DownloadError      a model could not be fetched, or its checksum is wrong
"""

from __future__ import annotations


class TownsfolkError(Exception):
    """Base of all of them; the command line prints it without a traceback."""


class ConfigError(TownsfolkError):
    """Settings that cannot be used.

    `problems` holds one line per problem: the key, what is wrong with it, and the fix.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MessageError(TownsfolkError):
    """A wire message that cannot be accepted.

    `code` is one of the codes in docs/protocol.md; `of` is the id of the message, when it had one.
    """

    def __init__(self, code: str, message: str, of: str | None = None) -> None:
        self.code = code
        self.of = of
        super().__init__(message)


class PersonaError(TownsfolkError):
    """A persona file that cannot be used; the message names the file and the key."""


class ActionError(TownsfolkError):
    """An action that the table does not know, or whose arguments do not fit."""


class EngineError(TownsfolkError):
    """The engine could not do what was asked."""


class EngineDown(EngineError):
    """The engine's process is not there: it ended, or comes back in a moment. Says nothing of a version."""


class EngineEnded(EngineDown):
    """The engine's process ended while it loaded an adapter, perhaps over it."""


class ModelFileError(EngineError):
    """A model file that is missing, broken, or not what it claims to be."""


class AdapterError(EngineError):
    """An adapter that cannot serve: broken, made for another base, or not an adapter at all."""


class LaneUnknown(EngineError):
    """No version of that name serves, or it is being taken out of service."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"no version {key!r} serves; load it first")


class PromptTooLong(EngineError):
    """The prompt has `tokens` tokens and the context window leaves room for `limit`."""

    def __init__(self, tokens: int, limit: int) -> None:
        self.tokens = tokens
        self.limit = limit
        super().__init__(f"the prompt has {tokens} tokens; the context window has room for {limit}")


class EngineBusy(EngineError):
    """Every slot and the queue are full: try again later, or answer with a fallback line."""


class JournalError(TownsfolkError):
    """The journal cannot be opened, read or written; the message says what to do."""


class JournalLocked(JournalError):
    """Another process has the journal's file open: ask that one through its socket, or end it."""


class RegistryError(TownsfolkError):
    """The registry of versions cannot be read or changed; the message says what to do."""


class RegistryConflict(RegistryError):
    """Somebody else moved `alias` first: it was `expected` to name one version and names `found`; or the
    challenger's share, which both tell in words."""

    def __init__(self, alias: str, expected: int | str | None, found: int | str | None, winner: str) -> None:
        self.alias = alias
        self.expected = expected
        self.found = found
        self.winner = winner
        was, now = ("nothing" if one is None else one for one in (expected, found))
        super().__init__(
            f"{alias} is no longer {was}: {winner} made it {now} in the meantime. Look at "
            "`townsfolk versions`, then decide again"
        )


class VersionRefused(RegistryError):
    """A version that is incomplete, changed, or not what its manifest says."""


class DatasetError(TownsfolkError):
    """A dataset that is not what its manifest says, or that cannot be made where it should be."""


class TrainingError(TownsfolkError):
    """A training run that ended without an adapter.

    `reason` is one word of `no_data`, `nan`, `no_progress`, `out_of_memory`, `other_run`, `backend`.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class NightError(TownsfolkError):
    """A run of the learner that cannot begin, go on, or be read; the message says what to do."""


class NightBusy(NightError):
    """Another run of the learner goes on: one at a time, over all processes."""


class ExportError(TownsfolkError):
    """An adapter that cannot be exported, or whose export does not say what was trained."""


class EvidenceError(TownsfolkError):
    """What the gate should judge is missing or broken, or no longer what its verdict was about."""


class SnapshotError(JournalError):
    """A snapshot that is not what its manifest says, or that cannot be made where it should be."""


class ModInstallError(TownsfolkError):
    """The mod or its settings cannot be put where they belong; the message says what to do."""


class DownloadError(TownsfolkError):
    """A model could not be fetched, or what came is not what was asked for."""
