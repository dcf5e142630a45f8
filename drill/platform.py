"""The embedded platform, to start and to stop: a cluster with its past, its API, its health endpoints, its files."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from drill import scenario as scenarios
from drill import team
from drill.access import Access
from drill.azure.estate import Estate
from drill.azure.server import ArmServer
from drill.azure.sql_front import SqlFront
from drill.business import Business
from drill.certificate import Certificate, self_signed
from drill.checkout import CheckoutError, make_checkout
from drill.clock import Clock
from drill.control import Control
from drill.controllers import ControlPlane
from drill.director import Director
from drill.fleet import Churn, Fleet
from drill.health import HealthEndpoints
from drill.logs import Logs
from drill.metrics import Load, Metrics
from drill.network import Network
from drill.organiser import Injected, Organiser
from drill.outages import Outages
from drill.pressure import Pressure
from drill.private_directory import PrivateDirectory
from drill.programs import Programs
from drill.reach import Reach
from drill.scenario import Scenario
from drill.server import ApiServer
from drill.store import ObjectStore
from drill.strain import Strain, Unreadiness
from drill.surprise import announced
from drill.tds import TdsServer
from drill.usage import Usage

log = logging.getLogger(__name__)

CONTEXT: Final = "drill-prod"
_CONTEXTS: Final = {CONTEXT: "admin", "viewer": "viewer", "nobody": "nobody"}
_INTERVALS: Final = {"activity": 30.0, "databases": 60.0, "alerts": 60.0}  # the console's own, in seconds
_OFTENEST: Final = 2.0
_PROLOGUE: Final = 3600.0  # seconds that the cluster exists before the first step of the script


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that runs; ``config`` is a settings file.

    ``urls`` has ``kubernetes``, ``api`` and ``login``, and ``azure`` and ``sql`` where the scenario has a part for it.
    """

    kubeconfig: Path
    config: Path
    urls: dict[str, str]
    title: str
    severity: int
    scenario: str
    platform: Platform
    control: Path | None = None  # for the organiser, if there is one


