"""What the banner says, gathered from the incident, the session and the vital signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.production import Environment, environment
from tui.relapse import summary
from widgets.banner_state import BannerState

if TYPE_CHECKING:
    from tui.room import ControlRoom
    from tui.vital_signs import VitalSigns


def banner_state(host: ControlRoom, vitals: VitalSigns) -> BannerState:
    """The banner's data as of now. What is not known is left out, never guessed."""
    incident = host.journal.incident
    session, cluster = host.session, host.session.cluster
    context = cluster.context if cluster else (session.view.context if session.view else None) or ""
    word = environment(
        host.settings.cluster.production,
        context=context,
        namespaces=session.namespaces,
        server=cluster.server if cluster else "",
    )
    # A source that was not heard of yet is loading.
    others = max(len(session.sources) - vitals.live - vitals.stale, 0)
    pods_known, nodes_known = vitals.known("pods"), vitals.known("nodes")
    gate = host.gate
    now = host.now()
    left = host.updates.countdown(now)
    suspect, before = host.diagnosing.suspicion
    level = host.response.severity(incident.severity) if incident is not None and host.response is not None else None
    return BannerState(
        incident_id=incident.id if incident else "",
        title=_title(host),
        severity=incident.severity if incident else None,
        severity_word=level.name if level is not None else "",
        status=incident.status.value if incident else "",
        open=incident.open if incident else False,
        opened_at=incident.declared_at / 1000 if incident else None,
        changed_at=incident.resolved_at / 1000 if incident and incident.resolved_at else None,
        next_update_at=None if left is None else now + left.left,
        roles=_roles(host),
        relapse=summary(host.commanding.relapse.standing, incident.resolved_at or 0) if incident else "",
        drill=host.drill is not None or (incident is not None and incident.drill and incident.open),
        trouble=host.journal.trouble,
        environment=word.value if context else "",
        production=word is Environment.PRODUCTION,
        context=context,
        namespace=session.scope_text,
        version=session.version,
        read_only=host.read_only,
        armed_until=gate.armed_until if gate else None,
        disarmed=word is Environment.PRODUCTION and gate is not None and not gate.armed,
        probes_live=vitals.live,
        probes_stale=vitals.stale,
        probes_other=others,
        suspect=suspect,
        suspect_before=before,
        pods=vitals.pods if pods_known else None,
        unhealthy=vitals.sick_pods if pods_known else None,
        unhealthy_trend=tuple(float(count) for count in vitals.history) if pods_known else (),
        nodes=vitals.nodes if nodes_known else None,
        pressured=vitals.pressed_nodes if nodes_known else None,
        not_ready=vitals.unready_nodes if nodes_known else None,
        errors_per_minute=float(vitals.warnings_per_minute) if vitals.known("events") else None,
    )


def _title(host: ControlRoom) -> str:
    """The badge is about the console; an exercise that is over, shown by a real one, says so itself."""
    incident = host.journal.incident
    if incident is None:
        return ""
    return (
        f"DRILL · {incident.title}" if incident.drill and not incident.open and host.drill is None else incident.title
    )


def _roles(host: ControlRoom) -> tuple[tuple[str, str], ...]:
    """Who holds which role, in the runbook's order; that nobody leads is said too."""
    incident, response = host.journal.incident, host.response
    if incident is None or response is None:
        return ()
    core = [role for role in response.roles if role.core]
    held = tuple((role.short, incident.roles[role.id]) for role in core if role.id in incident.roles)
    if core and core[0].id not in incident.roles:
        return (("no", core[0].short), *held)
    return held
