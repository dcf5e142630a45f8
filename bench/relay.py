"""A proxy before an API server that notes when what a client sends is on the wire. It cannot read what that is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml


class Relay:
    """``flights``: for each connection, when each chunk of the client's came (`time.perf_counter`).

    The first chunk of TLS is its greeting; from the second on the client has a key, and sends its request.
    """

    def __init__(self) -> None:
        self.flights: list[list[float]] = []

    def first_byte_of_last(self, before: float) -> float:
        """When the connection that was opened last before ``before`` began to send its request."""
        began = [flight for flight in self.flights if len(flight) > 1 and flight[0] < before]
        return max(began, key=lambda flight: flight[0])[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: CONNECT HOST:PORT, and then whatever the two say."""
        asked = await reader.readuntil(b"\r\n\r\n")
        host, _, port = asked.split()[1].decode().rpartition(":")
        there, upstream = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        flight: list[float] = []
        self.flights.append(flight)
        with contextlib.suppress(asyncio.CancelledError):  # the measurement is over
            await asyncio.gather(self._pump(reader, upstream, flight), self._pump(there, writer, None))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, flight: list[float] | None) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65_536):
                if flight is not None:
                    flight.append(time.perf_counter())
                sink.write(chunk)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def relayed(kubeconfig: str, directory: Path) -> AsyncIterator[tuple[Relay, str]]:
    """A relay, and a kubeconfig whose servers are reached through it."""
    config = yaml.safe_load(await asyncio.to_thread(Path(kubeconfig).read_text, encoding="utf-8"))
    relay = Relay()
    listening = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    for cluster in config["clusters"]:
        cluster["cluster"]["proxy-url"] = f"http://127.0.0.1:{port}"
    through = directory / "kubeconfig"
    through.touch(0o600)
    through.write_text(yaml.safe_dump(config), encoding="utf-8")
    async with listening:
        yield relay, str(through)