class Platform:
    """One scenario on one simulated cluster, on 127.0.0.1 only; its files are in a private directory, until `stop`.

    ``seed`` decides names, jitter, and the details of a scenario that is given by its name; a ``surprise`` does not
    say which it is.
    ``pods``, ``nodes``, ``events`` fill the cluster up to these totals; ``churn`` is pod changes per second.
    ``speed`` is world seconds per second; ``directory`` is where the private directory is made; ``source`` is the wall.
    ``organised``: others practise on it, ``people`` by name, and somebody controls it, whose acts are ``told``.
    """

    def __init__(
        self,
        scenario: str | Scenario = "payment-release",
        *,
        seed: int = 0,
        surprise: bool = False,
        pods: int = 0,
        nodes: int = 0,
        events: int = 0,
        churn: float = 0.0,
        speed: float = 1.0,
        directory: Path | None = None,
        source: Callable[[], float] = time.time,
        organised: bool = False,
        people: Sequence[str] = (),
        told: Callable[[Injected], None] = lambda injected: None,
    ) -> None:
        self.scenario = scenarios.load(scenario, seed) if isinstance(scenario, str) else scenario
        self.seed, self.surprise = seed, surprise
        self._big = bool(pods or nodes or events)
        now = float(math.floor(source()))  # stamps have whole seconds: from between two they would round differently
        self.clock = Clock(now + self.scenario.steps()[0][0] - _PROLOGUE, speed=speed, source=source)
        self.store = ObjectStore(clock=self.clock.wall, seed=f"store/{seed}")
        self.plane = ControlPlane(self.store, self.clock, born=now, seed=7 + seed)
        outages = Outages(self.store, self.clock)
        self.estate = self._estate(outages, now, seed)
        certificate = self_signed()
        self.arm = ArmServer(self.estate) if self.estate is not None else None
        self.sql = _sql(self.arm, certificate, self._pending) if self.arm is not None else None
        space = self.scenario.namespace
        databases = {service.name: service.database for service in self.scenario.services}
        self.strain = Strain(self.estate, databases, self.clock, now)
        trouble = self.scenario.azure.trouble if self.scenario.azure is not None else 0.0
        probed = [service.name for service in self.scenario.services if service.probe]
        Unreadiness(self.strain, self.plane, space, probed).watch(now + trouble)
        checks = {service.check: service.name for service in self.scenario.services if service.check}
        self.health = HealthEndpoints(self.store, self.clock, space, checks, self.strain, seed=11 + seed)
        self.health.login_service, self.health.answers = self.scenario.login, self.plane.machines.answers
        self.network = Network(self.store, self.health, {host.host: host for host in self.scenario.externals})
        self.reach = Reach(self.plane, space, self.scenario.addresses, databases, self.network.externals)
        self.strain.lost = self.reach.lost
        self.health.complaints.append(self.reach.complaint)
        self.business = Business(self.scenario, self.plane.world, self.network, self.health, now)
        director = Director(self.scenario, self.plane, now, self.business.steps)
        usage = Usage(self.scenario, self.store, self.clock) if self.scenario.usage == "summed" else None
        if usage is not None:
            pressure = Pressure(self.plane, usage, space)
            pressure.watch(now + self.scenario.disturbed)
            self.health.complaints.append(pressure.complaint)
        director.play()
        self.scenario = replace(self.scenario, good=self.business.named(self.scenario.good))
        self.fleet = Fleet(self.plane.world, director, seed=13 + seed)
        self.fleet.fill(pods=pods, nodes=nodes, events=events)
        self.clock.advance(self.clock.now)  # the controllers look at the fleet once
        self.churn = Churn(self.store, self.clock, self.fleet.pods, churn)
        self.logs = self._logs(outages)
        self.metrics = self._metrics(now)
        self.metrics.summed = usage
        with_curl = [service.name for service in self.scenario.services if service.curl]
        programs = Programs(self.store, self.clock, self.network, with_curl)
        self.server = ApiServer(
            self.store,
            logs=self.logs,
            metrics=self.metrics,
            programs=programs,
            certificate=certificate,
            access=Access.with_new_tokens(people),
        )
        self.organiser: Organiser | None = None
        if organised:
            faults = self.estate.faults if self.estate is not None else None
            self.organiser = Organiser(self.scenario, self.plane.world, director, self.server, faults, told)
        self.control = Control(self.organiser) if self.organiser is not None else None
        self.people = tuple(people)
        self._parent = directory
        self._directories: list[PrivateDirectory] = []
        self._now = now

    def _estate(self, outages: Outages, now: float, seed: int) -> Estate | None:
        """What the scenario has in Azure, whose databases feel what is down in the cluster."""
        if self.scenario.azure is None:
            return None
        space, clock = self.scenario.namespace, self.clock

        def was_down(service: str, at: float) -> bool:
            return outages.at(space, service, clock.wall(at))

        def was_gone(service: str, at: float) -> bool:
            return outages.gone(space, service, clock.wall(at))

        needed: dict[str, tuple[str, ...]] = {}
        for service in self.scenario.services:
            needed[service.database] = (*needed.get(service.database, ()), service.name)
        return Estate(self.scenario.azure, clock, now, was_down, needed_by=needed, was_gone=was_gone, seed=29 + seed)

    def _pending(self, older: float) -> int:
        return self.business.pending(older)

    def _logs(self, outages: Outages) -> Logs:
        voices = {service.name: service.log for service in self.scenario.services}
        fate, own = self.plane.kubelets.fate, self.business.voices
        return Logs(self.store, outages, self.strain, voice_names=voices, fate=fate, own=own)

    def _metrics(self, start: float) -> Metrics:
        loads = {service.name: Load(service.cpu, service.memory) for service in self.scenario.services}
        loads |= {addon.name: Load(addon.cpu, addon.memory) for addon in self.scenario.addons}
        nodes = {node.name: Load(node.cpu, node.memory) for node in self.scenario.nodes}
        return Metrics(self.store, self.clock, start, pod_loads=loads, node_loads=nodes)

    async def start(self) -> Running:
        """Serve; the clock runs from here on. On failure nothing is left behind."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> Running:
        directory = self._new_directory()
        self.clock.go_live()
        checkout: Path | None = directory / "banking-platform"
        git = asyncio.create_task(make_checkout(directory / "banking-platform", self.scenario.commits, self._now))
        try:
            await self.server.start()
            await self.health.start()
            if self.arm is not None and self.sql is not None:
                await self.arm.start()
                await self.sql.start()
            await git
        except CheckoutError as error:
            log.warning("%s", error)
            checkout = None
        finally:
            git.cancel()
            await asyncio.gather(git, return_exceptions=True)
        self.churn.start()
        urls = {"kubernetes": self.server.url, **self.health.urls}
        kubeconfig, config = directory / "kubeconfig", directory / "config.toml"
        settings = _settings(self.scenario, kubeconfig, self.health.urls, checkout, everywhere=self._big)
        if self.arm is not None and self.sql is not None:
            urls |= {"azure": self.arm.url, "sql": f"tds://127.0.0.1:{self.sql.port}"}
            await asyncio.to_thread(self.arm.keep_token, directory / "azure-token")
            await asyncio.to_thread(_write_private, directory / "sql-ca.pem", self.server.ca_pem)
            settings += _azure_settings(self.arm, directory / "azure-token")
            settings += _sql_settings(self.arm, self.sql.port, directory / "sql-ca.pem")
        await asyncio.to_thread(_write_private, kubeconfig, json.dumps(self._kubeconfig(), indent=1))
        await asyncio.to_thread(_write_private, config, settings)
        control = await self._open_control(directory, settings) if self.control is not None else None
        told = self.scenario
        return Running(kubeconfig, config, urls, told.title, told.severity, told.name, self, control)

    def announced(self, *, packed: bool = False) -> dict[str, Any]:
        """What the platform says of its drill, see `drill.surprise`."""
        return announced(self.scenario, self.seed, surprise=self.surprise, packed=packed)

    def _new_directory(self) -> Path:
        """At once, not in a thread: whatever ends us now knows what to remove."""
        self._directories.append(PrivateDirectory(self._parent))
        return self._directories[-1].path

    async def _open_control(self, directory: Path, settings: str) -> Path:
        """The organiser's address, and the files of those who join, which say nothing of it."""
        assert self.control is not None
        await self.control.start()
        for name, text in team.files(directory, settings, self.announced(packed=True)).items():
            await asyncio.to_thread(_write_private, directory / name, text)
        where = self._new_directory() / team.CONTROL_FILE
        self.control.announce(where)
        return where

    async def stop(self) -> None:
        """End everything; may be called twice."""
        self.churn.stop()
        self.clock.stop()
        self.plane.stop()
        if self.arm is not None and self.sql is not None:
            await self.sql.stop()
            await self.arm.stop()
        await self.health.stop()
        await self.server.stop()
        if self.control is not None:
            await self.control.stop()
        while self._directories:
            await asyncio.to_thread(self._directories[-1].remove)
            self._directories.pop()

    def _kubeconfig(self) -> dict[str, Any]:
        """A kubeconfig; JSON is YAML, and every client reads it."""
        authority = base64.b64encode(self.server.ca_pem.encode()).decode()
        cluster = self.scenario.cluster
        tokens = self.server.tokens
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "preferences": {},
            "clusters": [
                {"name": cluster, "cluster": {"server": self.server.url, "certificate-authority-data": authority}}
            ],
            "users": [{"name": user, "user": {"token": token}} for user, token in tokens.items()],
            "contexts": [
                {"name": name, "context": {"cluster": cluster, "user": user, "namespace": self.scenario.namespace}}
                for name, user in {**_CONTEXTS, **{name: name for name in self.people}}.items()
            ],
        }


