"""Credentials: tokens, plugins that must not fail silently, certificates that must not linger; on loopback."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from probes.cluster import Cluster
from probes.errors import ConfigError, CredentialFailed, LoginExpired, Unreachable
from probes.exec_plugin import run_plugin
from tests.unit.api_server import TOKEN, ApiServer, api_server, connected, raised


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        yield running


def plugin(directory: Path, script: str, **more: Any) -> dict[str, Any]:
    """A kubeconfig user whose credential comes from a script beside the kubeconfig."""
    path = directory / "login-plugin"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o700)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login-plugin", **more}}


def credential(token: str, lives: float | None = None) -> str:
    """Python source that prints an ExecCredential."""
    answer: dict[str, Any] = {"token": token}
    if lives is not None:
        expiry = datetime.datetime.fromtimestamp(time.time() + lives, datetime.UTC)
        answer["expirationTimestamp"] = expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": answer}
    return f"print({json.dumps(body)!r})\n"


def alive(pid: int) -> bool:
    """Whether it runs: who has ended and was not waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---------------------------------------------------------------- credentials


async def test_an_expired_token_means_log_in_again(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        server.tokens.clear()
        error = await raised(cluster.version())
        assert isinstance(error, LoginExpired)
        assert "(401)" in str(error)
        assert "renew the credential of user 'me'" in error.hint


async def test_a_new_token_in_the_kubeconfig_is_picked_up_on_401(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        server.tokens = {"fresh"}
        server.kubeconfig(tmp_path, {"token": "fresh"})
        assert await cluster.version() == "v1.36.2"
    assert server.authorizations == [f"Bearer {TOKEN}", "Bearer fresh"]


async def test_a_token_file_is_read_again_on_401(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    async with connected(server, tmp_path, {"tokenFile": "token"}) as cluster:
        await cluster.version()
        server.tokens = {"rotated"}
        (tmp_path / "token").write_text("rotated")
        await cluster.version()
    assert server.authorizations[-1] == "Bearer rotated"


async def test_user_and_password_are_sent_as_basic(server: ApiServer, tmp_path: Path) -> None:
    server.tokens = {"Basic " + base64.b64encode(b"ada:pw").decode()}
    async with connected(server, tmp_path, {"username": "ada", "password": "pw"}) as cluster:
        assert await cluster.version() == "v1.36.2"


async def test_a_plugin_gives_the_token_and_has_no_terminal(server: ApiServer, tmp_path: Path) -> None:
    script = (
        "import json, os, sys\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "assert info['spec']['interactive'] is False and sys.stdin.read() == ''\n"
        "assert os.environ['EXTRA'] == 'yes' and sys.argv[1:] == ['get-token']\n"
        "try:\n    open('/dev/tty')\nexcept OSError:\n    pass\nelse:\n    sys.exit('there is a terminal')\n"
    )
    user = plugin(tmp_path, script + credential(TOKEN), args=["get-token"], env=[{"name": "EXTRA", "value": "yes"}])
    async with connected(server, tmp_path, user) as cluster:
        assert await cluster.version() == "v1.36.2"


async def test_a_failing_plugin_is_told_redacted_and_nothing_is_sent(server: ApiServer, tmp_path: Path) -> None:
    script = "import sys\nsys.exit('AADSTS700082: expired\\nBearer abcdefghijkl eyJhbGciOiJSUzI1NiJ9.e30.c2ln')\n"
    path = server.kubeconfig(tmp_path, plugin(tmp_path, script))
    error = await raised(Cluster.connect(path))
    assert isinstance(error, CredentialFailed)
    assert str(error) == (
        "the credential plugin login-plugin failed (exit status 1): AADSTS700082: expired Bearer [redacted] [redacted]"
    )
    assert server.requests == []


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("print('hello')", "did not answer an ExecCredential"),
        ("print('[]')", "did not answer an ExecCredential"),
        (credential("").replace("token", "nothing"), "gave neither a token nor a certificate"),
        (credential(TOKEN).replace("/v1", "/v1beta1"), "answered client.authentication.k8s.io/v1beta1"),
    ],
)
async def test_a_plugin_that_answers_nonsense_is_told(
    server: ApiServer, tmp_path: Path, script: str, sentence: str
) -> None:
    error = await raised(Cluster.connect(server.kubeconfig(tmp_path, plugin(tmp_path, script))))
    assert isinstance(error, CredentialFailed)
    assert sentence in str(error)


async def test_a_plugin_that_is_missing_says_how_to_install_it(server: ApiServer, tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "v1", "command": "no-such-kubelogin", "installHint": "brew install\n kubelogin"}}
    error = await raised(Cluster.connect(server.kubeconfig(tmp_path, user)))
    assert isinstance(error, CredentialFailed)
    assert "cannot be started" in str(error)
    assert error.hint == "brew install kubelogin"


