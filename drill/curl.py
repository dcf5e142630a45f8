"""curl, as far as somebody needs it who tries from a pod whether a host answers: its words and its exit codes.

https://everything.curl.dev/cmdline/exitcode.html. The words are those of curl 8.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from drill.network import Destination, Network, Reply

Json = dict[str, Any]

VERSION: Final = "8.14.1"
_PATIENCE: Final = 134.0  # seconds until a kernel gives up on a host that is silent
_PHRASES: Final = {int(status): status.phrase for status in HTTPStatus}
_FLAGS: Final = {
    "v": "verbose", "verbose": "verbose",
    "s": "silent", "silent": "silent",
    "S": "show-error", "show-error": "show-error",
    "f": "fail", "fail": "fail",
    "I": "head", "head": "head",
    "k": "insecure", "insecure": "insecure",
    "i": "include", "include": "include",
}  # fmt: skip
_VALUES: Final = {
    "m": "max-time", "max-time": "max-time",
    "o": "output", "output": "output",
    "w": "write-out", "write-out": "write-out",
    "connect-timeout": "connect-timeout",
}  # fmt: skip


@dataclass
class Asked:
    """The command line."""

    url: str = ""
    flags: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)


class Failed(Exception):
    """It ends with this exit code and these words."""

    def __init__(self, code: int, words: str, seconds: float = 0.0) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.seconds = seconds


class Curl:
    """One run of it in a pod. ``sleep`` takes seconds of the world; ``out`` and ``err`` take text."""

    def __init__(
        self,
        network: Network,
        pod: Json,
        *,
        out: Callable[[str], Awaitable[None]],
        err: Callable[[str], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._network = network
        self._pod = pod
        self._out = out
        self._err = err
        self._sleep = sleep
        self._asked = Asked()

    async def run(self, arguments: Sequence[str]) -> int:
        """The exit code."""
        code = status = 0
        took = 0.0
        try:
            self._asked = parse(arguments)
            reply = await self._transfer()
            status, took = reply.status, reply.seconds
            if "fail" in self._asked.flags and status >= 400:
                raise Failed(22, f"The requested URL returned error: {status}", took)
        except Failed as failed:
            code, took = failed.code, failed.seconds
            quiet = "silent" in self._asked.flags and "show-error" not in self._asked.flags
            if not quiet:
                await self._err(f"curl: ({code}) {failed.words}\n")
        if form := self._asked.values.get("write-out"):
            await self._out(_written(form, status, took))
        return code

    async def _transfer(self) -> Reply:
        parts = urlsplit(self._asked.url if "://" in self._asked.url else f"http://{self._asked.url}")
        if parts.scheme not in ("http", "https"):
            raise Failed(1, f"Protocol {parts.scheme!r} not supported")
        try:
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise Failed(3, "URL rejected: Port number was not a decimal number between 0 and 65535") from None
        if not host:
            raise Failed(3, "URL rejected: No host part in the URL")
        tls = parts.scheme == "https"
        found = self._network.find(self._pod, host, port, tls=tls)
        await self._connect(found, host, port, tls)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        method = "HEAD" if "head" in self._asked.flags else "GET"
        shown = host if port in (80, 443) else f"{host}:{port}"
        await self._note(f"using HTTP/1.x\n> {method} {path} HTTP/1.1\n> Host: {shown}")
        await self._verbose(f"> User-Agent: curl/{VERSION}\n> Accept: */*\n> \n")
        await self._note("Request completely sent off")
        reply = self._network.answer(self._pod, host, port, path)
        await self._wait(reply.seconds, "Operation timed out after {ms} milliseconds with 0 bytes received")
        await self._tell(reply, host, head=method == "HEAD")
        return reply

    async def _connect(self, found: Destination, host: str, port: int, tls: bool) -> None:
        if found.trouble == "unresolved" or (found.trouble == "silent" and not found.address):
            await self._note(f"Could not resolve host: {host}")
            raise Failed(6, f"Could not resolve host: {host}", 0.012)
        await self._note(f"Host {host}:{port} was resolved.")
        await self._note(f"IPv4: {found.address}")
        await self._note(f"  Trying {found.address}:{port}...")
        if found.trouble == "silent":
            await self._wait(_PATIENCE, "Connection timed out after {ms} milliseconds")
            words = (
                f"Failed to connect to {host} port {port} after {_PATIENCE * 1000:.0f} ms: Could not connect to server"
            )
            raise Failed(28, words, _PATIENCE)
        await self._sleep(0.002)
        if found.trouble == "refused":
            await self._note(f"connect to {found.address} port {port} failed: Connection refused")
            words = f"Failed to connect to {host} port {port} after 2 ms: Could not connect to server"
            raise Failed(7, words, 0.002)
        await self._note(f"Connected to {host} ({found.address}) port {port}")
        if not tls:
            return
        await self._note("ALPN: curl offers h2,http/1.1")
        await self._note("TLSv1.3 (OUT), TLS handshake, Client hello (1):")
        if found.trouble == "plain":
            raise Failed(35, "TLS connect error: error:0A00010B:SSL routines::wrong version number", 0.004)
        if found.trouble == "untrusted" and "insecure" not in self._asked.flags:
            raise Failed(60, "SSL certificate problem: certificate has expired", 0.019)
        await self._note("SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / x25519 / RSASSA-PSS")

    async def _wait(self, seconds: float, words: str) -> None:
        """Let the world's time pass, unless ``--max-time`` is over before."""
        limit = _number(self._asked.values.get("max-time")) or _number(self._asked.values.get("connect-timeout"))
        if limit is None or seconds <= limit:
            await self._sleep(seconds)
            return
        await self._sleep(limit)
        raise Failed(28, words.format(ms=f"{limit * 1000 + 1:.0f}"), limit + 0.001)

    async def _tell(self, reply: Reply, host: str, *, head: bool) -> None:
        reason = _PHRASES.get(reply.status, "")
        length = len(reply.body.encode())
        fields = [f"HTTP/1.1 {reply.status} {reason}", f"Content-Length: {length}"]
        if reply.body:
            fields.insert(1, "Content-Type: application/json")
        await self._verbose("".join(f"< {line}\n" for line in (*fields, "")))
        if head or "include" in self._asked.flags:
            await self._out("".join(f"{line}\r\n" for line in (*fields, "")))
        if not head and reply.body:
            await self._verbose(f"{{ [{length} bytes data]\n")
            if self._asked.values.get("output") != "/dev/null":
                await self._out(reply.body)
        await self._note(f"Connection #0 to host {host} left intact")

    async def _note(self, text: str) -> None:
        await self._verbose(f"* {text}\n")

    async def _verbose(self, text: str) -> None:
        if "verbose" in self._asked.flags:
            await self._err(text)


