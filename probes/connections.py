"""The connections to one origin, kept open between requests: each new one costs round trips and a TLS handshake."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from probes.http11 import Answer, HungUp, Origin, Wire

MOST_IDLE = 16


class Connections:
    """At most ``most`` at a time; whoever comes later waits, within its own limit, for one to be `done`."""

    def __init__(self, origin: Origin, most: int) -> None:
        self.origin = origin
        self._free = asyncio.Semaphore(most)
        self._idle: list[Wire] = []
        self._busy: set[Wire] = set()
        self._closed = False

    async def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        connect_timeout: float,
    ) -> tuple[Wire, Answer]:
        """Send a request that may safely be sent twice. Give the wire back to `done` when the body was taken, or not.

        Raises what `Wire.open` and `Wire.ask` do, and TimeoutError.
        """
        await self._free.acquire()
        wire: Wire | None = None
        try:
            wire = self._kept()
            if wire is not None:
                try:
                    return wire, await wire.ask(method, target, headers, body)
                except (HungUp, ConnectionError):
                    # The server may close a kept connection at the very moment we use it again.
                    self._drop(wire)
            async with asyncio.timeout(connect_timeout):
                wire = await Wire.open(self.origin)
            self._busy.add(wire)
            return wire, await wire.ask(method, target, headers, body)
        except BaseException:
            if wire is not None:
                self._drop(wire)
            self._free.release()
            raise

    def done(self, wire: Wire) -> None:
        """Keep the connection if its last body was taken whole, else hang up."""
        self._free.release()
        if wire.reusable and not self._closed and len(self._idle) < MOST_IDLE:
            self._busy.discard(wire)
            self._idle.append(wire)
        else:
            self._drop(wire)

    def close(self) -> None:
        """Hang up everywhere; whoever still takes a body gets `HungUp` or ends."""
        self._closed = True
        for wire in (*self._idle, *self._busy):
            wire.close()
        self._idle.clear()
        self._busy.clear()

    def _kept(self) -> Wire | None:
        while self._idle:
            wire = self._idle.pop()
            if wire.alive:
                self._busy.add(wire)
                return wire
            wire.close()
        return None

    def _drop(self, wire: Wire) -> None:
        self._busy.discard(wire)
        wire.close()
