"""The binding to llama.cpp, call by call, on small models made on the spot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent_runtime.engine.backend import ContextFull, DecodeFailed, Row, Size, Version
from agent_runtime.engine.llama import Llama
from agent_runtime.engine.sampling import stages
from agent_runtime.engine.template import EMBEDDED_SPECIAL_TOKENS
from agent_runtime.errors import AdapterError, ModelFileError
from agent_runtime.npc.persona import Sampling
from tests.support.adapters import random_adapter
from tests.support.models import ASSISTANT, END, chain_model, random_model

GREEDY = stages(Sampling(temperature=0), 1)


@pytest.fixture
def llama(tmp_path: Path) -> Iterator[Llama]:
    model = Llama(random_model(tmp_path / "m.gguf"))
    model.open(Size(sequences=4, cells=256, batch=128, threads=1))
    yield model
    model.close()


def _next(llama: Llama, place: int) -> int:
    sampler = llama.sampler(GREEDY)
    token = llama.sample(sampler, place)
    llama.free(sampler)
    return token


def test_special_tokens_count_only_where_they_may(llama: Llama) -> None:
    text = "".join(EMBEDDED_SPECIAL_TOKENS)
    assert llama.tokenize(text, special=True) == list(range(len(EMBEDDED_SPECIAL_TOKENS)))
    typed = llama.tokenize(text, special=False)
    assert not set(typed) & set(range(len(EMBEDDED_SPECIAL_TOKENS)))
    assert b"".join(map(llama.piece, typed)) == text.encode()


@pytest.mark.parametrize("text", ["", "the inn", "äöü 😀 1234", "a\0b", " " * 300])
def test_tokens_spell_the_text(llama: Llama, text: str) -> None:
    assert b"".join(map(llama.piece, llama.tokenize(text, special=False))) == text.encode()


def test_control_tokens_are_never_spelled_out_and_end_a_reply(llama: Llama) -> None:
    assert llama.piece(END) == llama.piece(ASSISTANT) == b""
    assert llama.ends(END)
    assert llama.ends(ASSISTANT)
    assert not llama.ends(llama.tokenize("a", special=False)[0])


def test_what_the_file_says_of_itself(llama: Llama) -> None:
    assert llama.name() == "Test Model"
    assert llama.trained_context == 512
    assert llama.text(llama.eos) == "<|end|>"
    assert "<|end|>" in (llama.chat_template() or "")


def test_a_copied_beginning_gives_the_same_next_token(llama: Llama) -> None:
    prompt = llama.tokenize("the smith is in the inn", special=False)
    (whole,) = llama.decode([Row(0, 0, prompt, True)])
    expected = _next(llama, whole)
    llama.decode([Row(1, 0, prompt[:-1], False)])
    llama.copy(1, 2, len(prompt) - 1)
    llama.drop(1)
    (place,) = llama.decode([Row(2, len(prompt) - 1, prompt[-1:], True)])
    assert _next(llama, place) == expected


def test_each_row_of_a_batch_has_its_own_logits(tmp_path: Path) -> None:
    llama = Llama(chain_model(tmp_path / "m.gguf", [b"a", b"b", b"c"]))
    llama.open(Size(sequences=3, cells=256, batch=64, threads=1))
    a, b, c = (llama.tokenize(letter, special=False)[0] for letter in "abc")
    places = llama.decode([Row(0, 0, [c, a], True), Row(1, 0, [c, c, c], False), Row(2, 0, [b], True)])
    assert places == [1, -1, 5]
    assert (_next(llama, places[0]), _next(llama, places[2])) == (b, c)
    llama.close()


def test_a_full_cache_says_so_and_changes_nothing(llama: Llama) -> None:
    llama.decode([Row(0, 0, [7] * 128, False)])
    llama.decode([Row(1, 0, [7] * 100, False)])
    with pytest.raises(ContextFull):
        llama.decode([Row(2, 0, [7] * 100, True)])
    llama.drop(1)
    assert llama.decode([Row(2, 0, [7] * 100, True)]) == [99]


def test_a_row_that_does_not_go_on_where_its_sequence_ends_fails_with_the_reason(llama: Llama) -> None:
    llama.decode([Row(0, 0, [7] * 10, False)])
    with pytest.raises(DecodeFailed, match="position"):
        llama.decode([Row(0, 5, [7], True)])


def test_seeds_decide_the_draw(llama: Llama) -> None:
    def draw(seed: int) -> list[int]:
        sampler = llama.sampler(stages(Sampling(temperature=1.5, min_p=0, top_p=1), seed))
        (place,) = llama.decode([Row(0, 0, [7], True)])
        drawn = [llama.sample(sampler, place) for _ in range(12)]
        llama.free(sampler)
        llama.drop(0)
        return drawn

    assert draw(3) == draw(3) != draw(4)


def test_repetition_is_punished(llama: Llama) -> None:
    sampler = llama.sampler(stages(Sampling(temperature=0, repeat_penalty=2.0), 1))
    (place,) = llama.decode([Row(0, 0, [7], True)])
    assert len({llama.sample(sampler, place) for _ in range(6)}) > 1
    llama.free(sampler)


def test_a_file_that_the_library_refuses_is_named_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    data = random_model(path).read_bytes()
    path.write_bytes(data.replace(b"llama", b"lmaal"))
    with pytest.raises(ModelFileError, match=r"m\.gguf: the engine refuses it: .*lmaal"):
        Llama(path)


def test_the_library_writes_to_the_log_and_not_to_the_terminal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "townsfolk.llama")
    model = Llama(random_model(tmp_path / "m.gguf"))
    model.open(Size(sequences=1, cells=256, batch=64, threads=1))
    model.close()
    assert any("n_ctx" in record.message for record in caplog.records)
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert capfd.readouterr() == ("", "")


def test_an_adapter_changes_the_logits_by_its_scale_and_leaves_no_trace(llama: Llama, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", tmp_path / "m.gguf")

    def logits(version: Version) -> NDArray[np.float32]:
        llama.use(version)
        (place,) = llama.decode([Row(0, 0, [7, 8, 9], True)])
        llama.drop(0)
        return llama.logits(place)

    bare = logits(Version())
    whole, half = logits(Version("a", "a", adapter)), logits(Version("b", "b", adapter, 0.5))
    assert np.abs(whole - bare).mean() > np.abs(half - bare).mean() > 0.01
    assert (logits(Version("a", "a", adapter)) == whole).all()
    llama.unload(adapter)
    assert (logits(Version()) == bare).all()
    assert (logits(Version("a", "a", adapter)) == whole).all()


def test_an_adapter_that_the_library_refuses_is_named_with_its_reason(llama: Llama, tmp_path: Path) -> None:
    wide = random_model(tmp_path / "wide.gguf", width=128)
    adapter = random_adapter(tmp_path / "a.gguf", wide)
    with pytest.raises(AdapterError, match=r"a\.gguf: the engine refuses it: .*shape"):
        llama.use(Version("a", "a", adapter))
    assert llama.decode([Row(0, 0, [7], True)]) == [0]


def test_saved_cells_come_back_as_they_were(llama: Llama) -> None:
    prompt = llama.tokenize("the smith is in the inn", special=False)
    llama.decode([Row(0, 0, prompt[:-1], False)])
    llama.copy(0, 1, 4)
    (place,) = llama.decode([Row(0, len(prompt) - 1, prompt[-1:], True)])
    expected = llama.logits(place)
    llama.cut(0, len(prompt) - 1)
    llama.cut(0, 0, 4)
    tail = llama.save(0)
    llama.drop(0)
    assert llama.restore(0, tail)
    llama.copy(1, 0, 4)
    (place,) = llama.decode([Row(0, len(prompt) - 1, prompt[-1:], True)])
    assert np.abs(llama.logits(place) - expected).max() < 1e-4


def test_cells_that_find_no_room_are_not_put_back(llama: Llama) -> None:
    llama.decode([Row(0, 0, [7] * 100, False)])
    state = llama.save(0)
    llama.decode([Row(1, 0, [7] * 128, False)])
    assert not llama.restore(2, state)
    llama.drop(1)
    assert llama.restore(2, state)


def test_a_grammar_decides_what_is_drawn(llama: Llama) -> None:
    sampler = llama.sampler(stages(Sampling(temperature=2.0, min_p=0, top_p=1), 5))
    grammar = llama.grammar('root ::= "yes" | "no"')
    drawn = b""
    (place,) = llama.decode([Row(0, 0, [7], True)])
    while drawn not in (b"yes", b"no"):
        drawn += llama.piece(llama.sample(sampler, place, grammar))
        assert b"yes".startswith(drawn) or b"no".startswith(drawn)
    (letter,) = llama.tokenize("y", special=False)
    assert not llama.accept(grammar, letter)
    assert not llama.accept(grammar, ASSISTANT)
    llama.free(grammar)
    llama.free(sampler)
    assert llama.grammar("root := nonsense") is None
