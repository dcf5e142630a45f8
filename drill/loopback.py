"""A small client for the platform's own API, for commands of the drill: blocking, on loopback, and of no other server.

`connect` refuses whatever does not say of itself that it is a drill's platform, before anything else is asked of it.
What connecting needs is imported then: helm's stand-in is started most often to say its version.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

Json = dict[str, Any]

MARK_PATH: Final = "/warroom-drill"
"""Where a platform says that it is one. A real API server knows no such path."""
MARK: Final = {"kind": "WarroomDrill", "simulated": True}

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_TIMEOUT: Final = 10.0  # seconds


class NotADrill(Exception):
    """It is another server, or none at all."""


class Refused(Exception):
    """The platform answered with an error; ``code`` is its HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Loopback:
    """The platform, as one user. ``namespace`` is the context's."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext, token: str, namespace: str) -> None:
        self.namespace = namespace
        self._host, self._port, self._trust, self._token = host, port, trust, token

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        media: str = "application/json",
    ) -> Json:
        """One request, its answer as JSON. Raises `Refused`, OSError."""
        import http.client

        connection = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT, context=self._trust)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": media, "User-Agent": "Helm/drill"}
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"the platform does not answer: {error!r}") from error
        finally:
            connection.close()
        try:
            found = json.loads(text)
        except ValueError:
            found = {"message": text.decode("utf-8", "replace").strip()}
        if answer.status >= 300:
            raise Refused(answer.status, str(found.get("message") or answer.reason))
        return dict(found)


def connect(kubeconfig: str = "", context: str = "") -> Loopback:
    """The platform that a kubeconfig (default: KUBECONFIG) names. Raises `NotADrill`."""
    import ssl

    import yaml

    path = Path(kubeconfig or os.environ.get("KUBECONFIG", ""))
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        entry = _named(config["contexts"], context or config["current-context"])["context"]
        cluster = _named(config["clusters"], entry["cluster"])["cluster"]
        user = _named(config["users"], entry["user"])["user"]
        server = urlsplit(cluster["server"])
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        token = str(user["token"])
        port = server.port
    except (OSError, ValueError, KeyError, TypeError, StopIteration, yaml.YAMLError) as error:
        raise NotADrill(f"{path} is not a drill's kubeconfig ({type(error).__name__})") from error
    if server.scheme != "https" or server.hostname not in _LOOPBACK or port is None:
        raise NotADrill(f"{cluster['server']} is not on this machine")
    trust = ssl.create_default_context(cadata=authority)
    platform = Loopback(str(server.hostname), port, trust, token, str(entry.get("namespace") or "default"))
    try:
        mark = platform.call("GET", MARK_PATH)
    except (Refused, OSError) as error:
        raise NotADrill(f"{cluster['server']} does not say that it is a drill's platform: {error}") from error
    if mark != MARK:
        raise NotADrill(f"{cluster['server']} does not say that it is a drill's platform")
    return platform


def _named(entries: list[Json], name: str) -> Json:
    return next(entry for entry in entries if entry.get("name") == name)
