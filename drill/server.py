"""The platform's API server: TLS on loopback, bearer tokens, and the dispatch to reads, watches and writes."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from drill import discovery, forms, loopback, openapi, podexec, podlogs, reviews, routes, statuses
from drill.access import Access, User
from drill.calls import Call
from drill.certificate import Certificate, self_signed
from drill.faults import Faults
from drill.machines import check_reachable
from drill.observing import Observer, seen
from drill.packing import packed
from drill.podexec import ProgramProvider
from drill.podlogs import LogProvider
from drill.reads import MetricsProvider, Reads
from drill.records import encode
from drill.routes import GroupTarget, Target
from drill.store import ObjectStore
from drill.watches import Watches
from drill.writes import Outcome, Writes

log = logging.getLogger(__name__)
Json = dict[str, Any]

VERSION: Final = "v1.34.2"
_HEALTH: Final = ("/healthz", "/livez", "/readyz")
_METHODS: Final = {  # of subresources; of status and scale, those of ""
    "": ("GET", "HEAD", "PUT", "PATCH"),
    "log": ("GET", "HEAD"),
    "exec": ("GET", "POST"),
    "eviction": ("POST",),
    "binding": ("POST",),
}
_MAX_BODY: Final = 8 * 1024 * 1024
_LISTEN_BACKLOG: Final = 128


class ApiServer:
    """Serves a store as Kubernetes would. Binds 127.0.0.1 only, on a free port.

    ``logs``, ``programs`` and ``metrics`` are asked when somebody wants a pod's log, to run something in it, or
    metrics.k8s.io; without metrics that group does not exist. ``faults`` is what can be made to go wrong.
    ``bookmark_every`` is in seconds.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        logs: LogProvider | None = None,
        metrics: MetricsProvider | None = None,
        programs: ProgramProvider | None = None,
        version: str = VERSION,
        access: Access | None = None,
        certificate: Certificate | None = None,
        bookmark_every: float = 8.0,
    ) -> None:
        self.store = store
        self.version = version
        self.faults = Faults()
        self.observers: list[Observer] = []  # each is called with every request when it arrives
        self.access = access or Access.with_new_tokens()
        self.access.closed = self.faults.closed
        self._certificate = certificate or self_signed()
        self._logs = logs
        self._programs = programs
        self._has_metrics = metrics is not None
        self._discovery = discovery.Discovery(metrics=self._has_metrics)
        self._reads = Reads(store, metrics)
        self._writes = Writes(store)
        self._watches = Watches(store, self.faults, bookmark_every=bookmark_every)
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None
        self._port = 0

    # Life

    @property
    def url(self) -> str:
        """``https://127.0.0.1:PORT``; the port stays the same through `refuse` and `accept`."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca_pem(self) -> str:
        """The certificate to trust, PEM."""
        return self._certificate.pem.decode()

    @property
    def tokens(self) -> dict[str, str]:
        """User name (admin, viewer, nobody) → bearer token."""
        return self.access.tokens

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    async def start(self) -> None:
        # A reader that goes away cancels its handler; a quiet watch would not notice otherwise.
        self._server = web.Server(self._handle, access_log=None, handler_cancellation=True, keepalive_timeout=120.0)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.5)
        await self._runner.setup()
        await self.accept()

    async def stop(self) -> None:
        self.faults.thaw()
        self._watches.end_all()
        self.drop_connections()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = self._site = self._server = None

    async def accept(self) -> None:
        """Listen (again)."""
        if self._site is not None or self._runner is None:
            return
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setblocking(False)
        listening.bind(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        self._site = web.SockSite(
            self._runner, listening, ssl_context=self._certificate.server_context(), backlog=_LISTEN_BACKLOG
        )
        await self._site.start()

    async def refuse(self) -> None:
        """Stop listening and cut every connection: the machine is up, the process is down."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Cut every open connection, watches included, in mid-air."""
        for connection in self._server.connections if self._server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()

    def without(self, *served: str) -> None:
        """Serve none of these groups (``networking.istio.io``) and versions (``policy/v1``), as an older cluster."""
        self._discovery = discovery.Discovery(metrics=self._has_metrics, without=served)

    def end_watches(self) -> None:
        """End every open watch politely, as a server does that is being drained."""
        self._watches.end_all()

    def expire_watches(self) -> None:
        """Forget the history: open watches get an ERROR event of 410, older resourceVersions answer 410."""
        self._watches.expire_all()

    # Requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived = await seen(request, body=bool(self.observers))
        for observer in [*self.observers]:
            observer(arrived)
        await self.faults.gate()
        if arrived.writes and self.faults.unheard > 0:
            self.faults.unheard -= 1
            return _cut(request)
        answer = await self._answer_to(request)
        if arrived.writes and self.faults.unanswered > 0:
            self.faults.unanswered -= 1
            return _cut(request)
        return answer

    async def _answer_to(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            user = await self._admit(request)
            return await self._dispatch(request, user)
        except statuses.ApiError as error:
            return _json(error.code, error.body(), _retry_after(error))
        except (ConnectionResetError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("%s %s", request.method, request.path_qs)
            failure = statuses.internal(f"{type(error).__name__}: {error}")
            return _json(failure.code, failure.body())

    async def _admit(self, request: web.BaseRequest) -> User:
        """Who asks. Raises what the faults want raised, Unauthorized for a wrong token."""
        host = request.headers.get("Host", "")
        if host not in (f"127.0.0.1:{self._port}", f"localhost:{self._port}"):
            raise statuses.ApiError(421, "", f"this server is not {host!r}")  # a web page that found the port
        faults = self.faults
        if faults.concerns(request.path):
            if faults.delay:
                await asyncio.sleep(faults.delay)
            if faults.throttled > 0:
                faults.throttled -= 1
                raise statuses.too_many_requests("Too many requests, please try again later.", 1)
            if faults.error is not None:
                raise statuses.ApiError(
                    faults.error, "InternalError", "an error on the server has prevented the request"
                )
        user = None if faults.logged_out else self.access.user(request.headers.get("Authorization"))
        if user is None:
            raise statuses.unauthorized()
        return user

    async def _dispatch(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        path = request.path
        if not path.startswith(("/api/", "/apis/")) or path.rstrip("/") in ("/api", "/apis"):
            return self._outside(request, user, path.rstrip("/") or "/")
        target = routes.parse(path)
        if isinstance(target, GroupTarget):
            return self._discover(request, user, target)
        if target is None or not self._discovery.serves(target.kind):
            return self._nowhere(path)
        return await self._resource(request, user, target)

    def _nowhere(self, path: str) -> web.Response:
        """Below a group that is served, its router answers; below one that is not, nobody does."""
        parts = path.split("/")
        if parts[1] == "apis" and self._discovery.group(parts[2]) is None:
            return _text(404, "404 page not found\n")
        raise statuses.no_such_resource()

    def _outside(self, request: web.BaseRequest, user: User, path: str) -> web.Response:
        """Version, health and the roots of discovery."""
        if not self.access.allowed_path(user, path):
            raise statuses.forbidden_path(user.name, "get", path)
        if path == "/version":
            return _json(200, discovery.version_body(self.version))
        if path == loopback.MARK_PATH:
            return _json(200, loopback.MARK)
        if path.startswith(_HEALTH):
            return _text(200, "ok")
        if path in ("/api", "/apis"):
            if request.method not in ("GET", "HEAD"):
                raise statuses.method_not_allowed()
            accept = forms.negotiate(request.headers.get("Accept"), transformable=False)
            if accept.aggregated:
                body = self._discovery.aggregated(core=path == "/api", version=accept.version)
                media = f"application/json;g=apidiscovery.k8s.io;v={accept.version};as=APIGroupDiscoveryList"
                return web.Response(body=encode(body), headers={"Content-Type": media})
            address = f"127.0.0.1:{self._port}"
            return _json(200, self._discovery.legacy_versions(address) if path == "/api" else self._discovery.groups())
        if path == "/openapi/v3":
            return _json(200, openapi.index(self._discovery.kinds))
        if path.startswith("/openapi/v3/"):
            document = openapi.document(self._discovery.kinds, path.removeprefix("/openapi/v3/"), self.version)
            if document is not None:
                return _json(200, document)
        return _json(404, {"paths": ["/api", "/api/v1", "/apis", *_HEALTH, "/openapi/v3", "/version"]})

    def _discover(self, request: web.BaseRequest, user: User, target: GroupTarget) -> web.Response:
        if not self.access.allowed_path(user, request.path):
            raise statuses.forbidden_path(user.name, "get", request.path)
        if self.faults.no_metrics and target.group == "metrics.k8s.io" and target.version:
            raise statuses.unavailable("the server is currently unable to handle the request")
        if target.version:
            body = self._discovery.resources(target.group, target.version)
        else:
            body = self._discovery.group(target.group)
        if body is None:
            return self._nowhere(request.path)
        if request.method not in ("GET", "HEAD"):
            raise statuses.method_not_allowed()
        return _json(200, body)

    async def _resource(self, request: web.BaseRequest, user: User, target: Target) -> web.StreamResponse:
        query, method, kind = request.query, request.method, target.kind
        watching = query.get("watch") in ("true", "1") and not target.name  # one object cannot be watched by its path
        verb = target.verb(method, watching)
        if not self.access.allowed(user, verb, kind.group, kind.plural, target.namespace, target.subresource):
            raise statuses.forbidden(kind, user.name, verb, target.namespace, target.name, target.subresource)
        if self.faults.no_metrics and kind.group == "metrics.k8s.io":
            raise statuses.unavailable("the server is currently unable to handle the request")
        if target.subresource:
            if target.subresource not in kind.subresources:
                raise statuses.no_such_resource()
            if method not in _METHODS.get(target.subresource, _METHODS[""]):
                raise statuses.method_not_allowed()
        elif verb not in kind.verbs:
            raise statuses.method_not_allowed()
        if target.subresource == "log":
            return await self._log(request, target)
        if target.subresource == "exec":
            return await self._exec(request, target)
        accept = forms.negotiate(request.headers.get("Accept"))
        if method in ("GET", "HEAD") and target.subresource != "scale":
            if watching:
                return await self._watches.serve(request, target, accept, query)
            read = self._reads.get if target.name else self._reads.list
            answer = _bytes(200, read(target, accept, query))
            return await packed(answer, request.headers.get("Accept-Encoding", ""))
        if request.content_length is not None and request.content_length > _MAX_BODY:
            raise statuses.ApiError(413, "RequestEntityTooLarge", f"limit is {_MAX_BODY}")
        call = Call(
            target,
            await request.read(),
            request.content_type if "Content-Type" in request.headers else "",
            query,
            query.get("fieldManager") or _agent(request),
        )
        if kind.plural in reviews.PLURALS:
            return _json(201, reviews.answer(call, user, self.access, self.store.now()))
        outcome = self._write(call, method)
        return self._answer(request, outcome, call)

    def _write(self, call: Call, method: str) -> Outcome:
        target, writes = call.target, self._writes
        carry_out: Callable[[Call], Outcome] | None
        if target.subresource == "scale" and method in ("GET", "PUT", "PATCH"):
            return writes.scale(call, method)
        if target.subresource in ("eviction", "binding"):
            pods = {"eviction": writes.evict, "binding": writes.bind}
            carry_out = pods[target.subresource]
        elif target.name:
            carry_out = {"PUT": writes.update, "PATCH": writes.patch, "DELETE": writes.delete}.get(method)
        else:
            carry_out = {"POST": writes.create, "DELETE": writes.delete_collection}.get(method)
        if carry_out is None:
            raise statuses.method_not_allowed()
        return carry_out(call)

    def _answer(self, request: web.BaseRequest, outcome: Outcome, call: Call) -> web.Response:
        kind = call.target.kind
        accept = forms.negotiate(request.headers.get("Accept"))
        if outcome.records is not None:
            metadata: Json = {"resourceVersion": str(self.store.version)}
            body = self._reads.listing(outcome.records, kind, accept, call.query, metadata)
            return _bytes(outcome.code, body)
        if outcome.record is not None:
            return _bytes(outcome.code, self._reads.one(outcome.record, kind, accept, call.query))
        return _json(outcome.code, outcome.body or {})

    async def _log(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        record = self.store.record(target.kind, target.namespace, target.name)
        if record is None:
            raise statuses.not_found(target.kind, target.name)
        options = podlogs.options_of(record.object, request.query, self.store.clock())
        if options is None:
            return web.Response(status=204)
        if self._logs is None:
            raise statuses.bad_request("this platform keeps no logs")
        check_reachable(self.store, record.object, "containerLogs")
        return await podlogs.serve(request, record.object, options, self._logs, self.faults)

    async def _exec(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        record = self.store.record(target.kind, target.namespace, target.name)
        if record is None:
            raise statuses.not_found(target.kind, target.name)
        options = podexec.options_of(record.object, request.query)
        if self._programs is None:
            raise statuses.bad_request("this platform runs nothing")
        check_reachable(self.store, record.object, "exec")
        return await podexec.serve(request, record.object, options, self._programs, self.faults)


def _cut(request: web.BaseRequest) -> web.Response:
    """End the connection in mid-air; the answer goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return _text(503, "nobody reads this")


def _agent(request: web.BaseRequest) -> str:
    """The field manager of a client that names none: the first word of its User-Agent, as the real server does."""
    return request.headers.get("User-Agent", "").partition("/")[0] or "unknown"


def _retry_after(error: statuses.ApiError) -> dict[str, str]:
    seconds = (error.details or {}).get("retryAfterSeconds")
    return {"Retry-After": str(seconds)} if seconds else {}


def _json(code: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    return _bytes(code, encode(body) + b"\n", headers)


def _bytes(code: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    common = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
    return web.Response(status=code, body=body, headers={**common, **(headers or {})})


def _text(code: int, text: str) -> web.Response:
    return web.Response(status=code, text=text, content_type="text/plain")
