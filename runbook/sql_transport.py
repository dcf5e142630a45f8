"""The wire to a SQL server, encrypted whatever it says: TLS inside of TDS, as [MS-TDS] 2.2.6.5 and 3.2.5.2 have it.

python-tds brings TLS of its own only with pyOpenSSL, checks the server's name with functions that newer versions of it
have not got any more, and opens a plain socket where a server sends it elsewhere. So it is handed this in place of a
socket: it believes that it speaks in clear, and nothing of it leaves here before the server has proved who it is.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

HEADER = 8  # bytes of a TDS packet's head: type, status, length (big-endian), and four that do not matter here
PRELOGIN, REPLY = 0x12, 0x04
ENCRYPTION, TERMINATOR = 0x01, 0xFF
OFF, ON, NOT_SUPPORTED, REQUIRED = range(4)
MOST_PACKET = 4096
MOST_LOGIN = 64 * 1024  # bytes of a login's answer that are looked through for a route
_PIECE = 64 * 1024


class NotEncrypted(Exception):
    """The server offers no encryption; nothing but a greeting was sent."""


class Broken(Exception):
    """The connection ended, or what came is no TDS."""


class Routed(Exception):
    """The server sends us to another one, as Azure SQL does (``host``, ``port``); the login has to be made there."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"the server sends us to {host}:{port}")
        self.host = host
        self.port = port


class Transport:
    """What python-tds takes for a socket. ``limit`` are the seconds that connecting and signing in may take."""

    def __init__(self, connected: socket.socket, host: str, context: ssl.SSLContext, limit: float) -> None:
        self._socket = connected
        self._socket.settimeout(limit)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._greeting = bytearray()  # of the client, until it is whole
        self._secure = False
        self._ready = bytearray()  # for the client to read
        self._answer: bytearray | None = bytearray()  # of the login, as long as a route may be in it
        self.route: tuple[str, int] | None = None

    # ------------------------------------------------------------------ what python-tds calls

    def setsockopt(self, *options: Any) -> None:
        self._socket.setsockopt(*options)

    def settimeout(self, seconds: float | None) -> None:
        """The driver shares its time for signing in out among attempts, of which there is one here: 0 is not for us."""
        if seconds:
            self._socket.settimeout(seconds)

    def gettimeout(self) -> float | None:
        return self._socket.gettimeout()

    def sendall(self, data: bytes | bytearray, flags: int = 0) -> None:
        if self._secure:
            self._tls.write(bytes(data))
            self._flush()
            return
        self._greeting += data
        if len(self._greeting) >= HEADER and len(self._greeting) >= _length(self._greeting):
            self._greet(bytes(self._greeting))

    def recv(self, size: int, flags: int = 0) -> bytes:
        if not self._ready:
            self._fill()
        taken = bytes(self._ready[:size])
        del self._ready[:size]
        return taken

    def recv_into(self, buffer: memoryview | bytearray, size: int = 0, flags: int = 0) -> int:
        taken = self.recv(size or len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        """Hang up. Once after a route was heard, it says so: the driver would go there in clear."""
        self._socket.close()
        if self.route is not None and self._answer is not None:
            self._answer = None
            raise Routed(*self.route)

    def shutdown(self, how: int = 0) -> None:
        self.close()

    # ------------------------------------------------------------------ greeting and TLS

    def signed_in(self) -> None:
        """The login is made: no route is listened for any more."""
        self._answer = None

    def _greet(self, greeting: bytes) -> None:
        """Send the client's prelogin with encryption asked for, agree on it, and tell the client that there is none."""
        if greeting[0] != PRELOGIN:
            raise Broken("the driver does not begin with a prelogin")
        self._socket.sendall(_with_encryption(greeting, ON, lambda found: True))
        answer = self._packet()
        if answer[0] != REPLY:
            raise Broken("the answer to the prelogin is no reply")
        agreed = _with_encryption(answer, NOT_SUPPORTED, lambda found: found in (ON, REQUIRED))
        self._shake_hands()
        self._secure = True
        self._ready += agreed

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_wrapped()
                self._incoming.write(self._packet()[HEADER:])
            else:
                self._send_wrapped()
                return

    def _send_wrapped(self) -> None:
        """What TLS wants sent while hands are shaken, in packets of the prelogin's type."""
        data = self._outgoing.read()
        for start in range(0, len(data), MOST_PACKET - HEADER):
            piece = data[start : start + MOST_PACKET - HEADER]
            last = start + len(piece) == len(data)
            self._socket.sendall(struct.pack(">BBHHBB", PRELOGIN, int(last), HEADER + len(piece), 0, 0, 0) + piece)

    # ------------------------------------------------------------------ bytes

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._socket.sendall(data)

    def _fill(self) -> None:
        """Read until there is something for the client; nothing if the server hung up."""
        while self._secure:
            try:
                piece = self._tls.read(_PIECE)
            except ssl.SSLWantReadError:
                received = self._socket.recv(_PIECE)
                if not received:
                    return
                self._incoming.write(received)
            except ssl.SSLZeroReturnError:
                return
            else:
                self._ready += piece
                self._listen(piece)
                return

    def _listen(self, piece: bytes) -> None:
        if self._answer is not None and len(self._answer) < MOST_LOGIN:
            self._answer += piece
            self.route = route_in(bytes(self._answer)) or self.route

    def _packet(self) -> bytes:
        head = self._exactly(HEADER)
        return head + self._exactly(max(0, _length(head) - HEADER))

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            piece = self._socket.recv(size - len(parts))
            if not piece:
                raise Broken("the server hung up")
            parts += piece
        return bytes(parts)


def _length(packet: bytes | bytearray) -> int:
    return int.from_bytes(packet[2:4], "big")


def _with_encryption(packet: bytes, value: int, acceptable: Callable[[int], bool]) -> bytes:
    """A prelogin with ``value`` as its encryption. Raises `NotEncrypted` if what stands there is not ``acceptable``."""
    changed, at = bytearray(packet), HEADER
    while at + 5 <= len(packet) and packet[at] != TERMINATOR:
        offset, length = struct.unpack_from(">HH", packet, at + 1)
        if packet[at] == ENCRYPTION and length and HEADER + offset < len(packet):
            if not acceptable(packet[HEADER + offset]):
                break
            changed[HEADER + offset] = value
            return bytes(changed)
        at += 5
    raise NotEncrypted


def route_in(answer: bytes) -> tuple[str, int] | None:
    """Where an ENVCHANGE of type 20 ([MS-TDS] 2.2.7.9, routing) in a login's answer leads; None if there is none."""
    at = answer.find(b"\xe3")
    while at >= 0:
        if len(answer) >= at + 11 and answer[at + 3] == 20:
            total, value = struct.unpack_from("<H", answer, at + 1)[0], struct.unpack_from("<H", answer, at + 4)[0]
            protocol, port, letters = struct.unpack_from("<BHH", answer, at + 6)
            end = at + 11 + 2 * letters
            if protocol == 0 and value == 5 + 2 * letters and total == value + 5 and end <= len(answer):
                return answer[at + 11 : end].decode("utf-16-le", "replace"), port
        at = answer.find(b"\xe3", at + 1)
    return None
