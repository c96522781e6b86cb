"""The options of a comparison: methods, tasks, seeds and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from warpnoise.job import Settings
from warpnoise.media.validation import Options, setting
from warpnoise.noise import NOISE_METHODS

TASKS = ("appearance", "super-resolution", "coherence")
NOISE_TASKS = ("appearance", "super-resolution")
"""Those that compare noise methods; "coherence" compares what holds frames together besides."""

PLAIN, TOGETHER = "plain", "together"
"""Of the task "coherence": nothing but warped noise, and all options."""

OURS = NOISE_METHODS[0]

METHODS = (*(name for name in NOISE_METHODS if name != OURS), OURS)
"""In the order in which they are shown: baselines first."""

_Count = Annotated[int, Field(ge=1)]


class CompareOptions(Options):
    """What ``compare`` does. ``settings``: the job's own if None; their ``noise`` is each method's in turn, their
    ``seed`` the first of the seeds. ``lags``: over how many frames coherence is measured."""

    methods: tuple[str, ...] = setting(
        METHODS,
        "Methods",
        "The noise methods to compare. `warped` is that of Warpnoise",
        null="all",
        metavar="NAME,...",
    )
    tasks: tuple[str, ...] = setting(
        NOISE_TASKS, "Tasks", f"The tasks: {', '.join(TASKS)}", null="the first two", metavar="NAME,..."
    )
    seeds: int = setting(3, "Seeds", "The number of seeds, which are counted from --seed", ge=1)
    reference: Path | None = setting(
        None,
        "Reference",
        "A folder of PNG files of the same shot (0001.png and so on), such as a path-traced, textured render. "
        "Super-resolution restores these",
    )
    pans: tuple[_Count, ...] = setting(
        (),
        "Pans",
        "Also compare the methods on pans over the first frame, by these numbers of pixels a frame. With a latent "
        "model, the page also gives each lag in cells of the latents",
        metavar="PX,...",
    )
    output: Path | None = setting(None, "Output", "The output folder", null="JOB/compare")
    restoration_strength: float = setting(
        0.3, "Restoration Strength", "The strength of SDEdit in super-resolution", gt=0, le=1
    )
    settings: Settings | None = None
    lags: Annotated[tuple[_Count, ...], Field(min_length=1)] = (1, 4, 8, 16)
    device: str | None = None
    dtype: str | None = None
    batch: int | None = None

    @field_validator("methods", "tasks")
    @classmethod
    def _are_known(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = NOISE_METHODS if info.field_name == "methods" else TASKS
        if not names:
            raise ValueError(f"expected at least one of {', '.join(known)}")
        for name in names:
            if name not in known:
                raise ValueError(f"there is no {name!r}; there are {', '.join(known)}")
        if len(set(names)) != len(names):
            raise ValueError(f"expected each name once, got {', '.join(names)}")
        return names
