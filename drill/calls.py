"""A write as it came in: its body decoded from JSON, YAML or protobuf, and checked against the URL it was sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import yaml

from drill import protobuf, statuses
from drill.routes import Target

Json = dict[str, Any]

APPLY: Final = ("application/apply-patch+yaml", "application/apply-patch+json")
_JSON_BODIES: Final = ("", "application/json")
_YAML_BODIES: Final = ("application/yaml", *APPLY)


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
        if self.media in _YAML_BODIES or self.media.endswith("+json") or self.media in _JSON_BODIES:
            try:
                return msgspec.json.decode(self.body)
            except msgspec.DecodeError as error:
                if self.media not in _YAML_BODIES:
                    raise statuses.bad_request(f"the body is not JSON: {error}") from None
            try:
                return yaml.safe_load(self.body)
            except yaml.YAMLError as error:
                raise statuses.bad_request(f"error decoding YAML: {error}") from None
        raise statuses.unsupported_media_type()

    def object(self) -> Json:
        """The body as an object of the target's kind, in its place. Raises BadRequest."""
        decoded, kind = self.decoded(), self.target.kind
        if not isinstance(decoded, dict):
            raise statuses.bad_request("the object provided is not an object")
        obj: Json = {**decoded, "metadata": {**(decoded.get("metadata") or {})}}
        version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind
        if version != kind.api_version:
            raise statuses.bad_request(
                f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
            )
        if name != kind.kind:
            raise statuses.bad_request(f"the kind in the data ({name}) does not match the expected kind ({kind.kind})")
        metadata = obj["metadata"]
        if kind.namespaced:
            if metadata.get("namespace") not in (None, "", self.target.namespace):
                raise statuses.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            metadata["namespace"] = self.target.namespace
        if self.target.name:
            given, wanted = metadata.get("name"), self.target.name
            if given not in (None, "", wanted):
                raise statuses.bad_request(
                    f"the name of the object ({given}) does not match the name on the URL ({wanted})"
                )
            metadata["name"] = wanted
        return obj
