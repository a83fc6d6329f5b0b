"""Luanti's configuration text: what is changed, and that nothing else is."""

from __future__ import annotations

from agent_runtime import luanti_conf

CONF = '''# my server
name = admin
secure.trusted_mods = irc, mapserver
motd = """
townsfolk.token = not a setting, but text
"""
group = {
    townsfolk.token = not ours either
}
townsfolk.token=old
'''


def test_get_reads_top_level_settings_only() -> None:
    assert luanti_conf.get(CONF, "name") == "admin"
    assert luanti_conf.get(CONF, "townsfolk.token") == "old"
    assert luanti_conf.get(CONF, "absent") is None
    assert luanti_conf.get("a = 1\na = 2\n", "a") == "2"
    assert luanti_conf.get("a = b = c\n", "a") == "b = c"


def test_merge_changes_in_place_and_keeps_the_rest() -> None:
    merged = luanti_conf.merge(CONF, {"townsfolk.token": "new", "townsfolk.port": "1"})
    expected = CONF.replace("townsfolk.token=old", "townsfolk.token = new") + "townsfolk.port = 1\n"
    assert merged == expected
    assert luanti_conf.merge(merged, {"townsfolk.token": "new", "townsfolk.port": "1"}) == merged


def test_merge_into_an_empty_file_and_without_a_last_newline() -> None:
    assert luanti_conf.merge("", {"a": "1"}) == "a = 1\n"
    assert luanti_conf.merge("b = 2", {"a": "1"}) == "b = 2\na = 1\n"


def test_only_a_line_feed_ends_a_line() -> None:
    odd = "motd = hello\u2028townsfolk.token = a text\x0c\u0085\r\nname = admin\r\n\n"
    assert luanti_conf.get(odd, "townsfolk.token") is None
    assert luanti_conf.merge(odd, {"townsfolk.token": "new"}) == odd + "townsfolk.token = new\n"


def test_trusted_mods_are_added_to() -> None:
    assert luanti_conf.with_trusted(None, "townsfolk") == "townsfolk"
    assert luanti_conf.with_trusted("", "townsfolk") == "townsfolk"
    assert luanti_conf.with_trusted("irc,mapserver", "townsfolk") == "irc, mapserver, townsfolk"
    assert luanti_conf.with_trusted("irc, townsfolk", "townsfolk") == "irc, townsfolk"
