"""Where a server listens: a bind address comes in; a free UDP port, and the addresses to join at, come out.

Looks at this machine's own interfaces only; connects to nobody. IPv4, which every client tries."""

from __future__ import annotations

import socket

import psutil

from demo.errors import AddressUnusable

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"


def is_free(port: int, address: str = LOOPBACK) -> bool:
    """Whether nobody uses that UDP port of that address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def free_port(address: str = LOOPBACK) -> int:
    """A UDP port that nobody uses now; raises AddressUnusable when the address is none of this machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            here = ", ".join([EVERYWHERE, LOOPBACK, *own_addresses()])
            raise AddressUnusable(
                f"cannot listen on {address}: {error.strerror or error}; give one of {here}"
            ) from None
        port: int = probe.getsockname()[1]
        return port


def chosen_port(port: int | None, address: str, usual: int) -> int:
    """The port asked for, else the usual one, else a free one. Raises AddressUnusable."""
    free = free_port(address)
    if port is None:
        return usual if is_free(usual, address) else free
    if not is_free(port, address):
        raise AddressUnusable(f"UDP port {port} of {address} is taken; give another, such as {free}")
    return port


def own_addresses() -> list[str]:
    """The IPv4 addresses of this machine that others may reach it at, in the order of its interfaces."""
    return [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET and not entry.address.startswith("127.")
    ]


def from_here(address: str) -> str:
    """Where this machine itself reaches a server that listens on `address`."""
    return LOOPBACK if address == EVERYWHERE else address


def to_join(address: str) -> list[str]:
    """Where clients reach a server that listens on `address`; other machines' before this one's own."""
    return [*own_addresses(), LOOPBACK] if address == EVERYWHERE else [address]
