"""Resources as Azure's REST API writes them.

Wire forms: Azure/azure-rest-api-specs, Microsoft.Sql (CreateDatabasePITRMode, ServerGet, ReplicationLinkListByDatabase,
ListDatabaseOperations, DatabaseRestorePointsGet) and Microsoft.Insights 2018-03-01 (listMetricAlert,
getMetricAlertStatus).
"""

from __future__ import annotations

import base64
from typing import Any, Final

from drill.azure.database import GB, Database
from drill.azure.estate import Estate
from drill.azure.operations import FRIENDLY, Operation
from drill.azure.part import Alert

Json = dict[str, Any]

_COLLATION: Final = "SQL_Latin1_General_CP1_CI_AS"


def server(estate: Estate) -> Json:
    part = estate.part
    return {
        "kind": "v12.0",
        "properties": {
            "administratorLogin": "platform-admin",
            "version": "12.0",
            "state": "Ready",
            "fullyQualifiedDomainName": f"{part.server}.database.windows.net",
            "privateEndpointConnections": [],
            "minimalTlsVersion": "1.2",
            "publicNetworkAccess": "Enabled",
            "restrictOutboundNetworkAccess": "Disabled",
        },
        "location": part.location,
        "id": estate.server_id,
        "name": part.server,
        "type": "Microsoft.Sql/servers",
    }


def database(estate: Estate, found: Database) -> Json:
    """A database; what is not known of one that is still being made is left out."""
    tier, instants = found.tier.last, estate.instants
    requested = found.requested or tier
    properties: Json = {
        "collation": _COLLATION,
        "maxSizeBytes": found.max_gb * GB,
        "status": found.status,
        "databaseId": found.guid,
        "creationDate": instants.stamp(found.created),
        "currentServiceObjectiveName": tier.objective,
        "requestedServiceObjectiveName": requested.objective,
        "defaultSecondaryLocation": "northeurope",
        "catalogCollation": _COLLATION,
        "zoneRedundant": found.zone_redundant,
        "readScale": "Enabled" if tier.edition in ("Premium", "BusinessCritical") else "Disabled",
        "currentSku": tier.sku,
        "currentBackupStorageRedundancy": "Geo",
        "requestedBackupStorageRedundancy": "Geo",
        "isLedgerOn": False,
        "isInfraEncryptionEnabled": False,
    }
    if found.readable:
        properties["earliestRestoreDate"] = instants.stamp(found.earliest_restore(instants.now))
    vcores = ",vcore" if tier.unit == "vCores" else ""
    body: Json = {
        "sku": tier.sku,
        "kind": f"v12.0,user{vcores}",
        "properties": properties,
        "location": estate.part.location,
        "id": estate.id_of(found),
        "name": found.name,
        "type": "Microsoft.Sql/servers/databases",
    }
    return {**body, "tags": found.tags} if found.tags else body


def master(estate: Estate) -> Json:
    """The server's own database, which every server has."""
    return {
        "sku": {"name": "System", "tier": "System", "capacity": 0},
        "kind": "v12.0,system",
        "properties": {
            "collation": _COLLATION,
            "maxSizeBytes": 32_212_254_720,
            "status": "Online",
            "currentServiceObjectiveName": "System0",
            "requestedServiceObjectiveName": "System0",
            "zoneRedundant": False,
            "readScale": "Disabled",
        },
        "location": estate.part.location,
        "id": f"{estate.server_id}/databases/master",
        "name": "master",
        "type": "Microsoft.Sql/servers/databases",
    }


def usages(estate: Estate, found: Database) -> list[Json]:
    now = estate.instants.now
    used = round(found.used_bytes(now)) if found.readable else 0
    values = (
        ("database_size", "Database Size", used),
        ("database_allocated_size", "Database Allocated Size", round(used * 1.08)),
    )
    return [
        {
            "id": f"{estate.id_of(found)}/usages/{name}",
            "name": name,
            "type": "Microsoft.Sql/servers/databases/usages",
            "properties": {
                "displayName": text,
                "currentValue": float(value),
                "limit": float(found.max_gb * GB),
                "unit": "Bytes",
            },
        }
        for name, text, value in values
    ]


