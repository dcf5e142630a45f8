"""What the banner says, as data: the incident, where one is, and how the platform stands. Instants are in seconds."""

from __future__ import annotations

from msgspec import Struct


class BannerState(Struct, frozen=True):
    """Everything the banner draws; whatever is not known stays None or empty and is not drawn.

    ``open``            whether the incident named by ``incident_id`` is open. If not, it is the last one there was.
    ``changed_at``      when a closed incident was resolved.
    ``production``      whether ``environment`` (the word that is shown) means production.
    ``unhealthy_trend`` the number of unhealthy pods over time, oldest first.
    """

    # The incident.
    incident_id: str = ""
    title: str = ""
    severity: int | None = None
    severity_word: str = ""  # High
    status: str = ""
    open: bool = False
    opened_at: float | None = None
    changed_at: float | None = None
    next_update_at: float | None = None
    roles: tuple[tuple[str, str], ...] = ()  # ("IC", "ops-manager")
    drill: bool = False
    declare_key: str = "I"
    relapse: str = ""  # what is ill again after the incident was resolved; said as loudly as anything
    card_key: str = "v"
    trouble: str = ""  # why entries do not reach the store; said as loudly as anything
    # Where.
    environment: str = ""
    production: bool = False
    context: str = ""
    namespace: str = ""
    version: str = ""
    # What the console may do.
    read_only: bool = False
    armed_until: float | None = None
    disarmed: bool = False  # production, and acts are refused until somebody arms the console
    arm_key: str = "A"
    # How fresh it all is.
    probes_live: int = 0
    probes_stale: int = 0
    probes_other: int = 0  # loading, forbidden or unavailable
    # What may have done it.
    suspect: str = ""  # revision 12
    suspect_before: str = ""  # 40 s, before the first symptom
    diagnose_key: str = "d"
    # The platform.
    pods: int | None = None
    unhealthy: int | None = None
    unhealthy_trend: tuple[float, ...] = ()
    nodes: int | None = None
    pressured: int | None = None
    not_ready: int | None = None
    errors_per_minute: float | None = None


def stopwatch(seconds: float) -> str:
    """``00:14:38``, from a day on ``2d 03:14``. Never negative: clocks of two machines may disagree."""
    total = max(int(seconds), 0)
    days, rest = divmod(total, 86_400)
    hours, rest = divmod(rest, 3_600)
    if days:
        return f"{days}d {hours:02}:{rest // 60:02}"
    return f"{hours:02}:{rest // 60:02}:{rest % 60:02}"


def countdown(seconds: float) -> str:
    """``21:22``, from an hour on ``1:21:22``. Never negative."""
    total = max(int(seconds), 0)
    hours, rest = divmod(total, 3_600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"
