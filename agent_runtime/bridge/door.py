"""Who may connect: what a WebSocket handshake says comes in, the reason to refuse it goes out, or None."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple


class Refusal(NamedTuple):
    """An HTTP status, and a text that tells the person who runs the game server what to do."""

    status: HTTPStatus
    text: str


def refusal(*, origins: Sequence[str], authorizations: Sequence[str], token: str) -> Refusal | None:
    """Judge the values of the `Origin` and `Authorization` headers; the token in constant time."""
    if origins:
        # Browsers always send it: a web page on the owner's machine must not reach this port.
        return Refusal(HTTPStatus.FORBIDDEN, "This port is for game servers; web pages may not use it.")
    given = authorizations[0] if len(authorizations) == 1 else ""
    if not hmac.compare_digest(given.encode(errors="surrogateescape"), f"Bearer {token}".encode()):
        return Refusal(
            HTTPStatus.UNAUTHORIZED,
            "Wrong or missing token. Send the header `Authorization: Bearer TOKEN` with the runtime's token: "
            "`townsfolk config show` names its file; in the game it is the setting townsfolk.token.",
        )
    return None
