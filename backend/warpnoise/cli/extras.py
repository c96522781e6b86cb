"""Commands with optional dependencies, and the extra that installs them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from warpnoise.errors import SettingsError


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Around imports that an optional dependency serves.

    Raises:
        SettingsError: it is not installed, with the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "warpnoise"):
            raise
        raise SettingsError(
            f"this command needs the package {package}, which is not installed. "
            f"Install it: python -m pip install 'warpnoise[{extra}]'"
        ) from error
