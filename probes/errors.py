"""Why a probe cannot look. Every message tells a tired person what happened and what to do next.

ProbeError
├── ConfigError        the kubeconfig or a setting is missing or wrong; nothing was sent
│   ├── NoKubeconfig
│   └── NoSuchContext
├── Unreachable        no answer: refused, unresolvable, timed out, TLS failure
├── LoginExpired       401: log in again
├── CredentialFailed   the exec plugin failed or answered nonsense; nothing was sent
├── Forbidden          403; names verb, resource and namespace
├── NotFound           404: the object, the namespace or the API group
├── Gone               410: the resourceVersion or continue token expired; list again
└── BadAnswer          anything else that the server said, or an answer that cannot be decoded
"""

from __future__ import annotations


class ProbeError(Exception):
    """The base. ``str(error)`` is one clear sentence; ``hint`` says what to do, or is empty."""

    def __init__(
        self, message: str, hint: str = "", *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status
        self.retry_after = retry_after  # seconds the server asks to be left alone, None if it did not say


class ConfigError(ProbeError):
    """A file that says where to look is missing or wrong."""


class NoKubeconfig(ConfigError):
    """There is no kubeconfig where one was expected."""


class NoSuchContext(ConfigError):
    """The kubeconfig has no context of that name."""


class Unreachable(ProbeError):
    """The server did not answer in time, or not at all."""


class LoginExpired(ProbeError):
    """The server does not accept the credential (any more)."""


class CredentialFailed(ProbeError):
    """The credential plugin failed; the request was not sent anonymously instead."""


class Forbidden(ProbeError):
    """The server knows who asks and refuses."""


class NotFound(ProbeError):
    """The object, its namespace or its API group is not there."""


class Gone(ProbeError):
    """The history that was asked for is compacted away; list again."""


class BadAnswer(ProbeError):
    """The server answered something unexpected."""
