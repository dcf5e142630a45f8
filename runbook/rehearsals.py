"""What the server says an act would come to, and what it says against it."""

from __future__ import annotations

from collections.abc import Awaitable

from runbook.errors import NotSent, Refused, Uncertain
from runbook.plan import Diff, Finding, Hunk, Json, Level

FORBIDDEN = 403
DRY_RUN, COMPUTED = "server dry run", "computed"


async def rehearsed(asked: Awaitable[Json]) -> tuple[Json | None, list[Finding]]:
    """The object that a dry run comes to; None when the server does not say, and amber when it refuses.

    Amber and not red, because an admission webhook may refuse every dry run and let the act itself through.
    """
    try:
        return await asked, []
    except Refused as refusal:
        # Whoever may not act may not rehearse it, and the finding `allowed` says so; a webhook's refusal names itself.
        if refusal.status == FORBIDDEN and "admission webhook" not in str(refusal):
            return None, []
        return None, [Finding("rehearsal", Level.AMBER, f"a dry run of it fails: {refusal}", refusal.hint)]
    except (NotSent, Uncertain):
        return None, []


def difference(found: Hunk | None, source: str) -> Diff:
    """The diff of an act on one object."""
    return Diff(hunks=(found,) if found else (), source=source)
