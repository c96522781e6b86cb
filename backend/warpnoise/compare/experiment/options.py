"""The options of a comparison: methods, tasks, seeds and folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from warpnoise.errors import SettingsError
from warpnoise.job import Settings
from warpnoise.noise import NOISE_METHODS

TASKS = ("appearance", "super-resolution", "coherence")
NOISE_TASKS = ("appearance", "super-resolution")
"""Those that compare noise methods; "coherence" compares what holds frames together besides."""

PLAIN, TOGETHER = "plain", "together"
"""Of the task "coherence": nothing but warped noise, and all options."""

OURS = NOISE_METHODS[0]

METHODS = (*(name for name in NOISE_METHODS if name != OURS), OURS)
"""In the order in which they are shown: baselines first."""


@dataclass(frozen=True)
class CompareOptions:
    """What ``compare`` does.

    ``settings``: the job's own if None; its ``noise`` is each method's in turn, its ``seed`` the first of the seeds.
    ``restoration_strength``: SDEdit's strength in super-resolution, which is to add detail and change nothing.
    ``reference``: a folder of PNGs, one for each frame, with its number at the end of its name.
    ``output``: JOB/compare if None.
    ``lags``: over how many frames coherence is measured.
    ``pans``: pixels a frame of pans over the first frame, which `compare_pans` compares on.
    """

    methods: tuple[str, ...] = METHODS
    tasks: tuple[str, ...] = NOISE_TASKS
    seeds: int = 3
    settings: Settings | None = None
    restoration_strength: float = 0.3
    reference: Path | None = None
    output: Path | None = None
    lags: tuple[int, ...] = (1, 4, 8, 16)
    pans: tuple[int, ...] = ()
    device: str | None = None
    dtype: str | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        """Raises SettingsError for names that are not known and numbers out of their range."""
        _check_names("methods", self.methods, NOISE_METHODS)
        _check_names("tasks", self.tasks, TASKS)
        if self.seeds < 1:
            raise SettingsError(f"seeds: expected at least 1, got {self.seeds}")
        if not 0 < self.restoration_strength <= 1:
            raise SettingsError(
                f"restoration strength: expected above 0 and at most 1, got {self.restoration_strength}"
            )
        if not self.lags or any(lag < 1 for lag in self.lags):
            raise SettingsError(f"lags: expected numbers of frames above 0, got {self.lags}")
        if any(pixels < 1 for pixels in self.pans):
            raise SettingsError(f"pans: expected numbers of pixels above 0, got {self.pans}")


def _check_names(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not names:
        raise SettingsError(f"{what}: expected at least one of {', '.join(known)}")
    for name in names:
        if name not in known:
            raise SettingsError(f"{what}: there is no {name!r}; there are {', '.join(known)}")
    if len(set(names)) != len(names):
        raise SettingsError(f"{what}: expected each name once, got {', '.join(names)}")
