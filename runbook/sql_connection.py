"""A connection to the SQL server, by python-tds, in a thread of its own: the driver blocks, and a console may not.

Who holds one can do anything its login may. So only `runbook.sql_reading`, which takes everything back, and
`runbook.sql_hands` may make one. Nothing that is raised from here is chained: the frames below hold the password.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TypeVar

from probes.errors import BadAnswer, Forbidden, LoginExpired, NotFound, ProbeError, Unreachable
from runbook.sql_server import Login, SqlServer
from runbook.sql_transport import Broken, NotEncrypted, Routed, Transport

Work = TypeVar("Work")

CONNECT = 10.0  # seconds to reach the server and sign in
GRACE = 5.0  # seconds beyond a statement's own limit until the connection is cut
MOST_ROUTES = 3
MISSING = "python-tds is not installed"
MISSING_HINT = "pip install 'warroom[sqlserver]'"

_LOGIN_FAILED = (18456, 18452, 18470, 18486, 18487, 18488, 40532)
_NO_DATABASE = (4060, 916)
_FIREWALL = (40615, 40914, 47073)
_NOT_ALLOWED = (229, 230, 262, 297, 300, 6102, 33003)
LOCKED = 1222  # lock request time out


def installed() -> bool:
    """Whether the driver is there; it is not imported for that."""
    return find_spec("pytds") is not None


async def with_connection(
    server: SqlServer, work: Callable[[Any], Work], *, read_only: bool, autocommit: bool, who: str = "warroom"
) -> Work:
    """What ``work`` makes of a signed-in connection. ``read_only`` is the login's intent, ``who`` its program name.

    Raises `ProbeError`: that a secret is in none of them is this module's promise.
    """
    if not installed():
        raise NotFound(MISSING, MISSING_HINT)
    login = await server.sign_in()
    held: list[Transport] = []

    def all_of_it() -> Work:
        with _signed_in(server, login, held, read_only=read_only, autocommit=autocommit, who=who) as connection:
            return work(connection)

    try:
        async with asyncio.timeout(CONNECT + server.timeout + GRACE):
            return await _in_thread(lambda: _told(server, all_of_it))
    except TimeoutError:
        raise Unreachable(f"{server.host} did not answer within {server.timeout:g} s") from None
    finally:
        for transport in held:
            _cut(transport)


async def _in_thread(work: Callable[[], Work]) -> Work:
    """Not one of asyncio's few shared threads: a server that hangs would starve everything else of them."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Work] = loop.create_future()

    def settle(result: Work | None, error: BaseException | None) -> None:
        if not done.cancelled():
            done.set_result(result) if error is None else done.set_exception(error)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is handed on, whatever it is
            failed = error
        try:
            loop.call_soon_threadsafe(settle, result, failed)
        except RuntimeError:
            return  # the console has left meanwhile

    threading.Thread(target=run, name="sql", daemon=True).start()
    return await done


@contextmanager
def _signed_in(
    server: SqlServer, login: Login, held: list[Transport], *, read_only: bool, autocommit: bool, who: str
) -> Iterator[Any]:
    import pytds

    # The driver logs what it is given, the failures of logins among it.
    logging.getLogger("pytds").setLevel(logging.CRITICAL + 1)
    host, port = server.host, server.port
    context = _context(server)
    ways: dict[str, Any] = {"user": login.user, "password": login.password}
    if login.token:
        ways = {"access_token_callable": lambda: login.token}
    for _ in range(MOST_ROUTES):
        transport = Transport(socket.create_connection((host, port), CONNECT), host, context, CONNECT)
        held.append(transport)
        try:
            connection = pytds.connect(
                dsn=host,
                port=port,
                database=server.database,
                timeout=server.timeout,
                login_timeout=0,  # the transport has a limit of its own, and one attempt is enough
                appname=who[:128],
                autocommit=autocommit,
                readonly=read_only,
                sock=transport,
                **ways,
            )
        except Routed as route:
            host, port = route.host, route.port
            continue
        transport.signed_in()
        try:
            yield connection
        finally:
            _cut(transport)
        return
    raise Broken("it is sent from one server to the next")


def _context(server: SqlServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # TDS 7 wraps TLS into packets of its own, and 1.3 is not defined
    return context


def _cut(transport: Transport) -> None:
    try:
        transport.close()
    except (OSError, Routed):
        return


def _told(server: SqlServer, work: Callable[[], Work]) -> Work:
    """``work``, with what the driver raises as an error of ours, without what it was chained to."""
    try:
        return work()
    except ProbeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a driver raises must not show its frames
        told = _error(server, error.__cause__ if isinstance(error, TimeoutError) and error.__cause__ else error)
    raise told


def _error(server: SqlServer, error: BaseException) -> ProbeError:
    where = f"{server.host}/{server.database}"
    if isinstance(error, NotEncrypted):
        return Unreachable(f"{server.host} offers no encryption; nothing was sent", "TLS is required")
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "name its authority with ca_file under [sql] in the settings"
        return Unreachable(f"the certificate of {server.host} is not trusted: {error.verify_message}", hint)
    if isinstance(error, TimeoutError):
        return Unreachable(f"{server.host} did not answer within {server.timeout:g} s")
    number = getattr(error, "number", None) or getattr(error, "msg_no", None)
    if number is not None:
        return _by_number(where, int(number), _line(getattr(error, "text", "") or str(error)))
    if isinstance(error, OSError | Broken) or type(error).__name__ == "ClosedConnectionError":
        why = error.strerror if isinstance(error, OSError) and error.strerror else "the connection broke"
        return Unreachable(f"{server.host} cannot be asked: {why}")
    return BadAnswer(f"{server.host} answered in a way that is not understood ({type(error).__name__})")


def _by_number(where: str, number: int, text: str) -> ProbeError:
    """By SQL Server's own error numbers: learn.microsoft.com/sql/relational-databases/errors-events."""
    said = f"{text} (error {number})"
    if number in _LOGIN_FAILED:
        return LoginExpired(f"{where} does not accept the login: {said}", "see [sql] in the settings")
    if number in _NO_DATABASE:
        return Forbidden(f"{where}: {said}", "is the database's name right, and is this login a user of it?")
    if number in _FIREWALL:
        return Forbidden(f"{where}: {said}", "the server's firewall has to let this machine in")
    if number in _NOT_ALLOWED:
        return Forbidden(f"{where}: {said}", "GRANT VIEW DATABASE STATE, and SELECT on what is asked for")
    if number == LOCKED:
        return Unreachable(f"{where}: what was asked for is locked by somebody: {said}")
    return BadAnswer(f"{where}: {said}")


def _line(text: str) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= 300 else text[:300] + "…"
