"""Refusals as Azure Resource Manager and its providers word them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class ArmError(Exception):
    """A refusal: HTTP status and ``{"error": {"code", "message"}}``; ``bare`` leaves the outer object away."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None, *, bare: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self._bare = bare

    def body(self) -> Json:
        error = {"code": self.code, "message": self.message}
        return error if self._bare else {"error": error}


def unauthenticated(code: str, message: str, tenant: str) -> ArmError:
    """401, with the challenge that says where to sign in."""
    told = f'Bearer authorization_uri="https://login.windows.net/{tenant}", error="invalid_token"'
    return ArmError(401, code, message, {"WWW-Authenticate": f'{told}, error_description="{message}"'})


def unauthorized(user: str, object_id: str, action: str, scope: str) -> ArmError:
    """403 that names the action which is missing."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{user}' with object id '{object_id}' does not have authorization to perform action '{action}' "
        f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
    )


def throttled(seconds: int) -> ArmError:
    return ArmError(
        429,
        "TooManyRequests",
        f"The request is being throttled as the limit has been reached. Try again after {seconds} seconds.",
        {"Retry-After": str(seconds)},
    )


def no_subscription(subscription: str) -> ArmError:
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def no_group(group: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def no_resource(kind: str, group: str) -> ArmError:
    """``kind`` is type and name: ``Microsoft.Sql/servers/NAME``."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}' under resource group '{group}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
    )


def no_route(path: str) -> ArmError:
    return ArmError(404, "InvalidResourceType", f"The resource type could not be found in the namespace: {path}")


def bad_request(message: str, code: str = "BadRequest", *, bare: bool = False) -> ArmError:
    return ArmError(400, code, message, bare=bare)


def conflict(code: str, message: str) -> ArmError:
    return ArmError(409, code, message)
