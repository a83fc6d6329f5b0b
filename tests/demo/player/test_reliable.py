"""The transport, both ends of it, over a line that loses, doubles and reorders."""

from __future__ import annotations

import random

import pytest

from demo.player.reliable import MAX_DATAGRAM, TIMEOUT, WINDOW, Transport

SET_PEER_ID = bytes.fromhex("4f45740300010000010007")
DISCO = bytes.fromhex("4f4574030001000003")


class Line:
    """Two transports with a line between them that treats every datagram as `fate` says: how many copies
    arrive. Time goes on by 50 ms a turn."""

    def __init__(self, seed: int, loss: float = 0.0, doubles: float = 0.0, shuffle: bool = False) -> None:
        self.random = random.Random(seed)
        self.loss, self.doubles, self.shuffle = loss, doubles, shuffle
        self.now = 0.0
        self.ends = (Transport(0.0, own_id=2), Transport(0.0, own_id=1))
        self.got: tuple[list[bytes], list[bytes]] = ([], [])
        self.largest = 0

    def turn(self) -> None:
        self.now += 0.05
        for here, there in ((0, 1), (1, 0)):
            self.ends[here].tick(self.now)
            datagrams = self.ends[here].datagrams()
            if self.shuffle:
                self.random.shuffle(datagrams)
            for datagram in datagrams:
                self.largest = max(self.largest, len(datagram))
                copies = 0 if self.random.random() < self.loss else 1
                copies += self.random.random() < self.doubles
                for _ in range(copies):
                    self.ends[there].receive(datagram, self.now)
            self.got[there].extend(self.ends[there].packets())


def test_packets_arrive_once_and_in_order_over_a_good_line() -> None:
    line = Line(1)
    sent = [f"packet {n}".encode() for n in range(10)]
    for packet in sent:
        line.ends[0].send(packet, line.now)
    line.turn()
    assert line.got[1] == sent


@pytest.mark.parametrize("seed", range(5))
def test_packets_arrive_once_and_in_order_over_a_bad_line(seed: int) -> None:
    line = Line(seed, loss=0.3, doubles=0.2, shuffle=True)
    sent = [bytes([n % 256]) * line.random.randrange(1, 3000) for n in range(200)]
    for packet in sent:
        line.ends[0].send(packet, line.now)
        line.turn()
    for _ in range(400):
        line.turn()
    assert line.got[1] == sent


def test_a_large_packet_is_split_to_fit_datagrams() -> None:
    line = Line(1)
    packet = bytes(range(256)) * 400
    line.ends[0].send(packet, line.now, channel=2)
    for _ in range(20):
        line.turn()
    assert line.got[1] == [packet]
    assert line.largest <= MAX_DATAGRAM


def test_no_more_than_a_window_is_on_the_way() -> None:
    transport = Transport(0.0, own_id=2)
    for n in range(3 * WINDOW):
        transport.send(bytes([n]), 0.0)
    assert len(transport.datagrams()) == WINDOW


def test_sequence_numbers_wrap_around() -> None:
    line = Line(3)
    sent = [n.to_bytes(4) for n in range(1000)]
    for packet in sent:
        line.ends[0].send(packet, line.now)
        line.turn()
    assert line.got[1] == sent


def test_an_unreliable_packet_is_sent_once() -> None:
    line = Line(1, loss=1.0)
    line.ends[0].send(b"lost", line.now, reliable=False)
    assert len(line.ends[0].datagrams()) == 1
    for _ in range(40):
        line.turn()
    assert line.ends[0].datagrams() == []


def test_the_server_gives_the_number_once() -> None:
    transport = Transport(0.0)
    transport.receive(SET_PEER_ID, 0.0)
    assert transport.own_id == 7
    transport.receive(SET_PEER_ID[:-1] + b"\x09", 0.0)
    assert transport.own_id == 7


def test_what_is_resent_carries_the_number_that_came_meanwhile() -> None:
    transport = Transport(0.0)
    transport.send(b"hello", 0.0)
    assert transport.datagrams()[0][4:6] == b"\0\0"
    transport.receive(SET_PEER_ID, 0.1)
    transport.tick(1.0)
    assert transport.datagrams()[0][4:6] == b"\0\7"


def test_a_quiet_connection_is_kept_alive() -> None:
    line = Line(1)
    for _ in range(int(3 * TIMEOUT / 0.05)):
        line.turn()
    assert line.ends[0].lost == line.ends[1].lost == ""
    assert line.got == ([], [])


def test_a_silent_server_is_given_up() -> None:
    transport = Transport(0.0, own_id=2)
    transport.tick(TIMEOUT - 1)
    assert transport.lost == ""
    transport.tick(TIMEOUT + 1)
    assert "nothing heard" in transport.lost


def test_the_other_end_may_leave() -> None:
    transport = Transport(0.0, own_id=2)
    transport.receive(DISCO, 0.0)
    assert transport.lost == "closed by the other end"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x4f\x45",
        b"HTTP/1.1 200 OK\r\n",
        SET_PEER_ID[:-1],
        SET_PEER_ID[:8],
        DISCO[:6] + b"\x09" + DISCO[7:],
    ],
)
def test_what_is_not_of_the_protocol_is_ignored(datagram: bytes) -> None:
    transport = Transport(0.0)
    transport.receive(datagram, 0.0)
    assert (transport.own_id, transport.lost, transport.packets()) == (0, "", [])
