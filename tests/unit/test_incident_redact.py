"""Secrets are taken out of texts and evidence before they are stored, quickly and whatever surrounds them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.redact import REDACTED, redact, redact_json, smells

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib2IiLCJhZG1pbiI6dHJ1ZX0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75\nabc\n-----END RSA PRIVATE KEY-----"

# (text, what must be gone, what must still be there)
TEXTS = [
    ("Authorization: Bearer abc.def-123456", "abc.def", "Authorization: "),
    ("curl -H 'Authorization: Basic dXNlcjpwYXNz' https://api/health", "dXNlcjpwYXNz", "https://api/health"),
    ('{"authorization":"AWS4-HMAC-SHA256 Credential=x/y, Signature=fe5f80"}', "fe5f80", '"}'),
    ("Cookie: session=c29tZXRoaW5n; theme=dark", "c29tZXRoaW5n", "Cookie: "),
    ("got 401 with bearer sk-abcdef123456 twice", "sk-abcdef123456", "got 401 with bearer"),
    (f"token was {JWT} at login", "eyJzdWIi", "at login"),
    (f"key:\n{PEM}\nend", "MIIEpAIBAAKCAQEA75", "\nend"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQ and then it was cut", "MIIEvQ", REDACTED),
    ("password=hunter2 user=bob", "hunter2", "user=bob"),
    ("Password = 'a b c' for bob", "a b c", "for bob"),
    ('DB_PASSWORD: "s3\\"cr3t" # rotate', "cr3t", "# rotate"),
    ("log: {\\\"password\\\": \\\"hunter2\\\", \\\"user\\\": \\\"bob\\\"}", "hunter2", "bob"),
    ("Server=tcp:sql;Database=Accounts;User ID=app;Password=P@ss w0rd!;Encrypt=True", "P@ss", "Database=Accounts"),
    ("DefaultEndpointsProtocol=https;AccountName=bank;AccountKey=Zm9vYmFy+/w==;EndpointSuffix=x", "Zm9vYmFy", "bank"),
    ("Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey=YWJj+/ZGVm=", "YWJj", "SharedAccessKeyName=Root"),
    ("GET https://api.bank.com/pay?access_token=hunter2hunter2&page=3", "hunter2hunter2", "page=3"),
    ("url: https://api.bank.com/pay?sig=aGVsbG8", "aGVsbG8", "https://api.bank.com/pay?sig="),
    ("https://bank.blob.core.windows.net/c?sv=2024&sig=aGVsbG8%3D&se=2026", "aGVsbG8", "se=2026"),
    ("postgres://app:hunter2@db:5432/accounts timed out", "hunter2", "postgres://app:"),
    ("redis://:hunter2@cache:6379/0", "hunter2", "cache:6379/0"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI", "aws_secret_access_key"),
    ("using AKIAIOSFODNN7EXAMPLE now", "AKIAIOSFODNN7EXAMPLE", "now"),
    ("pushed with ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abc", "pushed with"),
    ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrst is mine", "11ABCDEFG0", "is mine"),
    ("xoxb-123456789012-abcdefGHIJKL leaked", "xoxb-123", "leaked"),
    ("post to https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/abcdefghijkl", "abcdefghijkl", "hooks.slack.com"),
    ("client secret abc8Q~abcdefghijklmnopqrstuvwxyz01234567", "8Q~abcdef", "client secret"),
    ("mysql --user bob --password hunter2 -h db", "hunter2", "-h db"),
    ("helm upgrade --set auth.postgresPassword=hunter2 x", "hunter2", "helm upgrade"),
    ("X-Api-Key: 0123456789abcdef", "0123456789abcdef", "X-Api-Key"),
    ("PGPASSWORD=hunter2 psql", "hunter2", "psql"),
    ("java -Dcom.bank.db.password=hunter2 -jar x.jar", "hunter2", "-jar x.jar"),
    ("<user>bob</user><password>hunter2</password>", "hunter2", "<user>bob</user>"),
    ("{:password => 'hunter2', :user => 'bob'}", "hunter2", "bob"),
]  # fmt: skip

HARMLESS = [
    "payment-service unhealthy, 0 of 3 ready",
    "secretName: db-credentials",
    "tokenExpirationSeconds: 3607",
    "serviceAccountToken path=token",
    "Bearer authentication failed, see runbook",
    "basic health check is fine",
    "14:02 error rate 12%, p95=2.4s, key=value",
    "password policy changed by the security team",
    "image: registry.io/payment-service:1.5.0@sha256:4f0fb39992d6fcd9",
    "https://api.banking-platform.com/health?verbose=true 503",
    "author=bob, authored: today",
    "the monkey: a keyboard: fine",
]


@pytest.mark.parametrize(("text", "gone", "kept"), TEXTS, ids=[text[:24] for text, _, _ in TEXTS])
def test_a_secret_is_gone_and_its_surroundings_stay(text: str, gone: str, kept: str) -> None:
    cleaned = redact(text)
    assert gone not in cleaned
    assert kept in cleaned
    assert REDACTED in cleaned


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


PIECES = st.sampled_from(
    [text for text, _, _ in TEXTS] + HARMLESS + [REDACTED, '"', "'", "\\", "=", ": ", ";", " ", "\n"]
)


@settings(deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=6).map("".join))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@settings(deadline=None)
@given(
    st.sampled_from(["password", "DB_PASSWORD", "apiKey", "x-api-key", "client_secret", "AccountKey", "PGPASSWORD"]),
    st.sampled_from(["=", ": ", " = ", '="', "='"]),
    st.text(alphabet="abcXYZ019+/_-.!@#%^*()", min_size=4, max_size=40),
)
def test_any_value_of_a_name_that_smells_is_gone(name: str, between: str, value: str) -> None:
    assert value not in redact(f"at 14:02 {name}{between}{value}").replace(name, "")


def test_names_are_judged_by_their_words() -> None:
    for name in ("password", "DB_PASSWORD", "apiKey", "x-api-key", "authToken", "TLS_PRIVATE_KEY", "SMTP_PASS", "sig"):
        assert smells(name), name
    for name in ("secretName", "passwordPolicy", "tokenExpirationSeconds", "key", "author", "passage", "compass", ""):
        assert not smells(name), name


def test_a_kubernetes_secret_keeps_its_keys_and_loses_its_values() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "db", "labels": {"app": "payment"}},
        "type": "Opaque",
        "data": {"username": "Ym9i", "password": "aHVudGVyMg=="},
        "stringData": {"url": "postgres://x"},
    }
    assert redact_json({"items": [secret]}) == {
        "items": [
            {
                "kind": "Secret",
                "metadata": {"name": "db", "labels": {"app": "payment"}},
                "type": "Opaque",
                "data": {"username": REDACTED, "password": REDACTED},
                "stringData": {"url": REDACTED},
            }
        ]
    }


def test_a_pods_variables_options_and_annotations_are_cleaned_and_the_rest_stays() -> None:
    applied = json.dumps({"spec": {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}})
    pod: dict[str, Any] = {
        "kind": "Pod",
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
        "spec": {
            "containers": [
                {
                    "env": [
                        {"name": "DB_PASSWORD", "value": "hunter2"},
                        {"name": "LOG_LEVEL", "value": "debug"},
                        {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}},
                    ],
                    "args": ["--user", "bob", "--password", "hunter2", "--token=hunter2"],
                }
            ],
            "volumes": [
                {"name": "db", "secret": {"secretName": "db", "defaultMode": 420}},
                {"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}},
            ],
        },
    }
    before = json.dumps(pod)
    cleaned = redact_json(pod)
    assert "hunter2" not in json.dumps(cleaned)
    container = cleaned["spec"]["containers"][0]
    assert container["env"][1:] == pod["spec"]["containers"][0]["env"][1:]
    assert container["args"][:4] == ["--user", "bob", "--password", REDACTED]
    assert cleaned["spec"]["volumes"] == pod["spec"]["volumes"]
    assert json.dumps(pod) == before, "what was handed in is not changed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | PIECES | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["kind", "data", "name", "value", "password", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_redacting_json_twice_is_redacting_it_once(value: Any) -> None:
    once = redact_json(value)
    assert redact_json(once) == once


@settings(deadline=None)
@given(JSON)
def test_redacted_json_is_json_of_the_same_shape(value: Any) -> None:
    cleaned = redact_json(value)
    assert type(cleaned) is type(value)
    if isinstance(value, dict | list):
        assert len(cleaned) == len(value)


MUCH = 300_000  # characters
HARD = [
    "a", "a.", "=", "'", "\\", "{", "[", '{"a":', "-", "<a>", "eyJ", "-eyJ", "eyJabcde.", "password", "password=",
    'password="', 'password:\\"', "--password ", "password password\n", "password>", "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "://", "://a:", "://a:b", "bearer ", "basic a", "authorization:", "key: ", "AKIA", "xoxb-", "8Q~", "ghp_",
    "token ", "aA1_",
]  # fmt: skip


def cost(text: str) -> float:
    """Processor seconds."""
    began = time.thread_time()
    redact(text)
    redact_json(text)
    return time.thread_time() - began


def grows_evenly(text: str) -> bool:
    """Whether ten times as much takes about ten times as long; if it were quadratic, it would be a hundred times.

    Seen once it is true: a busy machine may be slow now and then, a slow pattern is slow every time.
    """
    return any(cost(text) < 30 * cost(text[: len(text) // 10]) + 0.02 for _ in range(5))


@pytest.mark.parametrize("piece", HARD)
def test_ten_times_as_much_of_anything_takes_about_ten_times_as_long(piece: str) -> None:
    text = (piece * (MUCH // len(piece) + 1))[:MUCH]

    assert grows_evenly(text)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(HARD), min_size=2, max_size=4, unique=True))
def test_no_mixture_is_slow_either(pieces: list[str]) -> None:
    text = "".join(pieces) * (100_000 // sum(map(len, pieces)))

    assert grows_evenly(text)
