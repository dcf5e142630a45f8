"""A scenario: a platform and what befalls it, as data in YAML. Checked when it is read, so that a typo is told at once.

Offsets are relative to the moment the platform starts: ``-20m``, ``-3d4h``, ``+90s``. What lies before that moment has
already happened when somebody looks; what lies after it happens while they watch.
"""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from drill.azure.part import Azure
from drill.fates import Fate
from drill.good import Good
from drill.offsets import Name, Offset
from drill.offsets import seconds as seconds
from drill.script import NodeFate, PodFate, Rollback, Say, Step, Upgrade

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class ScenarioError(ValueError):
    """A scenario that cannot be played: which one, where in it, and what was expected."""


class Node(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A node; ``cpu`` and ``memory`` say how busy it is, as a share of what it has."""

    name: Name
    pool: str = "system"
    zone: str = "westeurope-1"
    size: str = "Standard_D8s_v5"
    cores: int = 8
    capacity: str = "32863208Ki"
    max_pods: int = 110
    cpu: Share = 0.4
    memory: Share = 0.4
    cordoned: bool = False
    age: Offset = "-94d"


class Service(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A service of the release. ``cpu`` (cores) and ``memory`` (MiB) are what one healthy pod uses."""

    name: Name
    replicas: Annotated[int, Meta(ge=0)]
    image: str
    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    strategy: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    probe: str = "/health/ready"
    cpu: float = 0.2
    memory: float = 400.0
    requests: dict[str, str] = msgspec.field(default_factory=lambda: {"cpu": "100m", "memory": "256Mi"})
    limits: dict[str, str] = msgspec.field(default_factory=lambda: {"cpu": "1", "memory": "1Gi"})
    env: dict[str, str] = {}
    check: str = ""  # its name in the health endpoint; empty: not asked there
    log: str = "request"  # which voice it logs in, see drill.logs
    curl: bool = True  # whether its image has one
    database: str = ""  # the database of the part ``azure`` that it cannot do without


class Addon(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A workload of the cluster itself."""

    name: Name
    namespace: Name
    image: str
    kind: Literal["Deployment", "DaemonSet"] = "DaemonSet"
    replicas: int = 1
    host_network: bool = False
    requests: dict[str, str] = msgspec.field(default_factory=lambda: {"cpu": "50m", "memory": "64Mi"})
    cpu: float = 0.02
    memory: float = 60.0


class Commit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A commit of the platform's repository; ``file`` is what it touches."""

    at: Offset
    author: str
    subject: str
    file: str
    body: str = ""


class External(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A host outside the cluster, as its containers meet it; a host that nobody names does not resolve.

    ``latency`` is in seconds; ``status`` and ``body`` are what it answers at ``/health``.
    """

    host: str
    fate: Literal["answers", "unresolved", "refused", "silent", "untrusted"] = "answers"
    address: str = "203.0.113.24"
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    latency: Annotated[float, Meta(ge=0.0)] = 0.04
    body: str = '{"status":"UP"}'


class Release(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The Helm release of the platform."""

    name: Name
    chart: Name


class Scenario(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it. ``images`` gives fates to images that do not carry one in their tag.

    ``good`` is what a response is scored against; without it there is no score.
    """

    name: Name
    title: str
    severity: Annotated[int, Meta(ge=1, le=4)]
    summary: str
    cluster: str
    namespace: Name
    release: Release
    nodes: Annotated[tuple[Node, ...], Meta(min_length=1)]
    services: Annotated[tuple[Service, ...], Meta(min_length=1)]
    addons: tuple[Addon, ...] = ()
    images: dict[str, Fate] = {}
    script: tuple[Step, ...] = ()
    commits: tuple[Commit, ...] = ()
    externals: tuple[External, ...] = ()
    azure: Azure | None = None
    good: Good | None = None

    def steps(self) -> list[tuple[float, Step]]:
        """The script with its offsets in seconds, in the order of time."""
        return sorted(((seconds(step.at), step) for step in self.script), key=lambda item: item[0])


def names() -> list[str]:
    """The scenarios that ship."""
    found = resources.files("drill").joinpath("scenarios").iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in found if entry.name.endswith(".yaml"))


def load(name: str) -> Scenario:
    """A scenario that ships. Raises `ScenarioError`."""
    known = names()
    if name not in known:
        raise ScenarioError(f"there is no scenario {name!r}; there are: {', '.join(known)}")
    text = resources.files("drill").joinpath("scenarios", f"{name}.yaml").read_text(encoding="utf-8")
    return parse(text, source=f"{name}.yaml")


def parse(text: str, *, source: str = "scenario") -> Scenario:
    """A scenario out of YAML text. Raises `ScenarioError`, naming ``source`` and the place in it."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        scenario = msgspec.convert(yaml.load(text, Loader=loader), Scenario)  # noqa: S506 (both are safe loaders)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not YAML: {error}") from None
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{source}: {error}") from None
    _check(scenario, source)
    return scenario


def _check(scenario: Scenario, source: str) -> None:
    """What the types cannot say: that every name in the script means something, and that revisions come in order."""
    services = {service.name for service in scenario.services}
    nodes = {node.name for node in scenario.nodes}
    revisions = 0
    tagged: set[str] = set()
    for _, step in scenario.steps():
        match step:
            case Upgrade(tags=tags):
                revisions += 1
                tagged |= tags.keys()
                for unknown in sorted(tags.keys() - services):
                    raise ScenarioError(f"{source}: upgrade at {step.at}: there is no service {unknown!r}")
                if revisions == 1 and tagged != services:
                    missing = ", ".join(sorted(services - tagged))
                    raise ScenarioError(
                        f"{source}: the first upgrade must give every service a tag; missing: {missing}"
                    )
            case Rollback(to=to):
                if not 1 <= to <= revisions:
                    raise ScenarioError(f"{source}: rollback at {step.at}: there is no revision {to} by then")
                revisions += 1
            case PodFate(service=service) if service not in services:
                raise ScenarioError(f"{source}: pod-fate at {step.at}: there is no service {service!r}")
            case PodFate(while_down=other) | Say(while_down=other) if other and other not in services:
                raise ScenarioError(f"{source}: while_down at {step.at}: there is no service {other!r}")
            case NodeFate(node=node) if node not in nodes:
                raise ScenarioError(f"{source}: node-fate at {step.at}: there is no node {node!r}")
            case _:
                pass
    if revisions == 0:
        raise ScenarioError(f"{source}: the script must begin with an upgrade, the installation")
    for mistake in scenario.good.mistakes() if scenario.good is not None else ():
        raise ScenarioError(f"{source}: {mistake}")
    _check_azure(scenario, source)


def _check_azure(scenario: Scenario, source: str) -> None:
    azure = scenario.azure
    databases = {database.name for database in azure.databases} if azure is not None else set()
    for service in scenario.services:
        if service.database and service.database not in databases:
            raise ScenarioError(f"{source}: service {service.name}: there is no database {service.database!r}")
    for mistake in azure.mistakes({service.name for service in scenario.services}) if azure is not None else ():
        raise ScenarioError(f"{source}: {mistake}")
