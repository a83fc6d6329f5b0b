import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.errors import ActionError
from agent_runtime.npc.actions import ALIASES, TABLE, Proposal, parse_proposal


def test_aliases_lead_to_real_actions() -> None:
    assert parse_proposal("wave") == Proposal("emote", {"kind": "wave"})
    assert parse_proposal("move_north") == Proposal("move", {"direction": "north"})
    for alias, (name, _) in ALIASES.items():
        assert alias not in TABLE
        assert name in TABLE


@pytest.mark.parametrize(
    "body",
    [
        "",
        "fly",
        "give",
        "give item=",
        "give item= torch count= 0",
        "give item= torch count= 100",
        "give item= torch count= ²",
        "give item= a item= b",
        "follow target= bob speed= 9",
        "emote kind= explode",
        "move direction= sideways",
        "stop now",
        "whisper text= " + "x" * 201,
    ],
)
def test_what_does_not_fit_the_table_is_an_error(body: str) -> None:
    with pytest.raises(ActionError):
        parse_proposal(body)


@given(st.text(max_size=80))
def test_any_text_gives_a_proposal_or_an_action_error(body: str) -> None:
    try:
        proposal = parse_proposal(body)
    except ActionError:
        return
    assert proposal.name in TABLE
