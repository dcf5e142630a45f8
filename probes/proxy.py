"""The proxy that the environment asks for, by the rules of Go's net/http, and so of kubectl: loopback is direct."""

from __future__ import annotations

import ipaddress
import os


def proxy_for(scheme: str, host: str) -> str:
    """Its URL, or "" for a direct connection (``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY`` and their lower case)."""
    wanted = f"{scheme}_proxy"
    if not any(name.lower() == wanted and value for name, value in os.environ.items()):
        return ""
    if host == "localhost" or _is_loopback(host):
        return ""
    from urllib.request import getproxies_environment, proxy_bypass  # 10 ms, where there is a proxy

    return "" if proxy_bypass(host) else getproxies_environment().get(scheme, "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
