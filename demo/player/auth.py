"""SRP-6a as Luanti speaks it: a password and a challenge come in, registration data and proofs go out.

SHA-256 over the 2048-bit group of RFC 5054, with three habits that general SRP libraries do not combine:
k and u hash padded numbers, the proof hashes g unpadded, and the name is lower case in x only."""

from __future__ import annotations

import secrets
from hashlib import sha256

_N = int(
    "AC6BDB41324A9A9BF166DE5E1389582FAF72B6651987EE07FC3192943DB56050A37329CBB4A099ED8193E0757767A13D"
    "D52312AB4B03310DCD7F48A9DA04FD50E8083969EDB767B0CF6095179A163AB3661A05FBD5FAAAE82918A9962F0B93B8"
    "55F97993EC975EEAA80D740ADBF4FF747359D041D5C33EA71D281E446B14773BCA97B43A23FB801676BD207A436C6481"
    "F1D2B9078717461A5B9D32E688F87748544523B524B0D57D5EA77A2775D2ECFA032CFBDBF52FB3786160279004E57AE6"
    "AF874E7303CE53299CCC041C7BC308D82A5698F3A8D0C38271AE35F8E9DBFBB694B5C803D89F7AE435DE236D525F5475"
    "9B65E372FCD68EF20FA7111F9E4AFF73",
    16,
)
"""The 2048-bit prime of RFC 5054, appendix A."""
_G = 2
_WIDTH = 256


def _number(data: bytes) -> int:
    return int.from_bytes(data)


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _hash(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def _padded_hash(first: int, second: int) -> int:
    return _number(_hash(first.to_bytes(_WIDTH), second.to_bytes(_WIDTH)))


def _private_key(salt: bytes, name: str, password: str) -> int:
    return _number(_hash(salt, _hash(f"{name.lower()}:{password}".encode())))


def register(name: str, password: str) -> tuple[bytes, bytes]:
    """A fresh salt, and the verifier that a server keeps in place of the password."""
    salt = secrets.token_bytes(16)
    return salt, _bytes(pow(_G, _private_key(salt, name, password), _N))


class Login:
    """One attempt to log in: send `public`, then answer the server's challenge with `proof`."""

    def __init__(self, name: str, password: str) -> None:
        self._name = name
        self._password = password
        self._secret = _number(secrets.token_bytes(32))
        self._public = pow(_G, self._secret, _N)
        self.public = _bytes(self._public)

    def proof(self, salt: bytes, challenge: bytes) -> bytes:
        """What convinces the server that we know the password, without telling it."""
        server = _number(challenge)
        if server % _N == 0:
            raise ValueError("the server's SRP challenge is zero")
        x = _private_key(salt, self._name, self._password)
        k = _padded_hash(_N, _G)
        u = _padded_hash(self._public, server)
        shared = pow(server - k * pow(_G, x, _N), self._secret + u * x, _N)
        group = bytes(a ^ b for a, b in zip(_hash(_bytes(_N)), _hash(_bytes(_G)), strict=True))
        key = _hash(_bytes(shared))
        return _hash(group, _hash(self._name.encode()), salt, self.public, _bytes(server), key)
