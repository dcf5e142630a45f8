"""What each address of Resource Manager answers: one function for each, and the table that leads to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from drill.azure import activity, bodies, errors
from drill.azure.activity import bodies as event_bodies
from drill.azure.changes import Changes, Request
from drill.azure.database import Database
from drill.azure.errors import ArmError
from drill.azure.estate import Estate
from drill.azure.operations import Operation

Json = dict[str, Any]

_POLL: Final = 15.0  # seconds of the world that Azure asks a client to wait between two looks


class Call(Struct, frozen=True):
    """One request: what its path names, its query with lower-case names, its body, and where the server is."""

    names: Mapping[str, str]
    path: str
    query: Mapping[str, str]
    body: Json
    request: Request
    base: str


class Answer(Struct, frozen=True):
    status: int = 200
    body: Json | None = None
    headers: Mapping[str, str] = {}


class Route(Struct, frozen=True):
    """A method and a path, and the action that somebody must be allowed to do there."""

    method: str
    path: tuple[str, ...]  # the segments, in lower case; one in braces is a name
    action: str
    handle: Callable[[Handlers, Call], Answer]

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The names in a path, or None if it is another's. Azure does not heed case."""
        if len(segments) != len(self.path):
            return None
        names: dict[str, str] = {}
        for wanted, segment in zip(self.path, segments, strict=True):
            if wanted.startswith("{"):
                names[wanted[1:-1]] = segment
            elif wanted != segment.lower():
                return None
        return names if all(names.values()) else None


