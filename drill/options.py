"""The options of a write (dry run, field manager, force; grace, propagation) and why some are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drill import statuses
from drill.queries import integer

Json = dict[str, Any]
_MANAGER_LENGTH = 128
_POLICIES = ("Foreground", "Background", "Orphan")


def check(kind: str, query: Mapping[str, str], *, apply: bool = False) -> None:
    """Refuse with 422 what CreateOptions, UpdateOptions or PatchOptions (``kind``) cannot hold."""
    if query.get("dryRun", "") not in ("", "All"):
        _refuse_dry_run(kind, [query["dryRun"]])
    manager = query.get("fieldManager", "")
    if len(manager) > _MANAGER_LENGTH:
        why = f"Too long: may not be more than {_MANAGER_LENGTH} bytes"
        raise statuses.invalid_options(kind, "FieldValueTooLong", "fieldManager", why)
    if apply and not manager:
        why = "Required value: is required for apply patch"
        raise statuses.invalid_options(kind, "FieldValueRequired", "fieldManager", why)
    if kind == "PatchOptions" and not apply and "force" in query:
        why = "Forbidden: may not be specified for non-apply patch"
        raise statuses.invalid_options(kind, "FieldValueForbidden", "force", why)


def _refuse_dry_run(kind: str, given: list[str]) -> None:
    shown = "[]string{" + ", ".join(f'"{one}"' for one in given) + "}"
    why = f'Unsupported value: {shown}: supported values: "All"'
    raise statuses.invalid_options(kind, "FieldValueNotSupported", "dryRun", why)


def of_deletion(query: Mapping[str, str], body: Any) -> Json:
    """The DeleteOptions of a request: its body, and the parameters that override it. Raises Invalid, BadRequest."""
    found: Json = {**body} if isinstance(body, dict) else {}
    if "gracePeriodSeconds" in query:
        found["gracePeriodSeconds"] = integer(query, "gracePeriodSeconds")
    if "propagationPolicy" in query:
        found["propagationPolicy"] = query["propagationPolicy"]
    if "dryRun" in query:
        found["dryRun"] = [query["dryRun"]]
    dry = found.get("dryRun") or []
    if any(one != "All" for one in dry):
        _refuse_dry_run("DeleteOptions", dry)
    policy = found.get("propagationPolicy")
    if policy is not None and found.get("orphanDependents") is not None:
        why = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        raise statuses.invalid_options("DeleteOptions", "FieldValueInvalid", "propagationPolicy", why)
    if policy is not None and policy not in _POLICIES:
        why = f'Unsupported value: "{policy}": supported values: "Foreground", "Background", "Orphan", "nil"'
        raise statuses.invalid_options("DeleteOptions", "FieldValueNotSupported", "propagationPolicy", why)
    grace = found.get("gracePeriodSeconds")
    if isinstance(grace, int) and grace < 0:
        found["gracePeriodSeconds"] = 1  # a negative grace is as little of it as there is
    return found
