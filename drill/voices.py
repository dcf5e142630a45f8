"""What the platform's .NET services write into their logs. Pure: the same pod says the same at the same instant."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from drill.fates import Fate
from drill.strain import NOTHING, Felt


@dataclass(frozen=True, slots=True)
class Moment:
    """What a line may depend on besides chance."""

    service: str
    unready: bool  # this pod's readiness probe fails
    down: frozenset[str] = frozenset()  # of what the gateway forwards to
    felt: Felt = NOTHING  # what services feel of their databases
    database: str = ""  # the one that this service needs
    at: float = 0.0  # seconds of the wall
    pod: str = ""  # its name

    @property
    def pressure(self) -> float:
        """Above 1 where the service waits for its database."""
        return self.felt.pressed.get(self.service, 0.0)


Speak = Callable[[random.Random, Moment], str]


@dataclass(frozen=True, slots=True)
class Voice:
    """How one kind of service talks: about every ``period`` seconds, one of its lines."""

    period: float
    speak: Speak


def startup(service: str, version: str) -> list[tuple[float, str]]:
    """(seconds after the start, line)."""
    space = namespace_of(service)
    return [
        (0.21, f"info: {space}.Program[0] Starting {service} {version}"),
        (0.64, "info: Microsoft.Hosting.Lifetime[14] Now listening on: http://[::]:8080"),
        (0.65, "info: Microsoft.Hosting.Lifetime[0] Application started. Press Ctrl+C to shut down."),
        (0.66, "info: Microsoft.Hosting.Lifetime[0] Hosting environment: Production"),
        (0.66, "info: Microsoft.Hosting.Lifetime[0] Content root path: /app"),
    ]


def struggling(service: str, fate: Fate) -> list[tuple[float, str]]:
    """What a doomed container says after its start, while it still runs."""
    space = namespace_of(service)
    if fate is Fate.OOM:
        return [
            (4.0 + 2.0 * n, f"warn: {space}.Cache[3107] working set {340 + 90 * n} MiB of 1024 MiB") for n in range(6)
        ]
    pool = "warn: Microsoft.Data.SqlClient[2101] no free connection in the pool of BankingAccountsDb"
    return [
        (
            0.92,
            f"info: {space}.Settlement.SettlementWorker[1201] Opening BankingAccountsDb (pool timeout 5 s, max 100)",
        ),
        (2.10, f"{pool}, 100 of 100 in use, waiting (attempt 1)"),
        (3.60, f"{pool}, 100 of 100 in use, waiting (attempt 2)"),
        (5.10, f"{pool}, 100 of 100 in use, waiting (attempt 3)"),
    ]


def last_words(service: str, fate: Fate) -> list[str]:
    """What it says as it ends. The kernel leaves no time for that when memory runs out."""
    if fate is Fate.OOM:
        return []
    space, path = namespace_of(service), f"/src/services/{service}"
    return [
        f"crit: {space}.Settlement.SettlementWorker[1500] Cannot start: no connection to BankingAccountsDb in 5000 ms",
        "Unhandled exception. System.InvalidOperationException: Timeout expired.  The timeout period elapsed prior to "
        "obtaining a connection from the pool.  This may have occurred because all pooled connections were in use and "
        "max pool size was reached. (Data Source=banking-platform-prod-sql;Initial Catalog=BankingAccountsDb)",
        "   at Microsoft.Data.Common.ADP.ExceptionWithStackTrace(Exception e)",
        "--- End of stack trace from previous location ---",
        "   at Microsoft.Data.SqlClient.SqlConnection.InternalOpenAsync(CancellationToken cancellationToken)",
        f"   at {space}.Data.AccountsContext.OpenAsync(CancellationToken token) in "
        f"{path}/Data/AccountsContext.cs:line 58",
        f"   at {space}.Settlement.SettlementWorker.StartAsync(CancellationToken token) in "
        f"{path}/SettlementWorker.cs:line 41",
        "   at Microsoft.Extensions.Hosting.Internal.Host.StartAsync(CancellationToken cancellationToken)",
        f"   at {space}.Program.Main(String[] args) in {path}/Program.cs:line 23",
    ]


def _of_its_database(chance: random.Random, moment: Moment) -> str | None:
    """What a service says because of its database, if that troubles it and it does not talk of something else."""
    name, space = moment.database, namespace_of(moment.service)
    if (lost := moment.felt.lost.get(moment.service)) is not None:
        return (
            f"fail: {space}.Data[1801] Microsoft.Data.SqlClient.SqlException (0x80131904): A network-related or "
            "instance-specific error occurred while establishing a connection to SQL Server.  The server was not found "
            f"or was not accessible.  (provider: TCP Provider, {lost.words}) "
            f"(Data Source={lost.host};Initial Catalog={lost.database})"
        )
    if moment.service in moment.felt.cut_off:
        return (
            f"fail: {space}.Data[1822] Microsoft.Data.SqlClient.SqlException (0x80131904): Database '{name}' on server "
            "'banking-platform-prod-sql' is not currently available.  Please retry the connection later. "
            "(Error Number:40613,State:1,Class:20)"
        )
    if moment.pressure <= 1.0:
        return None
    what, luck = chance.choice(_STATEMENTS), chance.random()
    if luck < 0.22:
        return (
            "fail: Microsoft.EntityFrameworkCore.Database.Command[20102] Failed executing DbCommand "
            f"({chance.randint(30_001, 30_090)} ms) {what} on {name}: Execution Timeout Expired.  The timeout period "
            "elapsed prior to completion of the operation or the server is not responding. "
            "(Error Number:-2,State:0,Class:11)"
        )
    if luck < 0.45:
        took = int(chance.uniform(2_400, 9_000) * moment.pressure)
        return f"warn: Microsoft.EntityFrameworkCore.Database.Command[20504] slow query ({took} ms) on {name}: {what}"
    return None


def _request(chance: random.Random, moment: Moment) -> str:
    space = namespace_of(moment.service)
    if (trouble := _of_its_database(chance, moment)) is not None:
        return trouble
    if moment.unready and chance.random() < 0.35:
        return (
            f"fail: {space}.Health.ReadinessCheck[2301] Unhealthy: SELECT 1 on BankingAccountsDb took "
            f"{chance.randint(3900, 5900)} ms (limit 2000 ms)"
        )
    if chance.random() < 0.03:
        return (
            "warn: Microsoft.EntityFrameworkCore.Database.Command[20504] slow query "
            f"({chance.randint(600, 1900)} ms) on BankingAccountsDb: usp_EntriesOfAccount @top=50"
        )
    noun = moment.service.partition("-")[0]
    verb, path, status = chance.choice(
        (("GET", "", 200), ("GET", "/history", 200), ("GET", "/limits", 200), ("POST", "", 201), ("GET", "/x", 404))
    )
    took = chance.lognormvariate(2.9, 0.6) * (9 if moment.unready else 1) * (90 if moment.pressure > 1 else 1)
    return (
        f"info: {space}.Http[9] {verb} /api/v2/{noun}s/{chance.randrange(16**6):06x}{path} -> {status} "
        f"in {took:.0f} ms trace={chance.getrandbits(64):016x}"
    )


def payments(chance: random.Random, moment: Moment) -> str:
    space = namespace_of(moment.service)
    if (trouble := _of_its_database(chance, moment)) is not None:
        return trouble
    if chance.random() < 0.25:
        return (
            f"info: {space}.Settlement.SettlementWorker[1204] settled batch {chance.randrange(10**5):05d}: "
            f"{chance.randint(8, 120)} payments in {chance.randint(90, 420)} ms"
        )
    return (
        f"info: {space}.Http[9] POST /api/v2/payments -> 202 in {chance.lognormvariate(3.6, 0.5):.0f} ms "
        f"trace={chance.getrandbits(64):016x}"
    )


def _gateway(chance: random.Random, moment: Moment) -> str:
    route = chance.choice(("accounts", "transactions", "payments", "payments", "cards", "session", "statements"))
    trace = f"trace={chance.getrandbits(64):016x}"
    method = "POST" if route == "payments" else "GET"
    upstream = UPSTREAMS.get(route, "")
    if upstream in moment.down:
        return (
            f"fail: Yarp.ReverseProxy.Forwarder[48] {method} /api/v2/{route} -> 503 no healthy upstream {upstream} "
            f"after {chance.randint(2000, 2600)} ms {trace}"
        )
    if upstream in moment.felt.pressed and chance.random() < 0.3:
        return (
            f"fail: Yarp.ReverseProxy.Forwarder[48] {method} /api/v2/{route} -> 504 upstream {upstream} timed out "
            f"after {chance.randint(10_000, 10_080)} ms {trace}"
        )
    if upstream in moment.felt.pressed:
        took = chance.uniform(1_900, 6_800)
        return f"info: Yarp.ReverseProxy.Forwarder[9] {method} /api/v2/{route} -> 200 in {took:.0f} ms {trace}"
    return (
        f"info: Yarp.ReverseProxy.Forwarder[9] {method} /api/v2/{route} -> 200 in "
        f"{chance.lognormvariate(3.3, 0.5):.0f} ms {trace}"
    )


def _worker(chance: random.Random, moment: Moment) -> str:
    space = namespace_of(moment.service)
    if (trouble := _of_its_database(chance, moment)) is not None:
        return trouble
    if chance.random() < 0.04:
        return f"warn: {space}.Queue[4102] message {chance.getrandbits(32):08x} redelivered (attempt 2)"
    return (
        f"info: {space}.Queue[4100] handled {chance.randint(1, 40)} messages in {chance.randint(4, 180)} ms, "
        f"{chance.randint(0, 12)} waiting"
    )


def _cache(chance: random.Random, moment: Moment) -> str:
    return (
        f"info: {namespace_of(moment.service)}.Stats[1] {chance.randint(41_000, 44_000)} keys, "
        f"{chance.uniform(96.5, 99.4):.1f} % hits, {chance.randint(300, 900)} ops/s"
    )


def _system(chance: random.Random, moment: Moment) -> str:
    return f"I {moment.service} sync finished in {chance.uniform(1, 30):.1f}ms items={chance.randint(20, 90)}"


_STATEMENTS: Final = (
    "usp_EntriesOfAccount @top=50",
    "usp_BalanceOfAccount @id",
    "usp_PostEntry @batch",
    "usp_LimitsOfCustomer @id",
)
UPSTREAMS: Final = {
    "accounts": "account-service",
    "transactions": "transaction-service",
    "payments": "payment-service",
    "cards": "card-service",
}
VOICES: Final = {
    "request": Voice(0.9, _request),
    "payments": Voice(0.7, payments),
    "gateway": Voice(0.4, _gateway),
    "worker": Voice(2.0, _worker),
    "cache": Voice(10.0, _cache),
    "system": Voice(30.0, _system),
}


def namespace_of(service: str) -> str:
    return "Banking." + "".join(part.capitalize() for part in service.split("-") if part != "service")