def parse(arguments: Sequence[str]) -> Asked:
    """A command line. Raises `Failed` with curl's exit code 2 for what it does not know."""
    asked = Asked()
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument.startswith("--") and len(argument) > 2:
            name = argument[2:]
            if name in _VALUES and left:
                asked.values[_VALUES[name]] = left.pop(0)
            elif name in _FLAGS:
                asked.flags.add(_FLAGS[name])
            else:
                raise Failed(2, f"option {argument}: is unknown")
        elif argument.startswith("-") and len(argument) > 1 and argument != "--":
            _short(argument, left, asked)
        elif argument != "--":
            asked.url = argument
    if not asked.url:
        raise Failed(2, "no URL specified")
    return asked


def _short(argument: str, left: list[str], asked: Asked) -> None:
    """``-sSv``, ``-m5``, ``-o FILE``."""
    for at, letter in enumerate(argument[1:], 2):
        if letter in _VALUES and (argument[at:] or left):
            asked.values[_VALUES[letter]] = argument[at:] or left.pop(0)
            return
        if letter not in _FLAGS:
            raise Failed(2, f"option {argument}: is unknown")
        asked.flags.add(_FLAGS[letter])


def _written(form: str, status: int, seconds: float) -> str:
    text = form.replace("%{http_code}", f"{status:03d}").replace("%{time_total}", f"{seconds:.6f}")
    return text.replace("\\n", "\n").replace("\\t", "\t")


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        raise Failed(2, "option --max-time: expected a proper numerical parameter") from None
