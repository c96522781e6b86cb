"""Locates the backend to install: the wheel in a built extension, or the checkout that the add-on runs from."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import BackendMissingError
from ..version import VERSION

DISTRIBUTION = "warpnoise"
ROOT = Path(__file__).parents[2]
WHEEL = "warpnoise_addon/wheel"


@dataclass(frozen=True)
class Package:
    """``path``: a wheel, or the folder of the source. ``digest``: the wheel's SHA-256; "" for a source."""

    path: Path
    digest: str = ""

    def requirement(self, extras: str) -> str:
        """As pip takes it."""
        return f"{self.path}[{extras}]"


def brought_package(root: Path = ROOT) -> Package:
    """The backend in ``root``, the folder that holds ``warpnoise_addon``. A checkout installs its source.

    Raises:
        BackendMissingError: the zip was built without the wheel.
    """
    if (root / "pyproject.toml").is_file() and (root / "backend" / DISTRIBUTION).is_dir():
        return Package(root)
    wheel = root / WHEEL / f"{DISTRIBUTION}-{VERSION}-py3-none-any.whl"
    try:
        return Package(wheel, _digest(wheel, wheel.stat().st_mtime_ns))
    except OSError:
        raise BackendMissingError(
            "this build of the extension has no backend in it ({wheel}/{name} is missing). Install a "
            "release, or build the zip with `make build`",
            wheel=WHEEL,
            name=wheel.name,
        ) from None


@functools.lru_cache(1)
def _digest(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