@asynccontextmanager
async def running(
    scenario: str | Scenario = "payment-release",
    *,
    seed: int = 0,
    surprise: bool = False,
    pods: int = 0,
    nodes: int = 0,
    events: int = 0,
    churn: float = 0.0,
    speed: float = 1.0,
    directory: Path | None = None,
    organised: bool = False,
    people: Sequence[str] = (),
    told: Callable[[Injected], None] = lambda injected: None,
) -> AsyncIterator[Running]:
    """A platform for the length of a block; see `Platform` for what the parameters mean."""
    platform = Platform(
        scenario,
        seed=seed,
        surprise=surprise,
        pods=pods,
        nodes=nodes,
        events=events,
        churn=churn,
        speed=speed,
        directory=directory,
        organised=organised,
        people=people,
        told=told,
    )
    try:
        yield await platform.start()
    finally:
        await platform.stop()


def _settings(
    scenario: Scenario, kubeconfig: Path, endpoints: dict[str, str], checkout: Path | None, *, everywhere: bool
) -> str:
    """The settings file for the console. A JSON string or list of strings is the same in TOML."""
    namespaces = ["*"] if everywhere else [scenario.namespace]
    lines = [
        "[cluster]",
        f"kubeconfig = {json.dumps(str(kubeconfig))}",
        f"context = {json.dumps(CONTEXT)}",
        f"namespaces = {json.dumps(namespaces)}",
        'production = ["*prod*"]',
    ]
    for name, url in endpoints.items():
        lines += ["", "[[endpoints]]", f'name = "{name}.banking-platform.com/health"', f"url = {json.dumps(url)}"]
    if shutil.which("helm") is None:  # -P: nothing of the directory that the console happens to be in
        standin = [sys.executable, "-P", "-m", "drill.helm_standin"]
        lines += ["", "[tools]", f"helm = {json.dumps(standin)}"]
    if checkout is not None:
        lines += ["", "[git]", f"checkout = {json.dumps(str(checkout))}", 'since = "2 hours ago"']
    return "\n".join(lines) + "\n"


def _azure_settings(arm: ArmServer, token_file: Path) -> str:
    """Which databases is left open, so that one that was restored shows up; a fast clock is looked at more often."""
    part, speed = arm.estate.part, arm.estate.clock.speed
    lines = [
        "",
        "[azure]",
        f"subscription = {json.dumps(part.subscription)}",
        f"resource_groups = {json.dumps([part.group])}",
        f"endpoint = {json.dumps(arm.url)}",
        f"token_file = {json.dumps(str(token_file))}",
    ]
    if speed > 1:
        lines += [f"{name}_interval = {max(_OFTENEST, seconds / speed):.1f}" for name, seconds in _INTERVALS.items()]
    return "\n".join(lines) + "\n"


def _sql(arm: ArmServer, certificate: Certificate, pending: Callable[[float], int]) -> TdsServer:
    """The databases' own address, where the token of Azure signs in."""
    return TdsServer(SqlFront(arm.estate, lambda: arm.token, pending).script, certificate.server_context())


def _sql_settings(arm: ArmServer, port: int, ca_file: Path) -> str:
    lines = [
        "",
        "[sql]",
        'server = "localhost"',
        f"database = {json.dumps(arm.estate.part.databases[0].name)}",
        f"port = {port}",
        f"ca_file = {json.dumps(str(ca_file))}",
    ]
    return "\n".join(lines) + "\n"


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
