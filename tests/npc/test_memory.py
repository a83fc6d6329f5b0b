from agent_runtime.npc.memory import Memory
from agent_runtime.npc.prompt import Exchange


class Shelf:
    """Older exchanges by talk, as the journal would give them, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.kept = {("mira", "alice"): [Exchange("old line", "old reply")]}

    async def load(self, npc: str, player: str, limit: int) -> list[Exchange]:
        self.asked += 1
        return self.kept.get((npc, player), [])[-limit:]


async def test_a_talk_goes_on_after_a_restart_and_is_read_once() -> None:
    shelf = Shelf()
    memory = Memory(shelf.load)
    await memory.keep("mira", "alice", Exchange("new line", "new reply"))
    assert [e.line for e in await memory.recall("mira", "alice")] == ["old line", "new line"]
    assert shelf.asked == 1


async def test_the_oldest_falls_out_and_talks_do_not_mix() -> None:
    memory = Memory(Shelf().load, exchanges=2)
    for number in range(3):
        await memory.keep("mira", "bob", Exchange(str(number), ""))
    assert [e.line for e in await memory.recall("mira", "bob")] == ["1", "2"]
    assert await memory.recall("brom", "bob") == []


async def test_talks_long_unused_leave_memory_but_come_back() -> None:
    shelf = Shelf()
    memory = Memory(shelf.load, talks=1)
    await memory.recall("mira", "alice")
    await memory.recall("mira", "bob")
    assert [e.line for e in await memory.recall("mira", "alice")] == ["old line"]
    assert shelf.asked == 3


async def test_a_forgotten_player_is_read_anew_and_others_stay() -> None:
    shelf = Shelf()
    memory = Memory(shelf.load)
    await memory.keep("mira", "alice", Exchange("secret", "I see."))
    await memory.keep("brom", "alice", Exchange("secret", "Hm."))
    await memory.keep("mira", "bob", Exchange("hello", "Hi."))
    shelf.kept.clear()
    memory.forget(["alice"])
    assert await memory.recall("mira", "alice") == await memory.recall("brom", "alice") == []
    assert [e.line for e in await memory.recall("mira", "bob")] == ["hello"]