class Handlers:
    """Answers for one estate."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.changes = Changes(estate)

    # The subscription

    def subscription(self, call: Call) -> Answer:
        part = self.estate.part
        return Answer(
            body={
                "id": f"/subscriptions/{part.subscription}",
                "subscriptionId": part.subscription,
                "tenantId": part.tenant,
                "displayName": "drill",
                "state": "Enabled",
            }
        )

    def groups(self, call: Call) -> Answer:
        return Answer(body={"value": [self._group()]})

    def group(self, call: Call) -> Answer:
        return Answer(body=self._group())

    def _group(self) -> Json:
        part = self.estate.part
        properties = {"provisioningState": "Succeeded"}
        kind = "Microsoft.Resources/resourceGroups"
        return {
            "id": self.estate.scope,
            "name": part.group,
            "type": kind,
            "location": part.location,
            "properties": properties,
        }

    def permissions(self, call: Call) -> Answer:
        """What the token's owner may do at a scope: everything but what the faults forbid."""
        forbidden = sorted(self.estate.faults.forbidden)
        entry = {"actions": ["*"], "notActions": forbidden, "dataActions": [], "notDataActions": []}
        return Answer(body={"value": [entry]})

    # SQL: looking

    def servers(self, call: Call) -> Answer:
        return Answer(body={"value": [bodies.server(self.estate)]})

    def server(self, call: Call) -> Answer:
        return Answer(body=bodies.server(self.estate))

    def databases(self, call: Call) -> Answer:
        found = [bodies.master(self.estate), *(bodies.database(self.estate, one) for one in self.estate.databases)]
        found.sort(key=lambda body: str(body["name"]).lower())
        return Answer(body=self._pages(call, found))

    def database(self, call: Call) -> Answer:
        if call.names["database"].lower() == "master":
            return Answer(body=bodies.master(self.estate))
        return Answer(body=bodies.database(self.estate, self._database(call)))

    def usages(self, call: Call) -> Answer:
        return Answer(body={"value": bodies.usages(self.estate, self._database(call))})

    def replication_links(self, call: Call) -> Answer:
        return Answer(body={"value": bodies.replication_links(self.estate, self._database(call))})

    def restore_points(self, call: Call) -> Answer:
        return Answer(body={"value": bodies.restore_points(self.estate, self._database(call))})

    def dropped(self, call: Call) -> Answer:
        return Answer(body={"value": []})

    def operations(self, call: Call) -> Answer:
        found = self._database(call)
        return Answer(body={"value": [bodies.operation(self.estate, found, one) for one in found.operations]})

    # SQL: changing

    def put(self, call: Call) -> Answer:
        return self._begun(call, self.changes.put(call.names["database"], call.body, call.request))

    def patch(self, call: Call) -> Answer:
        return self._begun(call, self.changes.patch(call.names["database"], call.body, call.request))

    def delete(self, call: Call) -> Answer:
        begun = self.changes.delete(call.names["database"], call.request)
        return Answer(204) if begun is None else self._begun(call, begun)

    def cancel(self, call: Call) -> Answer:
        self.changes.cancel(call.names["database"], call.names["operation"], call.request)
        return Answer(200)

    def asked(self, call: Call) -> Answer:
        """The address of ``Azure-AsyncOperation``."""
        operation = self._operation(call)
        return Answer(body=bodies.asked(self.estate, operation), headers=self._wait(operation))

    def result(self, call: Call) -> Answer:
        """The address of ``Location``: 202 until it has ended, then the database."""
        operation = self._operation(call)
        if operation.going_on:
            return Answer(202, self._told(operation), self._links(call, operation))
        if operation.state != "Succeeded":
            asked = bodies.asked(self.estate, operation)
            raise ArmError(409, asked["error"]["code"], asked["error"]["message"])
        found = self.estate.find(operation.database)
        return Answer(204) if found is None else Answer(body=bodies.database(self.estate, found))

    # Monitor

    def activity(self, call: Call) -> Answer:
        estate = self.estate
        wanted = activity.parse(call.query.get("$filter", ""), estate.instants)
        token = call.query.get("$skiptoken", "")
        page = estate.log.page(wanted, token, estate.faults.page_size)
        body: Json = {"value": event_bodies(estate.log, page.events, call.query.get("$select", ""))}
        following = page.token
        if following and estate.faults.repeated_pages > 0:
            estate.faults.repeated_pages -= 1
            following = token or activity.FIRST
        if following:
            body["nextLink"] = self._next(call, following)
        return Answer(body=body)

    def metrics(self, call: Call) -> Answer:
        found = self._database(call)
        resource = self.estate.id_of(found)
        return Answer(body=self.estate.metrics.answer(found, resource, dict(call.query), self.estate.part.location))

    def metric_definitions(self, call: Call) -> Answer:
        return Answer(body=self.estate.metrics.definitions(self.estate.id_of(self._database(call))))

    def alerts(self, call: Call) -> Answer:
        return Answer(body={"value": [bodies.alert(self.estate, found) for found in self.estate.part.alerts]})

    def alert(self, call: Call) -> Answer:
        found = [alert for alert in self.estate.part.alerts if alert.name.lower() == call.names["rule"].lower()]
        if not found:
            raise self._no_alert(call)
        return Answer(body=bodies.alert(self.estate, found[0]))

    def alert_status(self, call: Call) -> Answer:
        found = [alert for alert in self.estate.part.alerts if alert.name.lower() == call.names["rule"].lower()]
        if not found:
            raise self._no_alert(call)
        return Answer(body={"value": [bodies.alert_status(self.estate, found[0])]})

    def _no_alert(self, call: Call) -> ArmError:
        return errors.no_resource(f"microsoft.insights/metricAlerts/{call.names['rule']}", self.estate.part.group)

    # Pieces

    def _database(self, call: Call) -> Database:
        return self.estate.database(call.names["database"])

    def _operation(self, call: Call) -> Operation:
        found = self.estate.operations.get(call.names["operation"].lower())
        if found is None:
            raise ArmError(
                404, "OperationIdNotFound", f"The operation with Id {call.names['operation']} does not exist."
            )
        return found

    def _begun(self, call: Call, outcome: Operation | Database) -> Answer:
        if isinstance(outcome, Database):
            return Answer(body=bodies.database(self.estate, outcome))
        return Answer(202, self._told(outcome), self._links(call, outcome))

    def _told(self, operation: Operation) -> Json:
        return {"operation": operation.kind, "startTime": self.estate.instants.stamp(operation.begun)}

    def _links(self, call: Call, operation: Operation) -> dict[str, str]:
        place = f"{call.base}{self.estate.scope}/providers/Microsoft.Sql/locations/{self.estate.part.location}"
        restoring = "Restore" if operation.kind == "RestoreLogicalDatabase" else ""
        version = quote(call.query.get("api-version", ""))
        return {
            "Azure-AsyncOperation": f"{place}/database{restoring}AzureAsyncOperation/{operation.id}"
            f"?api-version={version}",
            "Location": f"{place}/databaseOperationResults/{operation.id}?api-version={version}",
            **self._wait(operation),
        }

    def _wait(self, operation: Operation) -> dict[str, str]:
        if not operation.going_on:
            return {}
        return {"Retry-After": str(max(1, round(_POLL / self.estate.clock.speed)))}

    def _pages(self, call: Call, found: Sequence[Json]) -> Json:
        size, token = self.estate.faults.page_size, call.query.get("$skiptoken", "0")
        first = int(token) if token.isdigit() else 0
        body: Json = {"value": list(found[first : first + size])}
        if first + size < len(found):
            body["nextLink"] = self._next(call, str(first + size))
        return body

    def _next(self, call: Call, token: str) -> str:
        query = {**call.query, "$skiptoken": token}
        joined = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query.items())
        return f"{call.base}{quote(call.path)}?{joined}"


def _route(method: str, path: str, action: str, handle: Callable[[Handlers, Call], Answer]) -> Route:
    return Route(method, tuple(path.lower().split("/")), action, handle)


