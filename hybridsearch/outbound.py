"""Which addresses may this process call, and how is one called?

A name is looked up once, every address that it has is judged, and the connection goes to the
address that was judged, so that a name cannot change its mind in between. Only addresses of the
public internet are called; others (this machine, its network, a cloud's metadata service) are
refused unless `Networks` allows them. Redirects are not followed, proxies of the environment not
used, and an answer is bounded in time and size.

    caller = Caller(Networks.of(["loopback"]))
    caller.post("http://localhost:11434/api/embed", content=b"{}", headers={}).status     # 200
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import httpx2

from hybridsearch.errors import CallFailed, CallRefused, InputError

__all__ = ["Caller", "Networks", "Reply"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAMED: Mapping[str, tuple[str, ...]] = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "any": ("0.0.0.0/0", "::/0"),
}
SECONDS = 30.0
MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Networks:
    """The networks beyond the public internet that may be called."""

    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> Networks:
        """From names such as "10.1.0.0/16", or "loopback", "private" or "any".

        Raises InputError for anything else.

        >>> Networks.of(["loopback"]).permits("127.0.0.1"), Networks.of([]).permits("10.0.0.1")
        (True, False)
        """
        if isinstance(names, str):
            raise InputError(f'allowed_networks must be a list, as ["{names}"]')
        written = [text for name in names for text in NAMED.get(name, (name,))]
        try:
            return cls(tuple(ipaddress.ip_network(text) for text in written))
        except ValueError as error:
            raise InputError(
                f"allowed_networks: {error}; give networks such as 10.1.0.0/16, or "
                f"{', '.join(NAMED)}"
            ) from error

    def permits(self, address: str) -> bool:
        """Whether this address, written in digits, may be called."""
        found: Address = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if any(found.version == one.version and found in one for one in self.allowed):
            return True
        return found.is_global and not found.is_multicast


@dataclass(frozen=True)
class Reply:
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Caller:
    """Calls addresses that `networks` permits; safe to use from several threads.

    Connections are kept for the next call, and closed when nothing holds the caller any more.

    seconds: how long a call may take from beginning to end, and how long each of its steps.
    """

    def __init__(
        self, networks: Networks, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES
    ) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._client = httpx2.Client(
            transport=_Guarded(networks),
            timeout=seconds,
            trust_env=False,
            follow_redirects=False,
        )
        weakref.finalize(self, self._client.close)

    def post(
        self, url: str, *, content: bytes, headers: Mapping[str, str], seconds: float | None = None
    ) -> Reply:
        """Send the content and wait for the whole answer, whatever its status.

        seconds: how long this call may take, where that is less than a call may take anyway.
        Raises CallRefused for an address that may not be called, CallFailed when there is no
        answer in time or none that can be read.
        """
        most = self._seconds if seconds is None else min(seconds, self._seconds)
        deadline = time.monotonic() + most
        try:
            with self._client.stream(
                "POST", url, content=content, headers=dict(headers), timeout=most
            ) as answer:
                body = self._read(answer, deadline, most)
                found = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(answer.status_code, found, body)
        except httpx2.TimeoutException as error:
            raise CallFailed(f"no answer within {most:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            raise CallFailed(f"{str(error) or type(error).__name__}") from error

    def _read(self, answer: httpx2.Response, deadline: float, most: float) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > self._most_bytes:
                raise CallFailed(f"the answer has more than {self._most_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise CallFailed(f"no whole answer within {most:g} s")
        return b"".join(parts)


class _Guarded(httpx2.BaseTransport):
    """Connects to an address that was judged, in place of the name."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._inner = httpx2.HTTPTransport(verify=_trusted(), retries=0)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        address = self._judged(host, request.url.port or 0)
        request.url = request.url.copy_with(host=address)
        request.extensions = {**request.extensions, "sni_hostname": host}
        return self._inner.handle_request(request)

    def _judged(self, host: str, port: int) -> str:
        addresses = _addresses(host, port)
        for address in addresses:
            if not self._networks.permits(address):
                wanted = _network_of(address)
                place = address if host == address else f"{host} is {address}, which"
                raise CallRefused(
                    f"{place} is not an address of the public internet; allow its network when"
                    f' the database is opened, as allowed_networks=["{wanted}"], or when it is'
                    f" served, as --allow-network {wanted}"
                )
        return addresses[0]

    def close(self) -> None:
        self._inner.close()


def _network_of(address: str) -> str:
    """What to allow, so that an address that is not public may be called."""
    named = (name for name in ("loopback", "private") if Networks.of([name]).permits(address))
    return next(named, address)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes longer than a call."""
    return httpx2.create_ssl_context()


def _addresses(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CallFailed(f"the name {host} cannot be looked up: {error.strerror}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
