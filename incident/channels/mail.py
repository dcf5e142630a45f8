"""Mail by SMTP: plain text in UTF-8, so that it arrives word for word. Encrypted, unless the server is this machine."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr

from incident.channels.message import Failed, Message, Sent
from incident.channels.wire import Wire, in_thread, loopback

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


async def mail(wire: Wire, message: Message) -> Sent:
    """One mail to everybody in ``to``; whom the server refuses is told."""
    host = wire.option("host")
    wire.check_host(host)
    security = wire.option("security", "none" if loopback(host) else "starttls")
    if security not in _PORTS:
        raise Failed(f"security is {', '.join(_PORTS)}, not {security!r}")
    if security == "none" and not loopback(host):
        raise Failed(f"not sent: without encryption, mail to {host} would show the message to everybody between")
    try:
        port = int(wire.option("port", str(_PORTS[security])))
    except ValueError:
        raise Failed("the port is not a number") from None
    sender, to = wire.option("from"), [one.strip() for one in wire.option("to").split(",") if one.strip()]
    for address in (sender, *to):
        if not _ADDRESS.fullmatch(parseaddr(address)[1]):
            raise Failed(f"{address!r} is not a mail address")
    composed = _composed(message, sender, to, wire.option("subject"))

    def send() -> Sent:
        return _send(wire, composed, host, port, security)

    try:
        return await in_thread(send, wire.limit)
    except TimeoutError:
        raise Failed(f"no answer from {host}:{port} within {wire.limit:g} s", again=True) from None


def _composed(message: Message, sender: str, to: list[str], prefix: str) -> EmailMessage:
    subject = " ".join(f"{prefix} {message.headline}".split())
    composed = EmailMessage(policy=SMTP)
    composed["From"], composed["To"], composed["Subject"] = sender, ", ".join(to), subject[:400]
    composed["Date"] = formatdate(localtime=False)
    composed["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2])
    composed["X-Warroom-Incident"] = message.incident
    composed.set_content(message.text, charset="utf-8")
    return composed


def _send(wire: Wire, composed: EmailMessage, host: str, port: int, security: str) -> Sent:
    """In a thread. Every word that a server or a library says is cleaned: it may repeat what it was sent."""
    where = f"{host}:{port}"
    try:
        with _connected(wire, host, port, security) as server:
            if password := wire.secrets.get("password"):
                server.login(wire.secrets.get("user"), password)
            refused = server.send_message(composed)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise Failed(
            f"{where} refused {_whom(error.recipients)}", again=all(400 <= code < 500 for code in codes)
        ) from None
    except smtplib.SMTPResponseException as error:
        said = _said(error.smtp_error)
        told = wire.secrets.clean(f"{where} answered {error.smtp_code} {said}")
        raise Failed(told, again=400 <= error.smtp_code < 500) from None
    except smtplib.SMTPNotSupportedError:
        raise Failed(f"{where} offers no {'STARTTLS' if security == 'starttls' else 'login'}") from None
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or "TLS failed"
        raise Failed(f"the certificate of {where} is not trusted: {reason}") from None
    except smtplib.SMTPServerDisconnected:
        raise Failed(f"{where} hung up", again=True) from None
    except smtplib.SMTPException as error:
        raise Failed(wire.secrets.clean(f"{where}: {type(error).__name__}: {error}")) from None
    except OSError as error:
        raise Failed(f"no connection to {where}: {error.strerror or type(error).__name__}", again=True) from None
    if refused:
        raise Failed(f"delivered, but {where} refused {_whom(refused)}")
    count = len(composed["To"].addresses)
    return Sent(f"delivered to {count} {'address' if count == 1 else 'addresses'}")


def _connected(wire: Wire, host: str, port: int, security: str) -> smtplib.SMTP:
    here = socket.gethostname() or "localhost"  # else smtplib asks the DNS for it
    if security == "tls":
        return smtplib.SMTP_SSL(host, port, local_hostname=here, timeout=wire.limit, context=wire.tls())
    server = smtplib.SMTP(host, port, local_hostname=here, timeout=wire.limit)
    try:
        if security == "starttls":
            server.starttls(context=wire.tls())
    except BaseException:
        server.close()
        raise
    return server


def _whom(refused: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{address} ({code} {_said(said)})" for address, (code, said) in refused.items())[:300]


def _said(words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return " ".join(text.split())[:200]
