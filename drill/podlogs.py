"""The log subresource of pods: the query's options, the refusals that need only the pod, and the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from drill import durations, kinds, statuses
from drill.faults import Faults
from drill.queries import integer

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which lines of a container's log are wanted.

    ``since`` is an instant (seconds since the epoch), ``tail`` a number of lines; both None for all there is.
    ``timestamps`` puts RFC 3339 with nanoseconds and a space before every line.
    """

    container: str
    previous: bool = False
    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float | None = None
    limit_bytes: int | None = None


class LogProvider(Protocol):
    """Has the containers' logs. Yields bytes in any chunks; with ``follow`` it goes on until the container ends.

    May raise `statuses.ApiError` before the first chunk: 400 if there is no previous run or none at all.
    """

    def __call__(self, pod: Json, options: LogOptions) -> AsyncIterator[bytes]: ...


def options_of(pod: Json, query: Mapping[str, str], now: float) -> LogOptions | None:
    """The options of a request, with the container that is meant; None for a pod on no node, which has no log at all.

    Raises BadRequest, and Invalid for numbers that make no sense.
    """
    seconds, tail, limit = (integer(query, name) for name in ("sinceSeconds", "tailLines", "limitBytes"))
    since = None if seconds is None else now - seconds
    if query.get("sinceTime"):
        since = durations.instant(query["sinceTime"])
        if since is None:
            text = query["sinceTime"]
            layout = "2006-01-02T15:04:05Z07:00"
            raise statuses.bad_request(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"')
    _check(pod["metadata"]["name"], seconds, tail, limit, both=seconds is not None and bool(query.get("sinceTime")))
    container = container_of(pod, query.get("container", ""))
    if not (pod.get("spec") or {}).get("nodeName"):
        return None
    return LogOptions(
        container=container,
        previous=_true(query, "previous"),
        follow=_true(query, "follow"),
        timestamps=_true(query, "timestamps"),
        tail=tail,
        since=since,
        limit_bytes=limit,
    )


def _check(pod: str, seconds: int | None, tail: int | None, limit: int | None, *, both: bool) -> None:
    causes: list[tuple[str, str, str]] = []
    if tail is not None and tail < 0:
        causes.append(("FieldValueInvalid", "tailLines", f"Invalid value: {tail}: must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(("FieldValueInvalid", "limitBytes", f"Invalid value: {limit}: must be greater than 0"))
    if both:
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(("FieldValueForbidden", "[]", why))
    elif seconds is not None and seconds < 1:
        causes.append(("FieldValueInvalid", "sinceSeconds", f"Invalid value: {seconds}: must be greater than 0"))
    if causes:
        raise statuses.invalid(kinds.kind("pods"), pod, causes, kind_name="PodLogOptions")


def container_of(pod: Json, asked: str) -> str:
    """The container that a request to a pod's log or exec means. Raises BadRequest."""
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    names = [container["name"] for container in spec.get("containers") or ()]
    init = [container["name"] for container in spec.get("initContainers") or ()]
    extra = [container["name"] for container in spec.get("ephemeralContainers") or ()]
    if not asked:
        if len(names) != 1:
            listed = " ".join((*init, *names, *extra))
            raise statuses.bad_request(f"a container name must be specified for pod {name}, choose one of: [{listed}]")
        asked = names[0]
    elif asked not in (*names, *init, *extra):
        raise statuses.bad_request(f"container {asked} is not valid for pod {name}")
    return str(asked)


def _true(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


async def serve(
    request: web.BaseRequest, pod: Json, options: LogOptions, logs: LogProvider, faults: Faults
) -> web.StreamResponse:
    """Answer with the lines of the provider, up to ``limit_bytes``."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    response.enable_chunked_encoding()
    left = options.limit_bytes
    chunks = aiter(logs(pod, options))
    try:
        # The first chunk before the headers: a refusal of the provider is still an HTTP status then.
        chunk: bytes | None = b"" if options.follow else await anext(chunks, None)
        await response.prepare(request)
        while chunk is not None:
            await faults.gate()
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk)
            if chunk:
                await response.write(chunk)
            if left is not None and left <= 0:
                break
            chunk = await anext(chunks, None)
        await response.write_eof()
    except ConnectionResetError:
        pass  # the reader left
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    return response
