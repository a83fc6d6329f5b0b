"""Where a server listens, on this machine's own interfaces."""

from __future__ import annotations

import socket

import pytest

from demo.errors import AddressUnusable
from demo.ports import chosen_port, free_port, from_here, is_free, own_addresses, to_join


def test_the_usual_port_is_taken_when_it_is_free_and_another_when_not() -> None:
    usual = free_port()
    assert chosen_port(None, "127.0.0.1", usual) == usual
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", usual))
        assert not is_free(usual)
        assert chosen_port(None, "127.0.0.1", usual) != usual


def test_a_port_that_was_asked_for_is_never_swapped_for_another() -> None:
    asked = free_port()
    assert chosen_port(asked, "127.0.0.1", 30000) == asked
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", asked))
        with pytest.raises(AddressUnusable, match=f"port {asked} of 127.0.0.1 is taken; give another"):
            chosen_port(asked, "127.0.0.1", 30000)


@pytest.mark.parametrize("address", ["192.0.2.7", "nowhere.invalid", "::1"])
def test_an_address_of_another_machine_is_refused_with_those_that_work(address: str) -> None:
    with pytest.raises(AddressUnusable, match=r"cannot listen on .*; give one of 0\.0\.0\.0, 127\.0\.0\.1"):
        chosen_port(None, address, 30000)


def test_who_listens_everywhere_is_joined_at_each_address() -> None:
    assert to_join("0.0.0.0") == [*own_addresses(), "127.0.0.1"]
    assert from_here("0.0.0.0") == "127.0.0.1"
    assert not any(address.startswith("127.") for address in own_addresses())


def test_who_listens_at_one_address_is_joined_there() -> None:
    assert to_join("127.0.0.2") == ["127.0.0.2"]
    assert from_here("127.0.0.2") == "127.0.0.2"