async def test_a_plugin_that_hangs_is_ended_with_all_its_children(server: ApiServer, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"#!/bin/sh\nsleep 600 &\necho $! > {pid}\nwait\n"
    (tmp_path / "login-plugin").write_text(script)
    (tmp_path / "login-plugin").chmod(0o700)
    limit = 0.5
    while not (pid.exists() and pid.read_text()):  # on a slow machine it may not get so far: then it has longer
        error = await raised(run_plugin({"command": "./login-plugin"}, {}, str(tmp_path), limit=limit))
        assert isinstance(error, CredentialFailed)
        assert f"did not answer within {limit:g} s" in str(error)
        limit *= 2
    async with asyncio.timeout(60):
        while alive(int(pid.read_text())):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_plugins_token_is_renewed_before_it_expires(server: ApiServer, tmp_path: Path) -> None:
    counter = f"p = {str(tmp_path / 'n')!r}\nopen(p, 'a').write('x')\n"
    user = plugin(tmp_path, counter + credential(TOKEN, lives=5))
    async with connected(server, tmp_path, user) as cluster:
        await cluster.version()
        assert (tmp_path / "n").read_text() == "xx"  # within its last half minute it is asked for again …
        await cluster.version()
        assert (tmp_path / "n").read_text() == "xx"  # … but not with every request


async def test_a_refused_plugin_token_is_renewed_once_for_all_who_ask(server: ApiServer, tmp_path: Path) -> None:
    counter = f"p = {str(tmp_path / 'n')!r}\nopen(p, 'a').write('x')\n"
    user = plugin(tmp_path, counter + credential("old"))
    async with connected(server, tmp_path, user) as cluster:
        plugin(tmp_path, counter + credential(TOKEN))
        versions = await asyncio.gather(*(cluster.version() for _ in range(8)))
        assert set(versions) == {"v1.36.2"}
    assert (tmp_path / "n").read_text() == "xx"


async def test_a_login_that_stays_expired_names_the_command(server: ApiServer, tmp_path: Path) -> None:
    user = plugin(tmp_path, credential("old"))
    (tmp_path / "login-plugin").rename(tmp_path / "kubelogin")
    user["exec"]["command"] = "./kubelogin"
    async with connected(server, tmp_path, user) as cluster:
        error = await raised(cluster.version())
        assert isinstance(error, LoginExpired)
        assert error.hint == "log in again with `az login`"
        before = len(server.requests)
        await raised(cluster.version())
        assert len(server.requests) == before + 1  # the plugin is not asked again at once


# ---------------------------------------------------------------- TLS


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and for ``name``, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = directory / f"{name}.crt", directory / f"{name}.key"
    cert_path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_path, key_path


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[ApiServer]:
    """A TLS server that asks for a client certificate and only then answers."""
    cert, key = certificate(tmp_path, "api.example")
    client, _ = certificate(tmp_path, "me")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client))
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED
    server = ApiServer()

    async def version(request: web.Request) -> web.Response:
        return web.json_response({"gitVersion": "v1.36.2"})

    app = web.Application()
    app.router.add_get("/version", version)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert site._server is not None
    server.url = f"https://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    yield server
    await runner.cleanup()


def inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


async def test_inline_certificates_work_and_leave_no_files_behind(secure: ApiServer, tmp_path: Path) -> None:
    private = tmp_path / "tmp"
    private.mkdir()
    user = {
        "client-certificate-data": inline(tmp_path / "me.crt"),
        "client-key-data": inline(tmp_path / "me.key"),
    }
    path = secure.kubeconfig(tmp_path, user, **{"certificate-authority-data": inline(tmp_path / "api.example.crt")})
    # A process of its own, because the place for temporary files is decided once per process.
    script = (
        "import asyncio, sys\n"
        "from probes.cluster import Cluster\n"
        "async def main():\n"
        "    cluster = await Cluster.connect(sys.argv[1])\n"
        "    print(await cluster.version())\n"
        "    await cluster.close()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, path, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(private)}
    )
    out, _ = await process.communicate()
    assert out.decode().strip() == "v1.36.2"
    assert list(private.iterdir()) == []


async def test_certificates_in_files_and_a_server_name_of_its_own(secure: ApiServer, tmp_path: Path) -> None:
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    path = secure.kubeconfig(
        tmp_path, user, **{"certificate-authority": "api.example.crt", "tls-server-name": "api.example"}
    )
    cluster = await Cluster.connect(path)
    assert await cluster.version() == "v1.36.2"
    await cluster.close()


async def test_an_unknown_authority_is_said_as_such(secure: ApiServer, tmp_path: Path) -> None:
    path = secure.kubeconfig(tmp_path, {}, **{"certificate-authority": "me.crt"})
    cluster = await Cluster.connect(path)
    error = await raised(cluster.version())
    await cluster.close()
    assert isinstance(error, Unreachable)
    assert "is not trusted" in str(error)
    assert "certificate-authority" in error.hint


@pytest.mark.parametrize(
    ("cluster", "user", "sentence"),
    [
        ({"certificate-authority-data": base64.b64encode(b"no pem").decode()}, {}, "certificate authority"),
        ({"certificate-authority-data": "%%%"}, {}, "certificate-authority-data in the kubeconfig is not base64"),
        ({"certificate-authority": "missing.crt"}, {}, "certificate-authority file"),
        ({}, {"client-certificate": "missing.crt"}, "client-certificate file"),
        ({}, {"client-certificate-data": "bm8=", "client-key-data": "bm8="}, "client certificate"),
    ],
)
async def test_bad_certificates_are_a_config_error_of_one_sentence(
    server: ApiServer, tmp_path: Path, cluster: dict[str, str], user: dict[str, str], sentence: str
) -> None:
    server.url = server.url.replace("http://", "https://")
    error = await raised(Cluster.connect(server.kubeconfig(tmp_path, user, **cluster)))
    assert isinstance(error, ConfigError)
    assert sentence in str(error)
    assert "\n" not in str(error)
