"""Whatever a model says under the grammar of actions, `parse_proposal` reads it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent_runtime.engine.interface import Chunk, Grammar, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import ActionError
from agent_runtime.npc.actions import TABLE, parse_proposal
from agent_runtime.npc.grammar import BEGIN, END, action_grammar
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from tests.support.models import chain_model


def test_every_action_of_the_table_has_its_rule() -> None:
    grammar = action_grammar()
    assert (grammar.begin, grammar.end) == (BEGIN, END)
    for action in TABLE.values():
        (rule,) = [line for line in grammar.text.splitlines() if f'::= "{action.name}"' in line]
        for argument in action.arguments:
            optional = f'(" {argument.name}= " {argument.kind})?'
            assert (optional in rule) is not argument.required
            assert f'" {argument.name}= " {argument.kind}' in rule


async def _actions(path: Path, grammar: Grammar | None) -> list[str]:
    """What a model that says `[[ACTION:` and then anything says up to `]]`, seed by seed."""
    engine = LlamaEngine(path, threads=1)
    await engine.start()
    bodies = []
    try:
        for seed in range(1, 25):
            sampling = Sampling(temperature=3.0, top_p=1.0, min_p=0.0, seed=seed, max_tokens=300)
            messages = (Message("system", "You act."), Message("user", "go"))
            request = Request(messages, sampling, time.monotonic() + 60, stop=(END,), grammar=grammar)
            said = "".join(
                [event.text async for event in engine.generate(request) if isinstance(event, Chunk)]
            )
            assert said.startswith(BEGIN)
            bodies.append(said[len(BEGIN) :])
    finally:
        await engine.close()
    return bodies


async def test_actions_are_well_formed_under_the_grammar_and_not_without(tmp_path: Path) -> None:
    path = chain_model(tmp_path / "m.gguf", [b"[[", b"ACT", b"ION:"], context=2_048, rambling=True)
    assert len({parse_proposal(body).name for body in await _actions(path, action_grammar())}) > 8
    unheld = await _actions(path, None)
    with pytest.raises(ActionError):
        [parse_proposal(body) for body in unheld]
