"""A scenario: a platform and what befalls it, as data in YAML. Checked when it is read, so that a typo is told at once.

Offsets are relative to the moment the platform starts: ``-20m``, ``-3d4h``, ``+90s``. What lies before that moment has
already happened when somebody looks; what lies after it happens while they watch.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from yaml.nodes import MappingNode

from drill import document, limits, shape, variation
from drill.azure.part import Azure
from drill.document import Mistake
from drill.document import ScenarioError as ScenarioError
from drill.fates import Fate
from drill.good import Good
from drill.offsets import Name, Offset, Quantity, Span
from drill.offsets import seconds as seconds
from drill.parts import Intrusion, Payments
from drill.script import External as ExternalStep
from drill.script import HostFate, NodeFate, PodFate, Resize, Rollback, Say, Step, Traffic, Upgrade

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", description="text on one line")]
Title = Annotated[
    str,
    Meta(pattern=r"^[^\x00-\x1f\x7f]+\Z", max_length=120, description="text on one line, at most 120 characters"),
]
Author = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f<>]+\Z", description="a person's name")]
Touched = Annotated[
    str,
    Meta(
        pattern=r"^(?!/)(?!(.*/)?\.{0,2}(/|\Z))(?!(?i:(.*/)?\.git(/|\Z)))[^\x00-\x1f\x7f\"\\]+\Z",
        description="a path inside of the repository, such as services/orders/Prices.cs",
    ),
]
Taint = Annotated[
    str,
    Meta(
        pattern=r"^[^=:]+=[^=:]*:(NoSchedule|NoExecute|PreferNoSchedule)\Z",
        description="a taint such as CriticalAddonsOnly=true:NoSchedule",
    ),
]


class Node(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A node; ``cpu`` and ``memory`` say how busy it is, as a share of what it has.

    Where the scenario's usage is ``summed``, they are what the node uses besides its pods. ``taints`` are
    ``KEY=VALUE:EFFECT``.
    """

    name: Name
    pool: str = "system"
    zone: str = "westeurope-1"
    size: str = "Standard_D8s_v5"
    cores: Annotated[int, Meta(ge=1)] = 8
    capacity: Quantity = "32863208Ki"
    max_pods: Annotated[int, Meta(ge=1)] = 110
    cpu: Share = 0.4
    memory: Share = 0.4
    cordoned: bool = False
    taints: tuple[Taint, ...] = ()
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
    requests: dict[str, Quantity] = msgspec.field(default_factory=lambda: {"cpu": "100m", "memory": "256Mi"})
    limits: dict[str, Quantity] = msgspec.field(default_factory=lambda: {"cpu": "1", "memory": "1Gi"})
    env: dict[str, str] = {}
    check: str = ""  # its name in the health endpoint; empty: not asked there
    log: str = "request"  # which voice it logs in, see drill.logs
    curl: bool = True  # whether its image has one
    database: str = ""  # the database of the part ``azure`` that it cannot do without
    mesh: bool = False  # whether its pods are in Istio's mesh, whose VirtualServices then hold for it
    load: float = 0.0  # how many of its pods the work that arrives takes; 0: never too much


