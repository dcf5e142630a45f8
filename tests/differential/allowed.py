"""What may differ between the platform and the lab, and why. docs/fidelity.md says what is compared and how.

The lab is Kubernetes 1.20, the platform says that it is 1.34; most of the list is what became of the API in between.
`RULES` is matched against each difference; ``python -m tests.differential.allowed`` prints the reasons.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final


@dataclass(frozen=True)
class Allowed:
    """Differences at paths that ``path`` matches whole, in steps that ``step`` finds, between such values.

    A step whose two answers have another HTTP status has the path ``status`` and the values ``CODE message``.
    """

    group: str
    reason: str
    path: str
    step: str = ""
    ours: str = ""
    theirs: str = ""


OLDER: Final = "The lab is older"
WORDED: Final = "Words that have changed since 1.20, or are another library's"
PRETENDED: Final = "The lab's kubelets are pretended, and everything of the lab is somebody's else too"
LESS: Final = "The platform has less"

_MESSAGE: Final = r"\.body(\[\d\]\.object)?(\.message|\.details\.causes\[\d+\]\.message)"
_OWNERS: Final = r"\.body.*\.metadata\.managedFields"
_ABSENT: Final = r"^\(absent\)$"
_ANSWERS: Final = "^(patch|PATCH|POST|PUT|and its|a merge|dry|[a-z]+ #)"


def _words(reason: str, *, ours: str = "", theirs: str = "", step: str = "") -> Allowed:
    return Allowed(WORDED, reason, _MESSAGE, step, ours, theirs)


RULES: Final = (
    Allowed(
        OLDER,
        "templates and reviews show an empty creationTimestamp",
        r"\.body.*\.metadata(\.creationTimestamp)?",
        ours=_ABSENT,
        theirs=r"^(None|\{'creationTimestamp': None\})$",
    ),
    Allowed(OLDER, "pods have no generation", r"\.body.*\.metadata\.generation", theirs=_ABSENT),
    Allowed(OLDER, "pods have no hostIPs", r"\.body.*\.status\.hostIPs", theirs=_ABSENT),
    Allowed(
        OLDER, "a pod's sandbox is no condition", r"\.body.*\.status\.conditions", ours="PodReadyToStartContainers"
    ),
    Allowed(
        OLDER,
        "Services have no traffic policy and, without a feature gate, no families",
        r"\.body.*(internalTrafficPolicy|ipFamilies|ipFamilyPolicy)",
        theirs=_ABSENT,
    ),
    Allowed(
        OLDER,
        "selectors and references are owned entry by entry, empty ones by nobody",
        _OWNERS + r"\[\d+\].*f:(fieldRef|nodeSelector|selector|podSelector)(\.(\.|f:.*))?",
    ),
    Allowed(
        OLDER,
        "what a subresource changes has no entry of its own among the owners",
        _OWNERS,
        step="/status|/scale|front door|^status$|through the status|^scaled|^dry$",
    ),
    Allowed(
        OLDER,
        "who scales a Deployment does not own its replicas",
        _OWNERS + r"(\[\d+\].*)?",
        step=r"^patch \d+ \w+ deployments",
    ),
    Allowed(OLDER, "a status in the patch of a spec is owned", _OWNERS + r"\[\d+\].*f:status", theirs="f:replicas"),
    Allowed(
        OLDER,
        "a NetworkPolicy is refused under its old group",
        r"\.body(\.message|\.details\.group)",
        theirs="extensions",
    ),
    Allowed(
        OLDER, "applying another kind ends in an error of its own", "status", ours="invalid object type", theirs="^500"
    ),
    Allowed(OLDER, "resources have no singular name", r"\.body(\.resources\[\d+\])?\.singularName", theirs="^$"),
    Allowed(
        OLDER,
        "the restarts of a pod are a number",
        r"\.body.*\.(columnDefinitions\[3\]\.type|rows\[\d+\]\.cells\[3\])",
        step="/pods",
    ),
    Allowed(
        OLDER,
        "namespaces have no label of their name, and their phase an owner",
        r"\.body.*\.metadata\.(labels|managedFields)",
        step="^cells of $",
    ),
    Allowed(
        OLDER,
        "budgets are of a beta version without conditions",
        r"\.body\.(apiVersion|status\.conditions|metadata\.managedFields\[0\]\.apiVersion)",
        step="^a budget",
    ),
    Allowed(OLDER, "Services cannot be deleted all at once", r"\.body\.verbs", step="^resource  services$"),
    Allowed(OLDER, "evictions are of a beta version", r"\.body\.version", step="/eviction$", theirs="^v1beta1$"),
    Allowed(OLDER, "Jobs have no status column", r"\.body", step="columns of /jobs", ours="'Status'"),
    Allowed(
        OLDER,
        "volumes have no attributes class",
        r"\.body",
        step="columns of .*/persistentvolume",
        ours="VolumeAttributes",
    ),
    Allowed(OLDER, "the age of a quota is its second column", r"\.body\[\d\]\.name", step="columns of /resourcequotas"),
    Allowed(
        OLDER, "PreemptionPolicy is no column", r"\.body", step="columns of .*/priorityclasses", ours="PreemptionPolicy"
    ),
    _words("JSON of another type than the field", ours="json: cannot unmarshal"),
    _words(
        "JSON that cannot be read",
        ours="json parse error|invalid continue token|unmarshalerDecoder|quantities must match|illegal base64",
    ),
    _words("YAML that cannot be read", ours="yaml: line"),
    _words(
        "a patch after which the object is none of its kind",
        ours="patch: Invalid value|unknown conversion|cannot unmarshal",
    ),
    _words(
        "values are printed as JSON, not as Go",
        theirs=r"\[\]string{|map\[string\]string|intstr\.|(apps|v1|core)\.[A-Z]\w+{",
    ),
    _words("what of a pod may change", ours="pod updates may not change fields"),
    _words("texts that are too long", ours="Too long: may not be more than"),
    _words("a request above its limit", ours="must be less than or equal to"),
    _words("the name of a port", theirs="only alpha-numeric characters"),
    _words("operators of a selector", ours="expected: in, notin, =, =="),
    _words("keys and values of a selector", ours=r"(key|values\[\d\]\[\w+\]): Invalid value"),
    _words("a match of versions", ours='resourceVersionMatch "Exact"|unless sendInitialEvents is provided'),
    _words("an unknown version", ours="legacyscheme/scheme.go"),
    _words("what cannot be applied", ours="invalid object type|failed to create typed patch object"),
    Allowed(PRETENDED, "nothing is pulled", r"\.body.*\.(imageID|containerID)"),
    Allowed(
        PRETENDED,
        "controllers are at work between a write and its answer",
        r"\.body(\.items\[\d+\])?\.status(\..*)?",
        step=_ANSWERS,
    ),
    Allowed(LESS, "tables have no descriptions of their columns", r"\.body.*\[\d+\]\.description"),
    Allowed(
        LESS, "there is no storage to have versions", r"\.body(\.resources\[\d+\])?\.storageVersionHash", ours=_ABSENT
    ),
    Allowed(LESS, "fewer paths", r"\.body\.paths"),
    Allowed(
        LESS,
        "pods mount no token",
        r"\.body\.items\[\d\]\.spec\.(volumes|containers\[0\]\.volumeMounts)",
        theirs="token",
    ),
    Allowed(
        LESS, "users have roles, but no RBAC objects to name", r"\.body\.status\.reason", ours=_ABSENT, theirs="^RBAC: "
    ),
    Allowed(
        LESS,
        "an object of which nobody owns anything any more gets owners again",
        _OWNERS,
        step=r"^patch \d+ \w+ configmaps",
        theirs=_ABSENT,
    ),
    Allowed(
        LESS,
        "who owns a map itself, when all that one of its owners had set in it is gone",
        _OWNERS + r"\[\d+\]\.fieldsV1\.f:data(\.\.)?",
    ),
)


def reason(step: str, path: str, ours: Any, theirs: Any) -> str | None:
    """Why a difference is allowed, None if it is not."""
    for one in RULES:
        if (
            re.fullmatch(one.path, path)
            and re.search(one.step, step)
            and re.search(one.ours, str(ours))
            and re.search(one.theirs, str(theirs))
        ):
            return one.reason
    return None


def listed() -> str:
    """The list as Markdown."""
    lines: list[str] = []
    for group, rules in groupby(RULES, key=lambda rule: rule.group):
        lines += [f"- {group}:", *(f"  - {rule.reason}" for rule in rules)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(listed())
