"""Where the backend is: a Python on this computer, or the address of a server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import BackendMissingError, Message, SettingsError

PYTHON_VARIABLE = "WARPNOISE_PYTHON"
URL_VARIABLE = "WARPNOISE_URL"
TOKEN_VARIABLE = "WARPNOISE_TOKEN"
PREFERENCES = Message("the add-on's preferences")


@dataclass(frozen=True)
class BackendCommand:
    """``argv`` starts the backend's command line. ``source`` names its origin in messages."""

    argv: tuple[str, ...]
    source: str

    @property
    def update_hint(self) -> str:
        """How to update the package in that environment."""
        python = self.argv[0] if len(self.argv) > 1 else "python"
        return f"`{python} -m pip install --upgrade 'warpnoise[serve]'`"


def find_backend(preference: str = "", environ: Mapping[str, str] = os.environ) -> BackendCommand:
    """The first of: ``WARPNOISE_PYTHON``, ``preference``, PATH's `warpnoise` command.

    The first two name a Python, or the folder of its virtual environment. What was asked for and is not there is an
    error; the next place is not tried silently.

    Raises BackendMissingError: no program is set or found, or the one that is set is not a program.
    """
    for path, source in (
        (environ.get(PYTHON_VARIABLE, ""), Message("the variable {name}", name=PYTHON_VARIABLE)),
        (preference, PREFERENCES),
    ):
        if path:
            return BackendCommand((_python(path, source), "-m", "warpnoise"), source)
    command = shutil.which("warpnoise", path=environ.get("PATH"))
    if command:
        return BackendCommand((command,), "PATH")
    raise BackendMissingError(
        "no backend is set up: press Set Up in the add-on's preferences. Or `pip install 'warpnoise[serve]'` into a "
        "Python environment, and enter its Python there or in the variable {python_variable}",
        python_variable=PYTHON_VARIABLE,
    )


def _python(path: str, source: str) -> str:
    named = Path(path).expanduser()
    if named.is_dir():
        inside = (named / "bin" / "python", named / "Scripts" / "python.exe")
        found = next((candidate for candidate in inside if candidate.is_file()), None)
        if found is None:
            raise BackendMissingError(
                "{source} names the folder {path}: expected a Python or a virtual environment, got a "
                "folder without one",
                source=source,
                path=named,
            )
        return str(found)
    program = shutil.which(str(named))
    if program is None:
        is_there = Message("it may not be executed") if named.exists() else Message("there is no such file")
        raise BackendMissingError(
            "{source} names {path} as the backend's Python, but {is_there}",
            source=source,
            path=named,
            is_there=is_there,
        )
    return program


def backend_environment(token: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The process's environment: ours, the token, and nothing that points Python at Blender's own packages."""
    return tool_environment(environ) | {TOKEN_VARIABLE: token}


def tool_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The same without the token, for another Python that is no backend."""
    ours = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", TOKEN_VARIABLE)
    return {k: v for k, v in environ.items() if k not in ours} | {"PYTHONUTF8": "1"}


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
        """The address in ``url``; ``http://`` may be left out. Raises SettingsError: not such a URL."""
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
