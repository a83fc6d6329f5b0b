from __future__ import annotations

import pytest

from agent_runtime.bridge.door import refusal

TOKEN = "correct-horse-battery-staple"


def test_the_right_token_opens() -> None:
    assert refusal(origins=[], authorizations=[f"Bearer {TOKEN}"], token=TOKEN) is None


@pytest.mark.parametrize(
    "authorizations",
    [
        [],
        ["Bearer wrong"],
        [f"Bearer {TOKEN}x"],
        [f"Bearer {TOKEN[:-1]}"],
        [f"bearer {TOKEN}"],
        [TOKEN],
        ["Bearer "],
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        ["Bearer \udcff\udcfe"],
    ],
)
def test_anything_else_is_told_where_the_token_is(authorizations: list[str]) -> None:
    refused = refusal(origins=[], authorizations=authorizations, token=TOKEN)
    assert refused is not None
    assert refused.status == 401
    assert "townsfolk config show" in refused.text
    assert TOKEN not in refused.text


def test_a_web_page_stays_outside_even_with_the_token() -> None:
    refused = refusal(origins=["http://127.0.0.1"], authorizations=[f"Bearer {TOKEN}"], token=TOKEN)
    assert refused is not None
    assert refused.status == 403