class Growth(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a container comes to use: its memory (MiB) and cores grow to this, evenly ``over`` so long a time."""

    memory: float
    cpu: float
    over: Span


class Addon(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A workload of the cluster itself, or of somebody who has it beside the release.

    ``pool`` is the only pool on whose nodes it runs. ``grows`` counts where the scenario's usage is ``summed``.
    """

    name: Name
    namespace: Name
    image: str
    kind: Literal["Deployment", "DaemonSet"] = "DaemonSet"
    replicas: int = 1
    host_network: bool = False
    requests: dict[str, Quantity] = msgspec.field(default_factory=lambda: {"cpu": "50m", "memory": "64Mi"})
    cpu: float = 0.02
    memory: float = 60.0
    pool: str = ""
    grows: Growth | None = None


class Commit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A commit of the platform's repository; ``file`` is what it touches. All but ``body`` are lines for git."""

    at: Offset
    author: Author
    subject: Line
    file: Touched
    body: str = ""


class External(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A host outside the cluster, as its containers meet it; a host that nobody names does not resolve.

    ``latency`` is in seconds; ``status`` and ``body`` are what it answers at ``/health``.
    """

    host: str
    fate: HostFate = "answers"
    address: str = "203.0.113.24"
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    latency: Annotated[float, Meta(ge=0.0)] = 0.04
    body: str = '{"status":"UP"}'


class Release(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The Helm release of the platform."""

    name: Name
    chart: Name


class Scenario(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it, but for ``varies``, which is `drill.variation`'s.

    ``images`` gives fates to images that do not carry one in their tag.
    ``good`` is what a response is scored against; without it there is no score. ``login`` is the service behind the
    second public endpoint; "": that is always well. ``addresses`` is the ConfigMap that says how the services reach
    their databases (see `drill.reach`). ``usage`` summed: nodes use what their pods use (see `drill.pressure`).
    """

    name: Name
    title: Title
    severity: Annotated[int, Meta(ge=1, le=4)]
    summary: str
    cluster: str
    namespace: Name
    release: Release
    nodes: Annotated[tuple[Node, ...], Meta(min_length=1)]
    services: Annotated[tuple[Service, ...], Meta(min_length=1)]
    addons: tuple[Addon, ...] = ()
    images: dict[str, Fate] = {}
    login: Name | Literal[""] = ""
    addresses: Name | Literal[""] = ""
    usage: Literal["said", "summed"] = "said"
    script: tuple[Step, ...] = ()
    commits: tuple[Commit, ...] = ()
    externals: tuple[External, ...] = ()
    payments: Payments | None = None
    intrusion: Intrusion | None = None
    azure: Azure | None = None
    good: Good | None = None

    @property
    def disturbed(self) -> float:
        """The offset in seconds from which somebody changes how many pods there are, beside the release; at most 0."""
        return min((0.0, *(seconds(step.at) for step in self.script if isinstance(step, Resize))))

    def steps(self) -> list[tuple[float, Step]]:
        """The script with its offsets in seconds, in the order of time."""
        return sorted(((seconds(step.at), step) for step in self.script), key=lambda item: item[0])


def names() -> list[str]:
    """The scenarios that ship."""
    found = resources.files("drill").joinpath("scenarios").iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in found if entry.name.endswith(".yaml"))


def load(name: str, seed: int = 0) -> Scenario:
    """A scenario that ships, in the details of a seed. Raises `ScenarioError`."""
    known = names()
    if name not in known:
        raise ScenarioError(f"there is no scenario {name!r}; there are: {', '.join(known)}")
    text = resources.files("drill").joinpath("scenarios", f"{name}.yaml").read_text(encoding="utf-8")
    return parse(text, source=f"{name}.yaml", seed=seed, ships=True)


def parse(text: str, *, source: str = "scenario", seed: int = 0, ships: bool = False) -> Scenario:
    """A scenario out of YAML text; seed 0 is as it is written, others differ in what its ``varies`` says.

    Of one that ``ships`` it is known that its ``varies`` is right, and a drill's start does not wait to hear it again.
    Raises `ScenarioError`: ``source``, line, key, and what was expected.
    """
    root = document.compose(text, source)
    for mistake in variation.mistakes(root) if not ships else ():
        raise ScenarioError(document.told(mistake, root, source))
    told = variation.varied(root, variation.Chooser(seed)) if seed else variation.as_written(root)
    scenario, mistakes = read(told)
    if scenario is None:
        first = min(mistakes, key=lambda mistake: document.line_of(told, mistake.place))
        raise ScenarioError(document.told(first, told, source))
    return scenario


def read(root: MappingNode) -> tuple[Scenario | None, list[Mistake]]:
    """A scenario out of its nodes, or all that is wrong with it; names are only looked at once every value is right."""
    found = [*document.misread(root)]
    scenario = None
    try:
        scenario = msgspec.convert(document.plain(root), Scenario)
    except msgspec.ValidationError as error:
        places = {mistake.place for mistake in found}
        # ``varies`` is a key of the file, though not of what is made of it.
        wrong = shape.mistakes(root, Scenario, more=(variation.KEY,))
        found += [mistake for mistake in wrong if mistake.place not in places]
        found = found or [Mistake((), str(error))]
    else:
        found += mistakes(scenario)
    return (None if found else scenario), found


def mistakes(scenario: Scenario) -> Iterator[Mistake]:
    """What the types cannot say: that every name in the script means something, and that revisions come in order."""
    services = {service.name for service in scenario.services}
    nodes = {node.name for node in scenario.nodes}
    hosts = {external.host for external in scenario.externals}
    mine = {one.name for one in scenario.addons if one.namespace == scenario.namespace and one.kind == "Deployment"}
    if scenario.login and scenario.login not in services:
        yield Mistake(("login",), _no("service", scenario.login, services))
    for part in ("nodes", "services"):
        yield from _twice(part, [one.name for one in getattr(scenario, part)])
    yield from limits.excesses(scenario)
    revisions = 0
    order = sorted(enumerate(scenario.script), key=lambda item: seconds(item[1].at))
    for index, step in order:
        here = ("script", index)
        match step:
            case Upgrade(tags=tags):
                revisions += 1
                for unknown in sorted(tags.keys() - services):
                    yield Mistake((*here, "tags", unknown), _no("service", unknown, services))
                if revisions == 1 and (missing := sorted(services - tags.keys())):
                    every = "the first upgrade must give every service a tag; missing: "
                    yield Mistake((*here, "tags"), every + ", ".join(missing))
            case Rollback(to=to):
                if not 1 <= to <= revisions:
                    yield Mistake((*here, "to"), f"there is no revision {to} by then")
                revisions += 1
            case PodFate(service=service) | Traffic(service=service) if service not in services:
                yield Mistake((*here, "service"), _no("service", service, services))
            case PodFate(while_down=other) | Say(while_down=other) if other and other not in services:
                yield Mistake((*here, "while_down"), _no("service", other, services))
            case Resize(deployment=name) if name not in services | mine:
                yield Mistake((*here, "deployment"), _no("deployment", name, services | mine))
            case ExternalStep(host=host) if host not in hosts:
                yield Mistake((*here, "host"), _no("external", host, hosts))
            case Say(kind="Node", name=name) if name not in nodes:
                yield Mistake((*here, "name"), _no("node", name, nodes))
            case Say(kind=("Pod" | "Service"), name=name) if name not in services | mine:
                yield Mistake((*here, "name"), _no("service", name, services | mine))
            case NodeFate(node=node) if node not in nodes:
                yield Mistake((*here, "node"), _no("node", node, nodes))
            case _:
                pass
    if not order or not isinstance(order[0][1], Upgrade):
        yield Mistake(("script",), "the script must begin with an upgrade, the installation")
    if scenario.good is not None:
        for place, what in scenario.good.mistakes():
            yield Mistake(("good", *place), what)
    if scenario.payments is not None:
        for key, known in (("service", services), ("processor", services), ("gateway", hosts)):
            if (name := getattr(scenario.payments, key)) not in known:
                yield Mistake(("payments", key), _no("external" if key == "gateway" else "service", name, known))
    if scenario.intrusion is not None:
        for key, known in (("service", services), ("outside", hosts)):
            if (name := getattr(scenario.intrusion, key)) not in known:
                yield Mistake(("intrusion", key), _no("external" if key == "outside" else "service", name, known))
    yield from _mistakes_in_azure(scenario, services)


def _mistakes_in_azure(scenario: Scenario, services: set[str]) -> Iterator[Mistake]:
    azure = scenario.azure
    databases = {database.name for database in azure.databases} if azure is not None else set()
    for index, service in enumerate(scenario.services):
        if service.database and service.database not in databases:
            yield Mistake(("services", index, "database"), _no("database", service.database, databases))
    if azure is not None:
        for place, what in azure.mistakes(services):
            yield Mistake(("azure", *place), what)


def _twice(part: str, names: list[str]) -> Iterator[Mistake]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Mistake((part, index, "name"), f"{name!r} is there already")


def _no(what: str, name: str, known: set[str]) -> str:
    return f"there is no {what} {name!r}{shape.close_to(name, sorted(known))}"
