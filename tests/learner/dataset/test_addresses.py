"""What points to a place, an address or a telephone goes; numbers of the game stay."""

from __future__ import annotations

from collections import Counter

import pytest

from learner.dataset.addresses import without_addresses


@pytest.mark.parametrize(
    ("text", "kind", "left"),
    [
        ("come to (12, 8, -4) now", "coordinates", "come to some place now"),
        ("my base is at -1200, 15, 340", "coordinates", "my base is at some place"),
        ("x=12 y=8 z=-4.5", "coordinates", "some place"),
        ("X: 100, Y: 20, Z: -30!", "coordinates", "some place!"),
        ("at -1200 15 340", "coordinates", "at some place"),
        ("(120, -77)", "coordinates", "some place"),
        ("come (x: 3, y: 4, z: 5) now", "coordinates", "come some place now"),
        ("my house is at 512, 8, -1024.", "coordinates", "my house is at some place."),
        ("at 512 8 -1024.", "coordinates", "at some place."),
        ("pos 512, 8, -1024, come", "coordinates", "pos some place, come"),
        ("-31000.5, 8.2, 1024.", "coordinates", "some place."),
        ("home x=512 z=-1024", "coordinates", "home some place"),
        ("x 512, z -1024", "coordinates", "some place"),
        ("z=40, x=12", "coordinates", "some place"),
        ("X120 Y5 Z-300", "coordinates", "some place"),
        ("meet me at 512,-1024", "coordinates", "meet me at some place"),
        ("go to -512/1024!", "coordinates", "go to some place!"),
        ("at 40 8 -4", "coordinates", "at some place"),
        ("at 40 8 4", "coordinates", "at some place"),
        ("i live at 512, 340", "coordinates", "i live at some place"),
        ("coords: 512 340", "coordinates", "coords: some place"),
        ("home: 512|8|-1024", "coordinates", "home: some place"),
        ("home: 512, 8, 1024", "coordinates", "home: some place"),
        ("120/5/-300", "coordinates", "some place"),
        ("write to al.ice+x@mail.example.org please", "e-mail", "write to some address please"),
        ("see https://example.org/x?a=1,2,3 there", "link", "see some link there"),
        ("www.example.org", "link", "some link"),
        ("join discord.gg/AbC12", "link", "join some link"),
        ("add me, alice#1234", "account", "add me, some account"),
        ("i am @alice_99 there", "account", "i am some account there"),
        ("my server is 192.168.0.12:30000", "IP address", "my server is some address"),
        ("join 2001:db8::1 now", "IP address", "join some address now"),
        ("2001:db8:0:1:1:1:1:1", "IP address", "some address"),
        ("join play.myserver.example:30000", "host", "join some address"),
        ("join play.example.org.", "host", "join some address."),
        ("mail me: bob at gmail dot com", "e-mail", "mail me: some address"),
        ("call +49 (0)30 1234567", "telephone", "call some number"),
        ("call 555-123-4567!", "telephone", "call some number!"),
        ("i live at 12 Old Mill Road", "street", "i live at some address"),
        ("ich wohne Hauptstraße 12a", "street", "ich wohne some address"),
    ],
)
def test_what_points_to_a_place_or_a_person_becomes_words(text: str, kind: str, left: str) -> None:
    found = Counter[str]()
    assert without_addresses(text, found) == left
    assert +found == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "3 steel ingot and 2 any stick",
        "1 coal lump and 1 any stick (makes 4)",
        "24 steps north-east",
        "time: evening, 18:40",
        "[[1]] [[ACTION:give item= 2 count= 10]]",
        "give me 99, 99 or 12 of them",
        "It takes 8 cobble, 2 sticks, 10 torches.",
        "version 5.6.1",
        "10, 20 or 30",
        "i need 10, 20, 30 or 40 of them",
        "1, 2, 3, go! 3 2 1",
        "bring 10, 12, 14, 16",
        "meet me at 10, 20 or 30 steps",
        "i have 1,000,000 stone and 10,000 dirt",
        "a wall of 3 x 4 x 5",
        "at 18:40:12, not 7:30",
        "64 torch, 2 bread and 1 pickaxe",
        "3 stone, 2 sticks",
        "10-20, 5",
        "std::vector and add::bed",
        "wait...what",
        "hello.how are you",
        "I have 1000 diamonds",
        "What? No. Yes!",
    ],
)
def test_what_is_said_about_the_game_stays(text: str) -> None:
    assert without_addresses(text, Counter()) == text
