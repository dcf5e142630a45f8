"""A write as it came in: its body decoded from JSON, YAML or protobuf, and checked against the URL it was sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import yaml

from drill import protobuf, statuses
from drill.patches import go_type
from drill.routes import Target

Json = dict[str, Any]

APPLY: Final = ("application/apply-patch+yaml", "application/apply-patch+json")
_JSON_BODIES: Final = ("", "application/json")
_YAML_BODIES: Final = ("application/yaml", *APPLY)
_PATCHES: Final = (
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
)


@dataclass(frozen=True, slots=True)
class Call:
    """A write as it was asked for. ``manager`` is the field manager, by parameter or from the User-Agent."""

    target: Target
    body: bytes
    media: str
    query: Mapping[str, str]
    manager: str

    @property
    def dry(self) -> bool:
        return self.query.get("dryRun") == "All"

    def decoded(self) -> Any:
        """The body. Raises UnsupportedMediaType and BadRequest."""
        if self.media == protobuf.MEDIA:
            return protobuf.decode(self.body)
        if self.media in _JSON_BODIES or self.media in _PATCHES:
            try:
                return msgspec.json.decode(self.body)
            except msgspec.DecodeError as error:
                raise self._unrecognized(f"json parse error: {error}") from None
        if self.media in _YAML_BODIES:
            try:
                return yaml.safe_load(self.body)
            except yaml.YAMLError as error:
                line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
                why = f"yaml: line {line}: {getattr(error, 'problem', None) or 'cannot be read'}"
                if self.media in APPLY:
                    raise statuses.bad_request(f"error decoding YAML: error converting YAML to JSON: {why}") from None
                raise self._unrecognized(why) from None
        raise statuses.unknown_format()

    def _unrecognized(self, why: str) -> statuses.ApiError:
        """400 for a body that is no object."""
        told = f"(must be of type {self.target.kind.kind}): couldn't get version/kind; {why}"
        return statuses.bad_request(f"the object provided is unrecognized {told}")

    def object(self, *, named: bool = True) -> Json:
        """The body as an object of the target's kind, in its place. Raises BadRequest.

        ``named``: an object without a name gets that of the URL.
        """
        if self.media in _PATCHES:
            raise statuses.unknown_format()
        decoded, kind = self.decoded(), self.target.kind
        if not isinstance(decoded, dict):
            raise self._unrecognized(f"json parse error: json: cannot unmarshal {go_type(decoded)} into Go value")
        given = decoded.get("metadata") or {}
        if not isinstance(given, dict):
            raise statuses.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: json: cannot unmarshal '
                f"{go_type(given)} into Go struct field {kind.kind}.metadata of type v1.ObjectMeta"
            )
        obj: Json = {**decoded, "metadata": {**given}}
        self._check_type(obj)
        metadata = obj["metadata"]
        if kind.namespaced:
            if metadata.get("namespace") not in (None, "", self.target.namespace):
                raise statuses.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            metadata["namespace"] = self.target.namespace
        if self.target.name:
            name, wanted = metadata.get("name"), self.target.name
            if name not in (None, "", wanted):
                raise statuses.bad_request(
                    f"the name of the object ({name}) does not match the name on the URL ({wanted})"
                )
            if named:
                metadata["name"] = wanted
        return obj

    def _check_type(self, obj: Json) -> None:
        kind = self.target.kind
        version, name = obj.get("apiVersion") or "", obj.get("kind") or ""
        what = f'{name or kind.kind} in version "{(version or kind.api_version).rpartition("/")[2]}"'
        if kind.custom and not (version and name):
            field = "Kind" if not name else "apiVersion"
            raise statuses.bad_request(
                f"{what} cannot be handled as a {kind.kind}: unmarshalerDecoder: Object '{field}' is missing in "
                f"'{self.body.decode(errors='replace')}'"
            )
        if name and name != kind.kind:
            given, group = (version or "v1").rpartition("/")[2], kind.group.partition(".")[0] or "core"
            raise statuses.bad_request(
                f"{what} cannot be handled as a {kind.kind}: converting ({given}.{name}) to ({group}.{kind.kind}): "
                "unknown conversion"
            )
        if version and version != kind.api_version:
            raise statuses.bad_request(
                f'{what} cannot be handled as a {kind.kind}: no kind "{name or kind.kind}" is registered for version '
                f'"{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
            )

    def configuration(self) -> Json:
        """The body of a server-side apply, which says what it is itself. Raises BadRequest."""
        decoded, kind = self.decoded(), self.target.kind
        if isinstance(decoded, dict):
            version, name = decoded.get("apiVersion") or "", decoded.get("kind") or ""
            if (version, name) != (kind.api_version, kind.kind):
                group = version if "/" in version else f"/{version}"
                raise statuses.bad_request(f"invalid object type: {group}, Kind={name}")
        return self.object()