def replication_links(estate: Estate, found: Database) -> list[Json]:
    links = []
    for number, replica in enumerate(found.part.replicas):
        name = f"{found.guid[:-4]}{number:04d}"
        links.append(
            {
                "properties": {
                    "partnerServer": replica.server,
                    "partnerDatabase": found.name,
                    "partnerLocation": replica.location,
                    "role": "Primary",
                    "partnerRole": "Secondary",
                    "replicationMode": "ASYNC",
                    "startTime": estate.instants.stamp(found.created + 3600),
                    "percentComplete": 64 if replica.state == "SEEDING" else 100,
                    "replicationState": replica.state,
                    "isTerminationAllowed": True,
                    "linkType": "GEO",
                },
                "id": f"{estate.id_of(found)}/replicationLinks/{name}",
                "name": name,
                "type": "Microsoft.Sql/servers/databases/replicationLinks",
            }
        )
    return links


def restore_points(estate: Estate, found: Database) -> list[Json]:
    if not found.readable:
        return []
    earliest = found.earliest_restore(estate.instants.now)
    return [
        {
            "id": f"{estate.id_of(found)}/restorePoints/ContinuousRestorePoint",
            "name": "ContinuousRestorePoint",
            "type": "Microsoft.Sql/servers/databases/restorePoints",
            "location": estate.part.location,
            "properties": {
                "restorePointType": "CONTINUOUS",
                "earliestRestoreDate": estate.instants.stamp(earliest),
            },
        }
    ]


def operation(estate: Estate, found: Database, one: Operation) -> Json:
    """An operation in the list of its database."""
    instants = estate.instants
    properties: Json = {
        "databaseName": one.database,
        "operation": one.kind,
        "operationFriendlyName": FRIENDLY[one.kind],
        "percentComplete": one.percent(instants.now),
        "serverName": one.server,
        "startTime": instants.stamp(one.begun),
        "state": one.state,
        "isCancellable": one.cancellable,
    }
    if one.going_on:
        properties["estimatedCompletionTime"] = instants.stamp(one.begun + one.takes)
    if one.error is not None:
        number, text = one.error
        properties |= {"errorCode": number, "errorDescription": text, "errorSeverity": 16, "isUserError": False}
    return {
        "id": f"{estate.id_of(found)}/operations/{one.id}",
        "name": one.id,
        "type": "Microsoft.Sql/servers/databases/operations",
        "properties": properties,
    }


def asked(estate: Estate, one: Operation) -> Json:
    """What the address of ``Azure-AsyncOperation`` answers."""
    body: Json = {"name": one.id, "status": one.asked_state, "startTime": estate.instants.stamp(one.begun)}
    if one.going_on or one.state == "Succeeded":
        body["percentComplete"] = one.percent(estate.instants.now)
    if one.error is not None:
        body["error"] = {"code": str(one.error[0]), "message": one.error[1]}
    elif one.state == "Cancelled":
        body["error"] = {"code": "OperationCancelled", "message": "The operation has been cancelled by user."}
    return body


def alert_id(estate: Estate, alert: Alert) -> str:
    return f"{estate.scope}/providers/microsoft.insights/metricAlerts/{alert.name}"


def alert(estate: Estate, found: Alert) -> Json:
    """The rule."""
    return {
        "id": alert_id(estate, found),
        "name": found.name,
        "type": "Microsoft.Insights/metricAlerts",
        "location": "global",
        "tags": {},
        "properties": {
            "description": found.description,
            "severity": found.severity,
            "enabled": True,
            "scopes": [f"{estate.server_id}/databases/{found.database}"],
            "evaluationFrequency": "PT1M",
            "windowSize": f"PT{found.window.upper()}",
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [
                    {
                        "criterionType": "StaticThresholdCriterion",
                        "name": found.metric,
                        "metricNamespace": "Microsoft.Sql/servers/databases",
                        "metricName": found.metric,
                        "dimensions": [],
                        "operator": "GreaterThan",
                        "threshold": found.threshold,
                        "timeAggregation": "Average",
                    }
                ],
            },
            "autoMitigate": True,
            "actions": [],
        },
    }


def alert_status(estate: Estate, found: Alert) -> Json:
    """Whether it is fired, as of the last minute's look."""
    resource = f"{estate.server_id}/databases/{found.database}"
    looked = estate.instants.wall() // 60 * 60
    return {
        "id": alert_id(estate, found),
        "name": base64.b64encode(f"resourceId={resource}".encode()).decode(),
        "type": "Microsoft.Insights/metricAlerts/status",
        "properties": {
            "dimensions": {"resourceId": resource},
            "status": "Unhealthy" if estate.fired(found) else "Healthy",
            "timestamp": estate.instants.ticks(estate.instants.world(looked)),
        },
    }
