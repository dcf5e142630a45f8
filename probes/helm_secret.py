"""What Helm keeps in the Secret of one release revision, decoded without trusting a byte of it.

Helm 3 and Helm 4 store the same shape: ``data.release`` is the API's base64 over Helm's base64 over gzip
(optional, older drivers skipped it) over JSON. See ``pkg/storage/driver/util.go`` in helm/helm.
"""

from __future__ import annotations

import binascii
import re
import zlib
from base64 import b64decode
from datetime import datetime

import msgspec
from msgspec import Struct

from probes.errors import BadAnswer

# A Secret holds at most 1 MiB, so an honest release is a few MiB of JSON; what inflates further is a bomb.
INFLATED_LIMIT = 32 * 1024 * 1024
TEXT_LIMIT = 1024  # characters of a description or a version that a row keeps

_GZIP_MAGIC = b"\x1f\x8b\x08"
_ROLLBACK = re.compile(r"Rollback to ([0-9]{1,9})(?: \(.*\))?")  # in brackets: who did it, if we did


class ChartMetadata(Struct, frozen=True, gc=False, rename="camel"):
    name: str | None = None
    version: str | None = None
    app_version: str | None = None


class Chart(Struct, frozen=True):
    metadata: ChartMetadata | None = None


class Info(Struct, frozen=True, gc=False):
    """``status`` is Helm's word (deployed, failed, pending-upgrade …); the times are RFC 3339 or empty."""

    status: str | None = None
    description: str | None = None
    first_deployed: str | None = None
    last_deployed: str | None = None
    rollback_revision: int | None = None  # not yet written by any Helm; they say it in the description


class LastRun(Struct, frozen=True, gc=False):
    phase: str | None = None  # Succeeded, Failed, Running, Unknown, or empty: it never ran
    started_at: str | None = None


class Hook(Struct, frozen=True):
    """Something that Helm runs beside the manifest. ``events``: pre-upgrade, post-rollback …"""

    name: str = ""
    kind: str = ""
    events: tuple[str, ...] | None = None
    last_run: LastRun | None = None


class StoredRelease(Struct, frozen=True):
    """One decoded revision. ``manifest`` is empty unless it was asked for: it can be hundreds of KB.

    So are ``hooks`` and ``apply_method``, which is ``ssa`` where Helm 4 applies on the server's side.
    """

    name: str
    version: int
    namespace: str = ""
    info: Info | None = None
    chart: Chart | None = None

    manifest: str = ""
    hooks: tuple[Hook, ...] | None = None
    apply_method: str | None = None

    @property
    def status(self) -> str:
        return _short(self.info.status) if self.info else ""

    @property
    def description(self) -> str:
        return _short(self.info.description) if self.info else ""

    @property
    def last_deployed(self) -> float | None:
        """Seconds since the epoch, or None when Helm wrote none."""
        return instant(self.info.last_deployed) if self.info else None

    @property
    def first_deployed(self) -> float | None:
        return instant(self.info.first_deployed) if self.info else None

    @property
    def rollback_to(self) -> int | None:
        """The revision this one rolled back to, or None when it was no rollback."""
        if self.info is None:
            return None
        if self.info.rollback_revision:
            return self.info.rollback_revision
        # Helm 3 tells only in words.
        words = _ROLLBACK.fullmatch(self.info.description or "")
        return int(words[1]) if words else None

    @property
    def chart_name(self) -> str:
        return _short(self.chart.metadata.name) if self.chart and self.chart.metadata else ""

    @property
    def chart_version(self) -> str:
        return _short(self.chart.metadata.version) if self.chart and self.chart.metadata else ""

    @property
    def app_version(self) -> str:
        return _short(self.chart.metadata.app_version) if self.chart and self.chart.metadata else ""


class _Brief(Struct):
    """The same without the manifest, so that the decoder skips it instead of building the string."""

    name: str
    version: int
    namespace: str = ""
    info: Info | None = None
    chart: Chart | None = None


class _SecretData(Struct):
    release: str | None = None


class _Secret(Struct):
    data: _SecretData | None = None


_secret = msgspec.json.Decoder(_Secret)
_full = msgspec.json.Decoder(StoredRelease)
_brief = msgspec.json.Decoder(_Brief)


def decode_secret(body: bytes, *, manifest: bool = False) -> StoredRelease:
    """Decode the JSON of a whole Secret, as the API returns it.

    Raises:
        BadAnswer: it is no Helm release, or it is damaged; the sentence says at which layer.
    """
    try:
        secret = _secret.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"the Secret is not readable: {_short(str(error))}") from error
    if secret.data is None or not secret.data.release:
        raise BadAnswer("the Secret has no key release: Helm did not write it")
    return decode_release(secret.data.release, manifest=manifest)


def decode_release(field: str | bytes, *, manifest: bool = False) -> StoredRelease:
    """Decode ``data.release`` as it stands in the Secret's JSON (still under the API's base64).

    Raises:
        BadAnswer: damaged, larger than `INFLATED_LIMIT` once unpacked, or not a release.
    """
    try:
        packed = b64decode(b64decode(field, validate=True), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadAnswer("the release is damaged: not base64 over base64") from error
    text = _inflate(packed) if packed.startswith(_GZIP_MAGIC) else packed
    try:
        if manifest:
            return _full.decode(text)
        brief = _brief.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"the release is damaged: {_short(str(error))}") from error
    return StoredRelease(brief.name, brief.version, brief.namespace, brief.info, brief.chart)


def instant(text: str | None) -> float | None:
    """RFC 3339 to seconds since the epoch; None for what is empty, Go's zero time, or no time at all."""
    if not text or text.startswith("0001-"):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Helm always writes an offset. A time without one cannot be placed, so it is not guessed.
    return moment.timestamp() if moment.tzinfo else None


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        text = inflater.decompress(packed, INFLATED_LIMIT)
    except zlib.error as error:
        raise BadAnswer("the release is damaged: its gzip data is broken") from error
    if inflater.unconsumed_tail:
        raise BadAnswer(f"the release is refused: it unpacks to more than {INFLATED_LIMIT // 1024 // 1024} MiB")
    if not inflater.eof:
        raise BadAnswer("the release is damaged: its gzip data breaks off")
    return text


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
