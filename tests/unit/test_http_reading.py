"""What is taken for an HTTP answer, and what for the end of a connection or for something else."""

from __future__ import annotations

import pytest

from probes.http_reading import MOST_HEAD, Malformed, Reading, request

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Which: a\r\nx-which: b\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;note=x\r\nllo\r\n0\r\nX-After: 1\r\n\r\n"


def read(*received: bytes) -> tuple[Reading, bytes]:
    reading, body = Reading(), b""
    for piece in received:
        reading.take(piece)
        body += b"".join(reading.body())
    return reading, body


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_is_the_same_however_it_is_cut(answer: bytes, size: int) -> None:
    reading, body = read(*(answer[at : at + size] for at in range(0, len(answer), size)))
    assert (reading.status, body, reading.complete, reading.reusable) == (200, b"hello", True, True)
    if answer is LENGTH:
        assert reading.headers == {"content-length": "5", "x-which": "a, b"}


def test_what_is_announced_early_is_not_the_answer() -> None:
    reading, body = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", LENGTH)
    assert (reading.status, body, "link" in reading.headers) == (200, b"hello", False)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_is_complete_with_its_head(status: bytes) -> None:
    reading, body = read(b"HTTP/1.1 " + status + b"\r\n\r\n")
    assert (reading.complete, body) == (True, b"")


def test_an_answer_to_head_is_complete_with_its_head_whatever_length_it_tells() -> None:
    reading = Reading("HEAD")
    reading.take(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert (reading.complete, reading.reusable, reading.body()) == (True, False, [])


def test_without_a_length_the_body_ends_with_the_connection() -> None:
    reading, body = read(b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo")
    assert not reading.complete
    reading.take(b"")
    assert (body, reading.complete, reading.reusable) == (b"hello", True, False)


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 2", LENGTH[:-1], CHUNKED[:-2]])
def test_a_connection_that_ends_early_is_told_from_an_answer(cut: bytes) -> None:
    reading = Reading()
    if cut:
        reading.take(cut)
    with pytest.raises(EOFError):
        reading.take(b"")


def test_a_connection_that_closes_or_says_more_than_it_was_asked_is_not_used_again() -> None:
    closing, _ = read(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    more, body = read(LENGTH + LENGTH.replace(b"hello", b"other"))
    rubbish, _ = read(LENGTH + b"\x00rubbish")
    assert [one.complete for one in (closing, more, rubbish)] == [True, True, True]
    assert [one.reusable for one in (closing, more, rubbish)] == [False, False, False]
    assert body == b"hello"


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",  # open to abuse
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * MOST_HEAD,
    ],
)
def test_what_is_no_answer_is_refused(received: bytes) -> None:
    with pytest.raises(Malformed):
        read(received)


def test_a_request_is_what_was_asked_for_and_nothing_more() -> None:
    assert request("GET", "/a?b=c", [("Host", "h:1")]) == b"GET /a?b=c HTTP/1.1\r\nHost: h:1\r\n\r\n"
    for method, target, value in (
        ("GET", "/a b", "v"),
        ("GE T", "/", "v"),
        ("GET", "/", "v\r\nX: y"),
        ("GET", "/é", "v"),
    ):
        with pytest.raises(ValueError, match="may not be there"):
            request(method, target, [("X", value)])