_SUBSCRIPTION: Final = "/subscriptions/{subscription}"
_GROUP: Final = _SUBSCRIPTION + "/resourceGroups/{group}"
_SERVER: Final = _GROUP + "/providers/Microsoft.Sql/servers/{server}"
_DATABASE: Final = _SERVER + "/databases/{database}"
_INSIGHTS: Final = "/providers/Microsoft.Insights"
_LOCATION: Final = "/providers/Microsoft.Sql/locations/{location}"
_SQL: Final = "Microsoft.Sql/servers/databases"

ROUTES: Final = (
    _route("GET", _SUBSCRIPTION, "Microsoft.Resources/subscriptions/read", Handlers.subscription),
    _route("GET", _SUBSCRIPTION + "/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read",
           Handlers.groups),
    _route("GET", _GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read", Handlers.group),
    _route("GET", _SUBSCRIPTION + "/providers/Microsoft.Authorization/permissions", "", Handlers.permissions),
    _route("GET", _GROUP + "/providers/Microsoft.Authorization/permissions", "", Handlers.permissions),
    _route("GET", _SERVER + "/providers/Microsoft.Authorization/permissions", "", Handlers.permissions),
    _route("GET", _DATABASE + "/providers/Microsoft.Authorization/permissions", "", Handlers.permissions),
    _route("GET", _SUBSCRIPTION + _INSIGHTS + "/eventtypes/management/values",
           "Microsoft.Insights/eventtypes/values/read", Handlers.activity),
    _route("GET", _DATABASE + _INSIGHTS + "/metrics", "Microsoft.Insights/metrics/read", Handlers.metrics),
    _route("GET", _DATABASE + _INSIGHTS + "/metricDefinitions", "Microsoft.Insights/metricDefinitions/read",
           Handlers.metric_definitions),
    _route("GET", _SUBSCRIPTION + _INSIGHTS + "/metricAlerts", "Microsoft.Insights/metricAlerts/read", Handlers.alerts),
    _route("GET", _GROUP + _INSIGHTS + "/metricAlerts", "Microsoft.Insights/metricAlerts/read", Handlers.alerts),
    _route("GET", _GROUP + _INSIGHTS + "/metricAlerts/{rule}", "Microsoft.Insights/metricAlerts/read", Handlers.alert),
    _route("GET", _GROUP + _INSIGHTS + "/metricAlerts/{rule}/status", "Microsoft.Insights/metricAlerts/status/read",
           Handlers.alert_status),
    _route("GET", _GROUP + _INSIGHTS + "/metricAlerts/{rule}/status/{status}",
           "Microsoft.Insights/metricAlerts/status/read", Handlers.alert_status),
    _route("GET", _SUBSCRIPTION + "/providers/Microsoft.Sql/servers", "Microsoft.Sql/servers/read", Handlers.servers),
    _route("GET", _GROUP + "/providers/Microsoft.Sql/servers", "Microsoft.Sql/servers/read", Handlers.servers),
    _route("GET", _SERVER, "Microsoft.Sql/servers/read", Handlers.server),
    _route("GET", _SERVER + "/restorableDroppedDatabases", "Microsoft.Sql/servers/restorableDroppedDatabases/read",
           Handlers.dropped),
    _route("GET", _SERVER + "/databases", f"{_SQL}/read", Handlers.databases),
    _route("GET", _DATABASE, f"{_SQL}/read", Handlers.database),
    _route("PUT", _DATABASE, f"{_SQL}/write", Handlers.put),
    _route("PATCH", _DATABASE, f"{_SQL}/write", Handlers.patch),
    _route("DELETE", _DATABASE, f"{_SQL}/delete", Handlers.delete),
    _route("GET", _DATABASE + "/usages", f"{_SQL}/usages/read", Handlers.usages),
    _route("GET", _DATABASE + "/replicationLinks", f"{_SQL}/replicationLinks/read", Handlers.replication_links),
    _route("GET", _DATABASE + "/restorePoints", f"{_SQL}/restorePoints/read", Handlers.restore_points),
    _route("GET", _DATABASE + "/operations", f"{_SQL}/operations/read", Handlers.operations),
    _route("POST", _DATABASE + "/operations/{operation}/cancel", f"{_SQL}/operations/cancel/action", Handlers.cancel),
    _route("GET", _GROUP + _LOCATION + "/databaseAzureAsyncOperation/{operation}",
           "Microsoft.Sql/locations/databaseAzureAsyncOperation/read", Handlers.asked),
    _route("GET", _GROUP + _LOCATION + "/databaseRestoreAzureAsyncOperation/{operation}",
           "Microsoft.Sql/locations/databaseRestoreAzureAsyncOperation/read", Handlers.asked),
    _route("GET", _GROUP + _LOCATION + "/databaseOperationResults/{operation}",
           "Microsoft.Sql/locations/databaseOperationResults/read", Handlers.result),
)  # fmt: skip
