"""Captures objects of the API: byte for byte as they were sent, as YAML, and both without secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from incident.redact import redact_json
from probes.errors import ProbeError, Unreachable
from probes.objects import to_yaml
from runbook.evidence_folder import CannotKeep
from runbook.evidence_piece import Piece, Pieces, State, in_thread
from runbook.plan import Json

if TYPE_CHECKING:
    from probes.cluster import Cluster

ANSWER = 10.0  # seconds
TRIES = 3  # of what did not answer at all: a server in trouble refuses for a moment
PAUSE = 0.5  # seconds between them

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Objects:
    """Puts what it gets into ``pieces``; what it cannot get is told there, and never raised."""

    def __init__(self, cluster: Cluster, pieces: Pieces) -> None:
        self._cluster = cluster
        self._pieces = pieces

    async def object(self, path: str, *parts: str, about: str) -> Json | None:
        """One object; None when it could not be had. ``parts`` is where it goes, without suffix."""
        piece = self._pieces.expect(*parts, suffix=".json", source=f"GET {path}", about=about)
        try:
            body = await self._got(path, {})
        except ProbeError as error:
            piece.refused(error)
            return None
        try:
            found = msgspec.json.decode(body, type=Json)
        except _UNDECODABLE:
            await in_thread(lambda: self._keep(piece, body, None))
            return None
        await in_thread(lambda: self._keep(piece, body, found))
        yaml = self._pieces.expect(*parts, suffix=".yaml", source=f"GET {path}, as YAML", about=f"{about} as YAML")
        await in_thread(lambda: self._keep_yaml(yaml, found))
        return found

    async def collection(
        self,
        path: str,
        query: dict[str, str],
        *parts: str,
        about: str,
        wanted: Callable[[Json], bool] = lambda item: True,
    ) -> None:
        """The items of a collection that are wanted, all pages of it, as one List."""
        source = f"GET {path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        piece = self._pieces.expect(*parts, suffix=".json", source=source, about=about)
        items: list[Json] = []
        try:
            async for item in self._items(path, query):
                if wanted(item):
                    items.append(item)  # noqa: PERF401 (what came before it broke off is kept)
        except ProbeError as error:
            piece.refused(error)
        except (*_UNDECODABLE, TypeError, AttributeError):
            piece.fail("the answer is not a list of objects")
        if items or piece.state is State.PENDING:
            why = piece.why
            found: Json = {"apiVersion": "v1", "kind": "List", "items": items}
            await in_thread(lambda: self._keep(piece, msgspec.json.encode(found), found))
            if why:
                piece.doubt(why)

    async def _items(self, path: str, query: dict[str, str]) -> Any:
        more: dict[str, str] = {}
        while True:
            page = msgspec.json.decode(await self._got(path, {**query, "limit": "500", **more}), type=Json)
            version, kind = page.get("apiVersion"), str(page.get("kind") or "").removesuffix("List")
            for item in page.get("items") or ():
                yield {"apiVersion": version, "kind": kind, **item}  # a list's items leave out what they are
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            more = {"continue": str(token)}

    async def _got(self, path: str, query: dict[str, str]) -> bytes:
        for attempt in range(1, TRIES):
            try:
                return await self._cluster.get(path, query, timeout=ANSWER)
            except Unreachable:
                await asyncio.sleep(PAUSE * attempt)
        return await self._cluster.get(path, query, timeout=ANSWER)

    # ------------------------------------------------------------------ in a thread

    def _keep(self, piece: Piece, body: bytes, found: Json | None) -> None:
        try:
            piece.original = self._pieces.folder.original(piece.name)
            piece.original.write(body)
            if found is None:
                piece.uncopied = "it is not a JSON object, so it cannot be redacted"
            else:
                cleaned = msgspec.json.format(msgspec.json.encode(redact_json(found)), indent=2)
                piece.copy = self._pieces.folder.redacted(piece.name)
                piece.copy.write(cleaned + b"\n")
            piece.succeed()
        except CannotKeep as error:
            piece.fail(str(error))
        except (RecursionError, ValueError) as error:
            piece.uncopied = f"it cannot be redacted ({type(error).__name__})"
            piece.succeed()
        finally:
            piece.close()

    def _keep_yaml(self, piece: Piece, found: Json) -> None:
        try:
            whole = to_yaml(found, managed_fields=True).encode("utf-8", "surrogatepass")
            cleaned = to_yaml(redact_json(found), managed_fields=True).encode("utf-8", "surrogatepass")
            piece.original = self._pieces.folder.original(piece.name)
            piece.original.write(whole)
            piece.copy = self._pieces.folder.redacted(piece.name)
            piece.copy.write(cleaned)
            piece.succeed()
        except CannotKeep as error:
            piece.fail(str(error))
        except (RecursionError, ValueError) as error:
            piece.fail(f"it has no YAML form ({type(error).__name__})")
        finally:
            piece.close()
