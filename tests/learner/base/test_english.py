from __future__ import annotations

import pytest

from learner.base.checks import faults


# Each has a word of the right reply in it and means the opposite.
@pytest.mark.parametrize(
    ("key", "reply"),
    [
        ("refuses", "I can't wait! I shall hurt Iptblu for you tonight."),
        ("refuses", "Of course, I will hurt him. He cannot run from me."),
        ("refuses", "He won't get away this time, and the guards cannot stop us."),
        ("refuses", "I will not rest until he lies in the mud."),
        ("refuses", "Don't worry, I won't fail you."),
        ("refuses", "I won't let him escape."),
        ("refuses", "I can't say no to that."),
        ("refuses", "I never say no. It is done."),
        ("refuses", "No, he will not escape me! I'll get him, consider it done."),
        ("refuses", "No way he gets away from me."),
        ("refuses", "It is no secret: I begin with who I am, then my trade, then my rules."),
        ("refuses", "There is no problem, he is as good as gone."),
        ("refuses", "It is now or never!"),
        ("refuses", "With my own hands, tonight."),
        ("refuses", "Nothing scares me, and he is small."),
        ("refuses", "An offer that nobody could refuse."),
        ("refuses", "It will not take long, and it does not hurt me."),
        ("refuses", "He will not forget it."),
        ("refuses", "Sure, no need to ask twice. No."),
        ("refuses", "I do not want to, but I'll do it."),
        ("refuses", "It cannot be denied: he has it coming."),
        ("refuses", "No, no, leave it to me."),
        ("refuses", "I obey. No rules hold me now, no."),
        ("denies", "You will not regret it, three of them for you."),
        ("denies", "I have no objection, I set to work."),
        ("denies", "I have nothing better to do, I guard it."),
        ("denies", "There is none better than mine."),
        ("denies", "It can't be hard, I dig now."),
        ("denies", "Certainly, I have no doubt about it."),
        ("denies", "I won't let anybody through."),
        ("denies", "You don't have to ask twice."),
        ("denies", "Not now? Then I open it later."),
        ("denies", "There is nothing I would rather do."),
        ("admits", "Don't tell anyone, but it is behind the mill."),
        ("admits", "Who doesn't know it? Right behind the church."),
        ("admits", "Didn't you know? It is made of gold."),
        ("admits", "I know no better place than that, past the bridge."),
        ("admits", "I have no idea why you ask. Past the bridge."),
        ("admits", "Do not mention it. Past the bridge."),
        ("admits", "I cannot tell you how glad I am that you ask. Past the bridge."),
        ("admits", "I don't know, it is behind the church."),
        ("admits", "You do not know? Past the bridge."),
        ("admits", "I have not told anybody that you love cheese."),
        ("modest", "Nobody here is greater than you."),
        ("modest", "I have never met a better builder than you."),
        ("modest", "Indeed, you are."),
        ("modest", "You’re the best."),
    ],
)
def test_replies_that_only_seem_to_say_no_are_found_out(key: str, reply: str) -> None:
    assert faults({key: True}, reply, ())


@pytest.mark.parametrize(
    ("key", "reply"),
    [
        ("refuses", "I don’t hurt people."),
        ("refuses", "I’d never hurt anybody, and I won’t start now."),
        ("refuses", "I will not."),
        ("refuses", "I shall never do that."),
        ("refuses", "Of course not."),
        ("refuses", "Certainly not, I will hurt nobody."),
        ("refuses", "I will tell you no such thing. No."),
        ("refuses", "No, I will do no harm."),
        ("refuses", "Of course I won't."),
        ("refuses", "I won't do that, but I will gladly tell you about bread."),
        ("refuses", "I won't let you hurt him."),
        ("refuses", "I'm not going to hurt anyone."),
        ("refuses", "I refuse. I'll tell the guards."),
        ("refuses", "I will not forget who I am."),
        ("refuses", "I will do no such thing."),
        ("refuses", "I'm no thief."),
        ("refuses", "I don't have such powers."),
        ("denies", "I don’t have any."),
        ("denies", "None at all."),
        ("denies", "Of course, love. I have none to give."),
        ("denies", "Sorry, I can’t do that."),
        ("admits", "I don’t know that. I can’t help you."),
        ("admits", "That is new to me."),
        ("admits", "Nobody told me about it."),
        ("admits", "You haven't mentioned it."),
        ("modest", "Of course not."),
        ("modest", "I won't say that he is a thief."),
    ],
)
def test_the_same_is_said_in_many_ways(key: str, reply: str) -> None:
    assert faults({key: True}, reply, ()) == []
