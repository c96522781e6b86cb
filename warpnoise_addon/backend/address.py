"""The address of a backend."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import SettingsError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EXPECTED = "expected https://SERVER, http://SERVER:PORT or http://127.0.0.1:PORT"


@dataclass(frozen=True)
class Address:
    """``prefix``: the path before ``/v2``, for a server behind a reverse proxy."""

    host: str
    port: int
    scheme: str = "http"
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address in ``url``; ``http://`` may be left out.

        Raises:
            SettingsError: not such a URL.
        """
        text = url.strip()
        try:
            parts = urlsplit(text if "//" in text else f"//{text}", scheme="http")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingsError(
                "the backend's URL {url!r} cannot be read ({error}): {expected}",
                url=url,
                error=error,
                expected=_EXPECTED,
            ) from None
        if parts.username or parts.password:
            raise SettingsError("the backend's URL holds a name or a password: {expected}", expected=_EXPECTED)
        if port is None and parts.scheme == "https":
            port = 443
        if parts.scheme not in ("http", "https") or not host or not port or parts.query or parts.fragment:
            raise SettingsError("the backend's URL is {url!r}: {expected}", url=url, expected=_EXPECTED)
        return cls(host, port, parts.scheme, parts.path.rstrip("/"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    @property
    def loopback(self) -> bool:
        """It is this machine, or the near end of a tunnel."""
        return self.host in LOOPBACK

    @property
    def readable_by_others(self) -> bool:
        """The token and the frames travel unencrypted."""
        return self.scheme == "http" and not self.loopback
