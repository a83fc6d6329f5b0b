"""Inventories as servers write them."""

from __future__ import annotations

from demo.player.inventory import Stack, read

FULL = """List main 4
Width 0
Item default:torch 4
Empty
Item default:pick_wood 1 3000
Item "with space:x" 2
EndInventoryList
List craft 9
Width 3
Item default:stick
EndInventoryList
EndInventory
"""


def test_stacks_are_read_without_empty_slots() -> None:
    lists = read(FULL, {})
    assert lists["main"] == [
        Stack("default:torch", 4),
        Stack("default:pick_wood", 1),
        Stack("with space:x", 2),
    ]
    assert lists["craft"] == [Stack("default:stick", 1)]


def test_a_list_that_did_not_change_is_kept() -> None:
    before = read(FULL, {})
    text = "KeepList main\nList craft 9\nWidth 3\nEmpty\nEndInventoryList\nEndInventory\n"
    assert read(text, before) == {"main": before["main"], "craft": []}
