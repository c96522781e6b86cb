"""The commands of a set-up or an update, which the dialog shows before the user agrees, and the package to install."""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import BackendMissingError, SettingsError
from ..version import VERSION
from .hardware import Build

WHEELS = "*.whl"


@dataclass(frozen=True)
class Step:
    """``stage``: of `status.STAGES`."""

    stage: str
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return subprocess.list2cmdline(self.argv) if os.name == "nt" else shlex.join(self.argv)

    @property
    def is_pip(self) -> bool:
        return "pip" in self.argv


@dataclass(frozen=True)
class Plan:
    """``python`` creates the environment ``folder``. PyTorch's ``build`` and then ``package`` are installed into it.

    ``wheels``: a folder with all wheels; if given, no network is used. ``online``: the network may be used.
    """

    python: str
    folder: Path
    build: Build
    package: Package
    wheels: Path | None = None
    online: bool = True

    @property
    def environment_python(self) -> Path:
        inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        return self.folder.joinpath(*inside)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Create an environment."""
        steps = [Step("venv", (self.python, "-m", "venv", str(self.folder)))]
        if self.build.index and self.wheels is None:
            steps.append(Step("pytorch", (*self._pip, "--index-url", self.build.index, "torch")))
        return (*steps, self._install(), self._warm_up)

    @property
    def update_steps(self) -> tuple[Step, ...]:
        """Replace the package in an existing environment. New dependencies are added; installed ones stay."""
        return (self._install("--force-reinstall", "--no-deps"), self._install(), self._warm_up)

    @property
    def _pip(self) -> tuple[str, ...]:
        pip = (str(self.environment_python), "-m", "pip", "install", "--prefer-binary")
        if self.wheels is not None:
            return (*pip, "--no-index", "--find-links", str(self.wheels))
        return pip if self.online else (*pip, "--no-index")

    def _install(self, *options: str) -> Step:
        return Step("package", (*self._pip, *options, self.package.requirement(self.build.extras)))

    @property
    def _warm_up(self) -> Step:
        return Step("warmup", (str(self.environment_python), "-m", DISTRIBUTION, "warmup"))


def check_wheels(path: Path) -> Path:
    """Check a folder of wheels, and return its absolute path.

    Raises SettingsError: there is no such folder, or it holds no wheel of PyTorch.
    """
    if not path.is_dir():
        raise SettingsError("the folder of wheels {path} does not exist", path=path)
    if not any(wheel.name.startswith("torch-") for wheel in path.glob(WHEELS)):
        raise SettingsError(
            "{path} holds no torch-*.whl. Fill the folder on a machine with a network: see 'Without a network' "
            "in the documentation's page 'Backends'",
            path=path,
        )
    return path.absolute()


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

    Raises BackendMissingError: the zip was built without the wheel.
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
