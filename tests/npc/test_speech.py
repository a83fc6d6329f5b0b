from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.npc.actions import Proposal
from agent_runtime.npc.prompt import Fact
from agent_runtime.npc.speech import MAX_ACTIONS, MAX_MARK, Malformed, Speech, Utterance, Words

FACTS = [
    Fact("torch", "1 coal lump and 1 stick (makes 4)", "default:torch", "recipe:default:torch", "recipe"),
    Fact("river", "24 steps north-east", "river", "place:river", "where"),
]


def say(text: str, size: int = 1) -> tuple[Speech, list[Utterance]]:
    speech = Speech(FACTS)
    out: list[Utterance] = []
    for start in range(0, len(text), size):
        out += speech.feed(text[start : start + size])
    return speech, out + speech.end()


def sentences(utterances: list[Utterance]) -> list[str]:
    gathered, found = "", []
    for utterance in utterances:
        if isinstance(utterance, Words):
            gathered += utterance.text
            if utterance.sentence:
                found.append(gathered)
                gathered = ""
    assert gathered == "", "words were left without the end of a sentence"
    return found


def test_a_quoted_fact_is_spoken_as_its_value_and_remembered() -> None:
    speech, out = say("A torch? Take [[recipe]], friend. The river is [[where]].")
    assert speech.said == (
        "A torch? Take 1 coal lump and 1 stick (makes 4), friend. The river is 24 steps north-east."
    )
    assert speech.quoted == [1, 2]
    assert sentences(out)[0] == "A torch?"


def test_a_tag_that_no_fact_has_is_never_invented() -> None:
    speech, _ = say("Take [[7]].")
    assert speech.said == "Take something."
    assert speech.quoted == []


def test_an_action_is_proposed_and_not_spoken() -> None:
    speech, out = say("Lead on! [[ACTION:follow]] I am right behind you.")
    assert speech.said == "Lead on! I am right behind you."
    assert Proposal("follow", {}) in out
    assert sentences(out) == ["Lead on!", " I am right behind you."]


def test_arguments_may_hold_spaces_and_begin_with_one() -> None:
    _, out = say("[[ACTION:give item= steel pickaxe count= 2 target= alice]]")
    assert out == [Proposal("give", {"item": "steel pickaxe", "count": 2, "target": "alice"})]


def test_a_mark_that_never_ends_is_malformed_and_unspoken() -> None:
    speech, out = say("Hello. [[ACTION:follow target=")
    assert speech.said == "Hello."
    assert [type(each) for each in out][-1] is Malformed
    speech, out = say("[[" + "x" * (MAX_MARK + 10))
    assert any(isinstance(each, Malformed) for each in out)


def test_more_actions_than_allowed_are_malformed() -> None:
    _, out = say("[[ACTION:stop]]" * (MAX_ACTIONS + 1))
    assert [type(each) for each in out] == [Proposal] * MAX_ACTIONS + [Malformed]


def test_the_first_sentence_is_known_before_the_second_is_finished() -> None:
    speech = Speech(FACTS)
    out = speech.feed("Good evening, alice. What")
    assert out[0] == Words("Good evening, alice.", sentence=True)
    assert out[1] == Words(" What", sentence=False)


def test_numbers_and_titles_do_not_end_a_sentence() -> None:
    _, out = say("It is 3.5 steps to Mr. Brom. Hurry!")
    assert sentences(out) == ["It is 3.5 steps to Mr. Brom.", " Hurry!"]


def test_escapes_of_the_game_never_reach_the_player() -> None:
    speech, _ = say("Look \x1b(c@#ff0000)here\x00\u202e.")
    assert "\x1b" not in speech.said
    assert "\x00" not in speech.said
    assert "\u202e" not in speech.said


@given(
    st.lists(
        st.sampled_from(
            ["[[recipe]]", "[[ACTION:stop]]", "[[uses]]", "[", "]]", "Hi. ", "a ", "! ", "é", "[[x"]
        )
    )
)
def test_the_split_of_the_stream_changes_nothing(parts: list[str]) -> None:
    text = "".join(parts)
    whole, at_once = say(text, size=max(1, len(text)))
    for size in (1, 3):
        split, pieces = say(text, size)
        assert split.said == whole.said
        assert [p for p in pieces if isinstance(p, Proposal)] == [
            p for p in at_once if isinstance(p, Proposal)
        ]
        assert sentences(pieces) == sentences(at_once)
