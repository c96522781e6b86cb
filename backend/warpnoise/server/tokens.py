"""The token: a secret that every request carries, in ``Authorization: Bearer TOKEN``.

It comes from the environment or a private file, never from a command line, which every user of the machine can read. It
never appears in a log.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

import platformdirs

from warpnoise.errors import ServerError
from warpnoise.media.atomic import write_bytes

TOKEN_VARIABLE = "WARPNOISE_TOKEN"
SHORTEST = 16
"""A token of fewer characters is refused: it could be guessed."""


def find_token(token_file: Path | None = None) -> tuple[str, Path | None]:
    """The token and the file it lies in (None: it came from the environment).

    In order: ``token_file``; the environment variable ``WARPNOISE_TOKEN``, which is taken out of the environment so
    that no child process inherits it; the file of an earlier run in the user's state folder; a new token in that file.

    Raises:
        ServerError: a file that cannot be read or written, that others may read, or a token that is too short.
    """
    if token_file is not None:
        return read_token_file(token_file), token_file
    given = os.environ.pop(TOKEN_VARIABLE, None)
    if given is not None:
        return _checked(given, f"The environment variable {TOKEN_VARIABLE}"), None
    own = platformdirs.user_state_path("warpnoise", appauthor=False) / "token"
    if not own.exists():
        write_token_file(own, secrets.token_urlsafe(32))
    return read_token_file(own), own


def read_token_file(path: Path) -> str:
    """The token in a file that only its owner may read (mode 0600; modes are not looked at on Windows)."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise ServerError(f"The token file {path} is not ASCII text. Write a token into it, or delete it.") from None
    except OSError as error:
        raise ServerError(f"The token file {path} cannot be read: {error.strerror}.") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ServerError(
            f"The token file {path} has mode {stat.S_IMODE(mode):04o}, so other users may read it. "
            "`chmod 600` it, and write a new token into it if they are not trusted."
        )
    return _checked(text, f"The token file {path}")


def write_token_file(path: Path, token: str) -> None:
    """A file of mode 0600 from its first byte on. Raises ServerError when it cannot be written."""
    with contextlib.suppress(OSError):  # reported by what writes the file
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        write_bytes(path, f"{token}\n".encode(), error=ServerError, mode=0o600)
    except ServerError as refusal:
        raise ServerError(f"{refusal} Or give a token in {TOKEN_VARIABLE} instead.") from None


def _checked(text: str, source: str) -> str:
    token = text.strip()
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ServerError(
            f"{source} holds no usable token: expected at least {SHORTEST} visible ASCII characters, "
            f"got {len(token)} characters."
        )
    return token


def matches(header: str, token: str) -> bool:
    """Whether an Authorization header carries the token; takes the same time wherever they differ."""
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode("ascii"))
