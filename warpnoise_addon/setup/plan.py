"""The commands of a set-up or an update. The dialog shows them before the user agrees."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from .hardware import Build
from .package import DISTRIBUTION, Package

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

    Raises:
        SettingsError: there is no such folder, or it holds no wheel of PyTorch.
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
