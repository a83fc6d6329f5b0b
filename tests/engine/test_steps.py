"""Steps over a model in plain Python whose next token depends on every KV cell: any mistake shows."""

from __future__ import annotations

import random

from agent_runtime.engine.backend import Version
from agent_runtime.engine.interface import Chunk, Finish
from agent_runtime.engine.scheduler import Scheduler
from agent_runtime.engine.shelf import Shelf
from agent_runtime.engine.steps import Event, Steps
from agent_runtime.engine.talk import Talk
from agent_runtime.engine.text import TextStream
from agent_runtime.errors import EngineBusy, EngineError
from agent_runtime.npc.persona import Sampling
from tests.support.backend import END, POISON, PlainBackend

BASE = Version()
OTHER = Version("v1", "other weights")


class Bench:
    """Steps with a clock that stands still until it is moved."""

    def __init__(
        self, cells: int = 5_000, slots: int = 4, claimed: int | None = None, end: int = END
    ) -> None:
        self.now = 0.0
        self.backend = PlainBackend(cells, end=end)
        self.shelf = Shelf(1_000_000)
        scheduler = Scheduler(self.backend, slots, 4, claimed or cells, self.shelf)
        self.steps = Steps(self.backend, scheduler, lambda: self.now)
        self.events: list[Event] = []

    def add(
        self,
        name: str,
        prompt: list[int],
        shared: int = 0,
        limit: int = 12,
        version: Version = BASE,
        **more: object,
    ) -> None:
        talk = Talk(
            name,
            prompt,
            shared,
            limit,
            Sampling(),
            1,
            created=self.now,
            deadline=100.0,
            version=version,
            **more,  # type: ignore[arg-type]
        )
        self.steps.add(talk)

    def run(self, steps: int = 1_000) -> None:
        for _ in range(steps):
            if self.steps.idle:
                return
            self.events += self.steps.step()

    def said(self, name: str) -> str:
        return "".join(event.text for who, event in self.events if who == name and isinstance(event, Chunk))

    def ending(self, name: str) -> Finish | EngineError:
        (ending,) = [event for who, event in self.events if who == name and not isinstance(event, Chunk)]
        return ending

    def finish(self, name: str) -> Finish:
        ending = self.ending(name)
        assert isinstance(ending, Finish)
        return ending

    def expected(self, prompt: list[int], limit: int = 12, weights: str = "") -> str:
        """The reply, token by token, as the model alone would give it."""
        tokens = list(prompt)
        while len(tokens) < len(prompt) + limit:
            token = self.backend.next(tokens, weights)
            if self.backend.ends(token):
                break
            tokens.append(token)
        return b"".join(map(self.backend.piece, tokens[len(prompt) :])).decode()


def test_a_reply_is_what_the_model_alone_would_say() -> None:
    bench = Bench()
    bench.add("a", [3, 1, 4])
    bench.run()
    assert bench.said("a") == bench.expected([3, 1, 4]) != ""
    assert bench.finish("a").completion_tokens == len(bench.said("a"))


def test_many_talks_with_and_without_prefixes_say_what_each_would_say_alone() -> None:
    rng = random.Random(7)
    bench = Bench(cells=900, slots=4)
    personas = [[rng.randrange(26) for _ in range(rng.randrange(5, 90))] for _ in range(7)]
    prompts = {}
    for number in range(80):
        persona = rng.choice(personas)
        prompt = persona + [rng.randrange(26) for _ in range(rng.randrange(1, 120))]
        prompts[str(number)] = prompt
        bench.add(str(number), prompt, shared=rng.choice([0, len(persona)]))
        bench.run(rng.randrange(6))
    bench.run()
    assert {name: bench.said(name) for name in prompts} == {
        name: bench.expected(prompt) for name, prompt in prompts.items()
    }
    assert bench.backend.samplers == 0
    assert any(bench.finish(name).cached_tokens for name in prompts)


def test_a_cached_prefix_is_not_computed_again() -> None:
    bench = Bench()
    bench.add("cold", [7] * 50 + [1], shared=50)
    bench.run()
    bench.backend.batches.clear()
    bench.add("warm", [7] * 50 + [2], shared=50)
    bench.run(1)
    assert [list(row.tokens) for row in bench.backend.batches[0]] == [[2]]
    bench.run()
    assert bench.finish("cold").cached_tokens == 0
    assert bench.finish("warm").cached_tokens == 50


def test_warming_says_nothing_and_serves_the_next_one() -> None:
    bench = Bench()
    bench.add("warming", [7] * 50, shared=50, limit=0)
    bench.run()
    assert bench.said("warming") == ""
    assert bench.finish("warming").completion_tokens == 0
    bench.add("next", [7] * 50 + [2], shared=50)
    bench.run()
    assert bench.finish("next").cached_tokens == 50
    assert bench.said("next") == bench.expected([7] * 50 + [2])


