"""One answer as it is read off a connection: llhttp (httptools) knows the grammar, this what an answer may be."""

from __future__ import annotations

import re
from collections.abc import Iterable

import httptools

MOST_HEAD = 64 * 1024  # bytes of a status line and its fields

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_TARGET = re.compile(r"[\x21-\x7e]+")
_VALUE = re.compile(r"[^\x00\r\n]*")


class Malformed(Exception):
    """What came is not an HTTP answer."""


class Reading:
    """The state of one answer; `take` is handed what comes. ``status`` is 0 until the head is complete.

    ``headers`` have lower-case names; of those that come twice all values, with commas between them (RFC 9110, 5.3).
    """

    def __init__(self, method: str = "GET") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self.reusable = False  # whether another exchange may follow, once it is complete
        self._method = method  # what follows the head of an answer to CONNECT is the tunnel's, to HEAD nothing
        self._fields: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._head = 0
        self._until_end = False
        self._parser = httptools.HttpResponseParser(self)

    def take(self, received: bytes) -> None:
        """Work in what came; nothing means that the other side hung up. Raises `Malformed`, EOFError."""
        if not received:
            if not self._until_end:
                raise EOFError
            self.complete = True
            return
        try:
            self._parser.feed_data(received)
        except httptools.HttpParserUpgrade as error:
            if self._method != "CONNECT":
                raise Malformed("it speaks another protocol from here on") from error
        except httptools.HttpParserError as error:
            # What follows a complete answer belongs to no question of ours.
            if not self.complete:
                raise Malformed(str(error)) from error
            self.reusable = False
        if not self.status:
            self._head += len(received)
            if self._head > MOST_HEAD:
                raise Malformed(f"a head of more than {MOST_HEAD} bytes")

    def body(self) -> list[bytes]:
        """The pieces of the body that came since this was asked last."""
        pieces, self._pieces = self._pieces, []
        return pieces

    # What llhttp calls.

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.complete or (status < 200 and status != 101):  # 100 Continue, 103 Early Hints: the answer is to come
            self._fields.clear()
            return
        self.status = status
        for name, value in self._fields:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text
        chunked = "transfer-encoding" in self.headers
        if self._method == "HEAD":
            self.complete = True
        self._until_end = not chunked and "content-length" not in self.headers and status not in (204, 304)

    def on_body(self, piece: bytes) -> None:
        if not self.complete:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self.status:
            self.reusable = not self.complete and self._parser.should_keep_alive()
            self.complete = True


def request(method: str, target: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request. Raises ValueError where something in it would be read as more than that."""
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise ValueError(
            "not a request that can be sent: its method or its target has characters that may not be there"
        )
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in fields:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name[:40]!r} has characters that may not be there")
        lines.append(f"{name}: {value.strip()}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
