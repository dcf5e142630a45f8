"""The Kubernetes kinds that the platform serves: names, scope, verbs and subresources, one `Kind` each.

Not for behaviour: what a kind does lives in the store, in the server and in the controllers.
"""

from __future__ import annotations

from dataclasses import dataclass

READ = ("get", "list", "watch")
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_ONE_BY_ONE = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
ONE_OBJECT = ("get", "patch", "update")


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind in one API version. There is exactly one instance of each, so identity is equality.

    ``subresources`` are names such as ``status`` and ``scale``. ``stored_as`` is (group, version) of the kind whose
    objects these are, when two API versions show the same objects (events.k8s.io and core events).
    ``generation`` says whether metadata.generation counts changes of the spec.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    categories: tuple[str, ...] = ()
    generation: bool = False
    custom: bool = False  # not built in: list items carry kind and apiVersion
    stored_as: tuple[str, str] | None = None

    @property
    def api_version(self) -> str:
        """``v1`` or ``apps/v1``, as in an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """``pods`` or ``deployments.apps``, as in an error's text."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        return self.kind + "List"

    def __repr__(self) -> str:
        return f"<{self.api_version} {self.kind}>"


_STATUS = ("status",)
_SCALED = ("scale", "status")
_POD = ("binding", "eviction", "exec", "log", "status")
_ALL = ("all",)

KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "namespaces", "Namespace", False, ("ns",), _STATUS, _ONE_BY_ONE),
    Kind(
        "",
        "v1",
        "pods",
        "Pod",
        True,
        ("po",),
        ("binding", "eviction", "exec", "log", "status"),
        categories=_ALL,
        generation=True,
    ),
    Kind("", "v1", "nodes", "Node", False, ("no",), _STATUS),
    Kind("", "v1", "services", "Service", True, ("svc",), _STATUS, categories=_ALL),
    Kind("", "v1", "endpoints", "Endpoints", True, ("ep",)),
    Kind("", "v1", "configmaps", "ConfigMap", True, ("cm",)),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "events", "Event", True, ("ev",)),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", True, ("sa",)),
    Kind("", "v1", "replicationcontrollers", "ReplicationController", True, ("rc",), _SCALED, categories=_ALL),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, ("pvc",), _STATUS),
    Kind("", "v1", "persistentvolumes", "PersistentVolume", False, ("pv",), _STATUS),
    Kind("", "v1", "limitranges", "LimitRange", True, ("limits",)),
    Kind("", "v1", "resourcequotas", "ResourceQuota", True, ("quota",), _STATUS),
    Kind("apps", "v1", "deployments", "Deployment", True, ("deploy",), _SCALED, categories=_ALL, generation=True),
    Kind("apps", "v1", "replicasets", "ReplicaSet", True, ("rs",), _SCALED, categories=_ALL, generation=True),
    Kind("apps", "v1", "statefulsets", "StatefulSet", True, ("sts",), _SCALED, categories=_ALL, generation=True),
    Kind("apps", "v1", "daemonsets", "DaemonSet", True, ("ds",), _STATUS, categories=_ALL, generation=True),
    Kind("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Kind("batch", "v1", "jobs", "Job", True, (), _STATUS, categories=_ALL, generation=True),
    Kind("batch", "v1", "cronjobs", "CronJob", True, ("cj",), _STATUS, categories=_ALL, generation=True),
    Kind("events.k8s.io", "v1", "events", "Event", True, ("ev",), stored_as=("", "v1")),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", generation=True),
    Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True, ("netpol",), generation=True),
    Kind("networking.k8s.io", "v1", "ingresses", "Ingress", True, ("ing",), _STATUS, generation=True),
    Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True, ("pdb",), _STATUS, generation=True),
    Kind(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        True,
        ("hpa",),
        _STATUS,
        categories=_ALL,
    ),
    Kind("coordination.k8s.io", "v1", "leases", "Lease"),
    Kind("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", False, verbs=("get", "list"), custom=True),
    Kind("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True, verbs=("get", "list"), custom=True),
    Kind(
        "networking.istio.io",
        "v1",
        "virtualservices",
        "VirtualService",
        True,
        ("vs",),
        _STATUS,
        generation=True,
        custom=True,
    ),
    Kind(
        "networking.istio.io",
        "v1beta1",
        "virtualservices",
        "VirtualService",
        True,
        ("vs",),
        _STATUS,
        generation=True,
        custom=True,
        stored_as=("networking.istio.io", "v1"),
    ),
    Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False, verbs=("create",)),
    Kind("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False, verbs=("create",)),
    Kind("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False, verbs=("create",)),
    Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False),
    Kind("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", False),
    Kind("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, ("sc",)),
    Kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", False, ("pc",)),
)

_BY_PATH: dict[tuple[str, str, str], Kind] = {(k.group, k.version, k.plural): k for k in KINDS}
_BY_NAME: dict[tuple[str, str | None], Kind] = {
    (name, group): one
    for one in reversed(KINDS)  # the first of a name is the last to be put there
    for name in (one.plural, one.kind, one.singular, *one.short_names)
    for group in (one.group, None)
}


def find(group: str, version: str, plural: str) -> Kind | None:
    """The kind at ``/apis/group/version/…/plural`` (group ``""`` for ``/api/v1``), or None."""
    return _BY_PATH.get((group, version, plural))


def kind(name: str, group: str | None = None) -> Kind:
    """The kind with this plural, kind, singular or short name; of that group, or of the first that has it.

    The preferred version wins. Raises KeyError for a name that nobody has.
    """
    found = _BY_NAME.get((name, group))
    if found is None:
        raise KeyError(f"no kind {name!r}" + (f" in group {group!r}" if group is not None else ""))
    return found


def stored(of: Kind) -> Kind:
    """The kind whose objects the store keeps for this one: itself, unless it is a second view of them."""
    if of.stored_as is None:
        return of
    group, version = of.stored_as
    return _BY_PATH[group, version, of.plural]