def test_the_end_of_turn_ends_a_reply_and_is_not_said() -> None:
    first = PlainBackend(10).next([5])
    second = PlainBackend(10).next([5, first])
    bench = Bench(end=second)
    bench.add("a", [5])
    bench.run()
    assert bench.finish("a").reason == "stop"
    assert bench.said("a") == bench.backend.piece(first).decode()


def test_the_token_limit_ends_a_reply() -> None:
    bench = Bench(end=-1)
    bench.add("a", [5], limit=9)
    bench.run()
    assert bench.finish("a").reason == "length"
    assert len(bench.said("a")) == bench.finish("a").completion_tokens == 9


def test_a_stop_string_over_two_tokens_ends_a_reply_before_it() -> None:
    whole = Bench(end=-1).expected([5])
    bench = Bench(end=-1)
    bench.add("a", [5], text=TextStream([whole[4:6]]))
    bench.run()
    assert bench.said("a") == whole[: whole.index(whole[4:6])]
    assert bench.finish("a").reason == "stop"


def test_the_deadline_ends_talks_in_mid_reply_and_in_the_queue() -> None:
    bench = Bench(slots=1, end=-1)
    bench.add("speaking", [5], limit=500)
    bench.add("waiting", [6])
    bench.run(4)
    bench.now = 200.0
    bench.run()
    assert bench.finish("speaking").reason == bench.finish("waiting").reason == "deadline"
    assert len(bench.said("speaking")) == 4
    assert bench.finish("waiting").first_token_ms == bench.finish("waiting").total_ms == 200_000


def test_figures_count_from_when_the_request_was_made() -> None:
    bench = Bench(end=-1)
    bench.add("a", [5], limit=2)
    bench.now = 0.25
    bench.run(1)
    bench.now = 1.0
    bench.run()
    assert bench.finish("a").first_token_ms == 250
    assert bench.finish("a").total_ms == 1_000


def test_cancelling_frees_the_slot_for_the_next_one_within_one_step() -> None:
    bench = Bench(slots=1, end=-1)
    bench.add("first", [5], limit=500)
    bench.add("second", [6])
    bench.run(3)
    bench.steps.cancel("first")
    said = bench.said("first")
    bench.run(1)
    assert bench.said("second") == bench.expected([6])[:1]
    bench.run()
    assert bench.said("first") == said
    assert bench.finish("second").reason == "length"
    assert bench.backend.samplers == 0


def test_cancelling_what_has_ended_does_nothing() -> None:
    bench = Bench()
    bench.add("a", [5])
    bench.run()
    bench.steps.cancel("a")
    assert bench.steps.idle


def test_a_failing_batch_ends_only_those_in_it() -> None:
    bench = Bench(slots=1)
    bench.add("bad", [1, POISON])
    bench.add("good", [2])
    bench.run()
    assert isinstance(bench.ending("bad"), EngineError)
    assert "poisoned" in str(bench.ending("bad"))
    assert bench.said("good") == bench.expected([2])


def test_a_failing_prefix_ends_those_who_wait_for_it_and_is_forgotten() -> None:
    bench = Bench()
    bench.add("a", [POISON] * 20 + [1], shared=20)
    bench.add("b", [POISON] * 20 + [2], shared=20)
    bench.run()
    assert isinstance(bench.ending("a"), EngineError)
    assert isinstance(bench.ending("b"), EngineError)
    assert bench.backend.used == 0
    bench.add("c", [3] * 20 + [1], shared=20)
    bench.run()
    assert bench.said("c") == bench.expected([3] * 20 + [1])


def test_a_full_context_ends_the_youngest_and_the_others_go_on() -> None:
    # The scheduler believes in more cells than there are, as with a model that needs several per token.
    bench = Bench(cells=100, claimed=1_000, end=-1)
    bench.add("old", [1] * 30, limit=40)
    bench.run(3)
    bench.add("young", [2] * 20, limit=40)
    bench.run()
    assert bench.said("old") == bench.expected([1] * 30, limit=40)
    assert isinstance(bench.ending("young"), EngineBusy)


def test_a_full_context_gives_up_idle_prefixes_before_any_talk() -> None:
    bench = Bench(cells=100, claimed=1_000, end=-1)
    bench.add("warming", [9] * 60, shared=60, limit=0)
    bench.add("talk", [1] * 30, limit=40)
    bench.run()
    assert bench.said("talk") == bench.expected([1] * 30, limit=40)
    assert bench.backend.used == 0


