"""SRP, checked with the server's half of the protocol."""

from __future__ import annotations

from hashlib import sha256

import pytest

from demo.player import auth
from demo.player.auth import Login, register

N, G = auth._N, auth._G


def number(data: bytes) -> int:
    return int.from_bytes(data)


def minimal(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


class ServersHalf:
    """What a Luanti server does with a verifier: a challenge, and the proof it expects."""

    def __init__(self, name: str, salt: bytes, verifier: bytes, secret: int) -> None:
        self.name, self.salt, self.secret = name, salt, secret
        self.verifier = number(verifier)
        k = number(sha256(N.to_bytes(256) + G.to_bytes(256)).digest())
        self.challenge = (k * self.verifier + pow(G, secret, N)) % N

    def expected(self, public: bytes) -> bytes:
        u = number(sha256(number(public).to_bytes(256) + self.challenge.to_bytes(256)).digest())
        shared = pow(number(public) * pow(self.verifier, u, N), self.secret, N)
        group = bytes(a ^ b for a, b in zip(sha256(minimal(N)).digest(), sha256(b"\2").digest(), strict=True))
        name = sha256(self.name.encode()).digest()
        key = sha256(minimal(shared)).digest()
        return sha256(group + name + self.salt + public + minimal(self.challenge) + key).digest()


def test_the_group_is_a_safe_prime_of_2048_bits() -> None:
    q = (N - 1) // 2
    assert N.bit_length() == 2048
    assert pow(3, N - 1, N) == 1
    assert pow(3, q - 1, q) == 1


@pytest.mark.parametrize("secret", range(3, 20))
def test_the_right_password_is_proven(secret: int) -> None:
    salt, verifier = register("Alice", "secret")
    server = ServersHalf("Alice", salt, verifier, secret)
    login = Login("Alice", "secret")
    assert login.proof(salt, minimal(server.challenge)) == server.expected(login.public)


def test_a_wrong_password_is_not() -> None:
    salt, verifier = register("Alice", "secret")
    server = ServersHalf("Alice", salt, verifier, 12345)
    login = Login("Alice", "Secret")
    assert login.proof(salt, minimal(server.challenge)) != server.expected(login.public)


def test_the_verifier_does_not_depend_on_the_case_of_the_name() -> None:
    salt, verifier = register("alice", "secret")
    server = ServersHalf("ALICE", salt, verifier, 12345)
    login = Login("ALICE", "secret")
    assert login.proof(salt, minimal(server.challenge)) == server.expected(login.public)


def test_salts_are_fresh() -> None:
    assert register("alice", "secret")[0] != register("alice", "secret")[0]


def test_a_challenge_that_gives_the_key_away_is_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        Login("alice", "secret").proof(b"salt", minimal(N))
