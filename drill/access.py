"""Who may do what: the platform's three users, as roles instead of RBAC objects, and the access reviews."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from drill.kinds import READ, Kind

Json = dict[str, Any]


class Role(Enum):
    """What a user may do."""

    ADMIN = "admin"  # everything
    VIEWER = "viewer"  # get, list and watch; no secrets
    NOBODY = "nobody"  # logged in, and nothing more


@dataclass(frozen=True, slots=True)
class User:
    name: str
    role: Role
    groups: tuple[str, ...] = ("system:authenticated",)


ANONYMOUS: Final = User("system:anonymous", Role.NOBODY, ("system:unauthenticated",))
_PUBLIC: Final = ("/healthz", "/livez", "/readyz", "/version")
_PATHS: Final = ["/api", "/api/*", "/apis", "/apis/*", *_PUBLIC]
_HANDS_ON: Final = ("attach", "exec", "portforward", "proxy")  # opened with GET, and no reading
_REVIEWS: Final = ("authentication.k8s.io", "authorization.k8s.io")


@dataclass(slots=True)
class Access:
    """The users by token, and one rule per role. ``closed`` names namespaces where nobody is allowed anything."""

    users: dict[str, User]
    closed: set[str] = field(default_factory=set)

    @classmethod
    def with_new_tokens(cls, people: Sequence[str] = ()) -> Access:
        """Users admin, viewer and nobody, and an admin for each of ``people``; each with a fresh random token."""
        users = [*(User(role.value, role) for role in Role), *(User(name, Role.ADMIN) for name in people)]
        return cls({secrets.token_urlsafe(24): user for user in users})

    @property
    def tokens(self) -> dict[str, str]:
        """User name → token."""
        return {user.name: token for token, user in self.users.items()}

    def user(self, authorization: str | None) -> User | None:
        """Whose Authorization header this is: `ANONYMOUS` without one, None for a wrong one."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        return self.users.get(token.strip()) if scheme.lower() == "bearer" else None

    def allowed(self, user: User, verb: str, group: str, resource: str, namespace: str, subresource: str = "") -> bool:
        """May ``user`` do ``verb`` to a resource (plural, or ``*``) of a group, in a namespace (``""``: everywhere)?"""
        if user is ANONYMOUS:
            return False
        if group in _REVIEWS and verb == "create":
            return True
        if namespace in self.closed and namespace:
            return False
        if user.role is Role.ADMIN:
            return True
        if user.role is Role.NOBODY:
            return False
        return (
            verb in READ and resource not in ("secrets", "*") and subresource not in ("exec", "attach", "portforward")
        )

    def allowed_path(self, user: User, path: str) -> bool:
        """May ``user`` get a path that is no resource: discovery, health, version?"""
        return user is not ANONYMOUS or path.startswith(_PUBLIC)

    def review(self, user: User, spec: Json) -> Json:
        """The status of a SelfSubjectAccessReview."""
        path = spec.get("nonResourceAttributes")
        if path is not None:
            wanted = path.get("path", "")
            allowed = user.role is Role.ADMIN or (path.get("verb") == "get" and self.allowed_path(user, wanted))
            return {"allowed": allowed}
        asked = spec.get("resourceAttributes") or {}
        return {
            "allowed": self.allowed(
                user,
                asked.get("verb", ""),
                asked.get("group", ""),
                asked.get("resource", ""),
                asked.get("namespace", ""),
                asked.get("subresource", ""),
            )
        }

    def rules(self, user: User, kinds: tuple[Kind, ...], namespace: str) -> Json:
        """The status of a SelfSubjectRulesReview: what `kubectl auth can-i --list` shows."""
        reviews = [
            {"verbs": ["create"], "apiGroups": [group], "resources": [plural]}
            for group, plural in (
                ("authentication.k8s.io", "selfsubjectreviews"),
                ("authorization.k8s.io", "selfsubjectaccessreviews"),
                ("authorization.k8s.io", "selfsubjectrulesreviews"),
            )
        ]
        rules: list[Json] = []
        if namespace not in self.closed and user.role is Role.ADMIN:
            rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        elif namespace not in self.closed and user.role is Role.VIEWER:
            groups: dict[str, list[str]] = {}
            for kind in kinds:
                if "get" in kind.verbs and kind.plural != "secrets":
                    groups.setdefault(kind.group, []).append(kind.plural)
            rules.extend(
                {"verbs": [*READ], "apiGroups": [group], "resources": [*plurals]} for group, plurals in groups.items()
            )
        return {
            "resourceRules": [*rules, *reviews],
            "nonResourceRules": [
                {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", *_PUBLIC]}
            ],
            "incomplete": False,
        }