def test_failing_all_leaves_an_engine_that_works() -> None:
    bench = Bench(slots=1)
    bench.add("speaking", [5] * 20 + [1], shared=20)
    bench.add("waiting", [6])
    bench.run(2)
    bench.events += bench.steps.fail_all(EngineError("gone"))
    assert str(bench.ending("speaking")) == str(bench.ending("waiting")) == "gone"
    assert bench.steps.idle
    assert bench.backend.used == bench.backend.samplers == 0
    bench.add("next", [7])
    bench.run()
    assert bench.said("next") == bench.expected([7])


def test_two_versions_at_once_say_what_each_would_say_alone() -> None:
    rng = random.Random(11)
    bench = Bench(cells=900)
    persona = [7] * 40
    prompts = {}
    for number in range(60):
        version = rng.choice([BASE, OTHER])
        prompt = persona + [rng.randrange(26) for _ in range(rng.randrange(1, 60))]
        prompts[str(number)] = (prompt, version)
        bench.add(str(number), prompt, shared=rng.choice([0, 40]), version=version, key=rng.choice("abc"))
        bench.run(rng.randrange(6))
    bench.run()
    assert {name: bench.said(name) for name in prompts} == {
        name: bench.expected(prompt, weights=version.weights) for name, (prompt, version) in prompts.items()
    }
    assert bench.backend.restored
    assert {bench.finish(name).lane for name in prompts} == {"", "v1"}


def test_the_next_turn_of_a_talk_reads_only_what_is_new() -> None:
    bench = Bench(end=-1)
    bench.add("first", [7] * 50 + [1, 2, 3], shared=50, key="alice")
    bench.run()
    said = [ord(letter) - ord("a") for letter in bench.said("first")]
    bench.backend.batches.clear()
    follow = [7] * 50 + [1, 2, 3] + said[:-1] + [4, 5]
    bench.add("second", follow, shared=50, key="alice")
    bench.run()
    assert [list(row.tokens) for row in bench.backend.batches[0]] == [[4, 5]]
    assert bench.said("second") == bench.expected(follow)
    assert bench.finish("second").cached_tokens == len(follow) - 2


def test_a_talk_that_goes_another_way_keeps_what_is_the_same() -> None:
    bench = Bench(end=-1)
    bench.add("first", [7] * 50 + [1, 2, 3, 4], shared=50, key="alice")
    bench.run()
    other = [7] * 50 + [1, 2, 9, 9]
    bench.add("second", other, shared=50, key="alice")
    bench.run()
    assert bench.finish("second").cached_tokens == 52
    assert bench.said("second") == bench.expected(other)


def test_the_same_line_again_is_answered_the_same() -> None:
    bench = Bench(end=-1)
    for name in ("first", "second"):
        bench.add(name, [7] * 50 + [1, 2, 3, 4], shared=50, key="alice")
        bench.run()
    assert bench.said("first") == bench.said("second") == bench.expected([7] * 50 + [1, 2, 3, 4])


def test_reading_ahead_keeps_a_talk_for_its_next_turn() -> None:
    bench = Bench()
    bench.add("ahead", [7] * 50 + [1, 2, 3], shared=50, limit=0, key="alice")
    bench.run()
    bench.backend.batches.clear()
    bench.add("next", [7] * 50 + [1, 2, 3, 4], shared=50, key="alice")
    bench.run()
    assert [list(row.tokens) for row in bench.backend.batches[0]] == [[4]]
    assert bench.said("next") == bench.expected([7] * 50 + [1, 2, 3, 4])


def test_a_prefix_comes_back_from_the_shelf() -> None:
    bench = Bench()
    for persona in range(9):
        bench.add(f"warm {persona}", [persona] * 200, shared=200, limit=0)
        bench.run()
    bench.backend.batches.clear()
    bench.add("next", [0] * 200 + [1], shared=200)
    bench.run()
    assert [list(row.tokens) for row in bench.backend.batches[0]] == [[1]]
    assert bench.finish("next").cached_tokens == 200
    assert bench.said("next") == bench.expected([0] * 200 + [1])


def test_a_failed_talk_is_not_kept() -> None:
    bench = Bench()
    bench.add("bad", [1, 2, POISON], key="alice")
    bench.run()
    assert bench.shelf.size == 0


def test_a_version_that_ended_leaves_nothing_behind() -> None:
    bench = Bench()
    bench.add("a", [7] * 50 + [1], shared=50, version=OTHER, key="alice")
    assert bench.steps.serves(OTHER)
    bench.run()
    assert not bench.steps.serves(OTHER)
    bench.steps.forget(OTHER)
    assert bench.backend.used == bench.shelf.size == 0
