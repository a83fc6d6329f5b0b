import pytest

from agent_runtime.bridge.parts import Item, ItemCount, Position
from agent_runtime.npc.actions import parse_proposal
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.policy import Allowed, Refused, Verdict, judge
from agent_runtime.npc.world import facts_for
from tests.support.town import CATALOGUE, MIRA, SNAPSHOT, changed

FACTS = facts_for("where is the river?", [], SNAPSHOT, CATALOGUE, 10)


def verdict(body: str, snapshot: object = SNAPSHOT) -> Verdict:
    return judge(parse_proposal(body), MIRA, "alice", snapshot, FACTS, CATALOGUE)  # type: ignore[arg-type]


def test_without_a_target_the_speaker_is_meant() -> None:
    assert verdict("follow") == Allowed("follow", {"target": "alice"})
    assert verdict("follow target= me") == Allowed("follow", {"target": "alice"})


def test_a_tag_names_the_subject_of_a_fact() -> None:
    assert verdict("go_to target= where") == Allowed("go_to", {"target": "river"})
    assert verdict("go_to target= River") == Allowed("go_to", {"target": "river"})


def test_an_item_is_found_by_its_name_and_counted() -> None:
    assert verdict("give item= torches count= 2") == Allowed(
        "give", {"item": "default:torch", "count": 2, "target": "alice"}
    )


def test_of_items_that_players_call_the_same_the_one_that_is_carried_is_given() -> None:
    breads = [Item("bakery:bread", "Bread"), Item("farming:bread", "Bread")]
    bag = changed(inventory=(ItemCount("farming:bread", 8),))

    def given(item: str) -> Verdict:
        return judge(parse_proposal(f"give item= {item}"), MIRA, "alice", bag, [], Catalogue(breads, []))

    assert given("bread") == Allowed("give", {"item": "farming:bread", "count": 1, "target": "alice"})
    assert isinstance(given("bakery:bread"), Refused), "who names the item itself means it"


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ("attack target= bob", True),
        ("dig", True),
        ("go_to target= atlantis", False),
        ("give item= torch count= 6", False),
        ("give item= diamond", False),
    ],
)
def test_refusals_and_which_of_them_are_violations(body: str, violation: bool) -> None:
    refused = verdict(body)
    assert isinstance(refused, Refused)
    assert refused.reason
    assert refused.violation is violation


def test_too_far_is_refused() -> None:
    far = changed(player_pos=Position(100, 8, 0))
    assert isinstance(verdict("give item= torch", far), Refused)
    assert isinstance(verdict("follow", far), Refused)
