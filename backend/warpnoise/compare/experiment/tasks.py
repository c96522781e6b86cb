"""The tasks of a comparison: their input pictures, and the expected result if it is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.compare.experiment.compare_options import OURS, PLAIN, TOGETHER, CompareOptions
from warpnoise.errors import JobError, stop_if
from warpnoise.hashing import digest_text
from warpnoise.job import Result, Settings, Shot
from warpnoise.media.numbered_files import numbered_files
from warpnoise.media.picture_digest import picture_digest
from warpnoise.media.png import read_png, read_size
from warpnoise.pipeline.pictures import fill_transparent

REDUCTION = 4
"""How many times smaller super-resolution's pictures are, along each side."""

_INPUT_VERSION = "super-resolution input 1"


@dataclass(frozen=True)
class Task:
    """What every method is run on.

    ``source``: the picture that the task starts from. ``color``: the picture that the model gets, made from it or the
    same. ``reference``: the ideal result; None: not known. ``methods``: the noise methods to compare, with the settings
    of each; ``baseline``: the one that the others' sharpness and drift are relative to.
    """

    name: str
    settings: Settings
    source: Callable[[int], Path]
    color: Callable[[int], Path]
    reference: Callable[[int], Path] | None
    methods: Mapping[str, Mapping[str, object]]
    baseline: str


OFF: dict[str, object] = {
    "coherence": "off",
    "key_share": None,
    "pull": 0.0,
    "accumulation": 0.0,
    "attention": 0.0,
}
"""Noise alone: what holds frames together besides would hide how methods differ."""


def coherence_variants(attends: bool) -> dict[str, dict[str, object]]:
    """The variants in the task "coherence": each option alone, and all together."""
    ours: dict[str, object] = {**OFF, "noise": OURS}
    options = {"pull": 1.0, "accumulation": 1.0, **({"attention": 1.0} if attends else {})}
    alone = {name: {**ours, name: strength} for name, strength in options.items()}
    return {PLAIN: ours, **alone, TOGETHER: {**ours, **options}}


def make_tasks(
    job: Shot,
    options: CompareOptions,
    settings: Settings,
    folder: Path,
    reference: Callable[[int], Path] | None,
    attends: bool,
) -> list[Task]:
    """The tasks that the options name, with the settings.

    Super-resolution reduces the shot's ``reference`` and is to come back to it: bare frames have nothing to restore.
    Without one it does so with the job's own pictures.
    """
    fine = reference or job.color
    noises = {method: {**OFF, "noise": method} for method in options.methods}
    restoring = settings.updated({"strength": options.restoration_strength})
    reduced = Result(folder / "super-resolution" / "input").frame
    tasks = [
        Task("appearance", settings, job.color, job.color, reference, noises, "random"),
        Task("coherence", settings, job.color, job.color, reference, coherence_variants(attends), PLAIN),
        Task("super-resolution", restoring, fine, reduced, fine, noises, "random"),
    ]
    return [task for name in options.tasks for task in tasks if task.name == name]


def prepare_input(job: Shot, task: Task, cancelled: Callable[[], bool] | None = None) -> None:
    """Writes the task's pictures that are not there yet.

    Raises:
        MediaError: a picture cannot be read or written.
        Cancelled: ``cancelled()`` was true.
    """
    for frame in job.frames:
        stop_if(cancelled, "cancelled while pictures were reduced: what was finished stays")
        target, source = task.color(frame), task.source(frame)
        if target != source:
            reduced = Result(target.parent.parent)
            made_of = digest_text(_INPUT_VERSION, picture_digest(source))
            if not reduced.is_finished(target, made_of):
                target.parent.mkdir(parents=True, exist_ok=True)
                reduced.write_frame(frame, _reduced(source), made_of)


def _reduced(source: Path) -> npt.NDArray[np.uint16]:
    """The picture as if it had been rendered ``REDUCTION`` times smaller and enlarged again; alpha stays."""
    picture = read_png(source)
    color = (fill_transparent(picture) if picture.shape[2] == 4 else picture).astype(np.float32)
    height, width = picture.shape[:2]
    large = enlarged_again(color, max(width // REDUCTION, 1), max(height // REDUCTION, 1))
    restored = np.clip(large.round(), 0, 65535).astype(np.uint16)
    return np.dstack([restored, picture[..., 3:]]) if picture.shape[2] == 4 else restored


def enlarged_again(picture: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.float32]:
    """A picture, (h, w, channels), as if it had been rendered ``width`` x ``height`` small and enlarged again."""
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def open_reference(folder: Path, job: Shot) -> Callable[[int], Path]:
    """Where each frame's picture is: a PNG whose name ends in the frame's number, as Blender writes them.

    Raises:
        JobError: no folder, missing frames, two files of one number, or a picture of another size than the job's.
        MediaError: a file is no PNG.
    """
    found = numbered_files(folder, (".png",), job.frames, error=JobError)
    width, height = job.scene.width, job.scene.height
    for path in found.values():
        size = read_size(path)
        if size != (width, height):
            raise JobError(
                f"{path}: expected {width} x {height} pixels, as the job has, got {size[0]} x {size[1]}. Render the "
                "reference at the job's size."
            )
    return found.__getitem__
