"""A shot: the input in a job folder, which stylizing only reads, and the results of the shot."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from warpnoise import __version__
from warpnoise.errors import JobError, MediaError, first_few
from warpnoise.job.frame_ranges import frame_name
from warpnoise.job.locks import MUTEX_SECONDS, locked
from warpnoise.job.result import RESULTS, Result
from warpnoise.job.schema import (
    LARGEST_JOB_FILE,
    SCHEMA_VERSION,
    Camera,
    JobInfo,
    Matrix,
    SceneInfo,
    as_array,
    as_matrix,
)
from warpnoise.job.settings import Settings
from warpnoise.media.atomic import replacing, write_bytes
from warpnoise.media.bounded import given_path
from warpnoise.media.json_file import read_json

Needed = Literal["color", "passes"]


@dataclass(frozen=True)
class FrameState:
    """The data of one frame in ``job.json``, with differences between frames resolved."""

    frame: int
    camera: Camera | None
    objects: Mapping[str, npt.NDArray[np.float64]]
    """Object-to-world, (4, 4), of every object that is drawn as itself. Arrays are shared between frames, read-only:
    an object whose array is the same in two frames did not move."""
    cut: bool
    """The frame shows nothing of the previous one."""
    unknown_motion: tuple[str, ...] = ()
    """Names of objects whose vectors between the previous frame and this one mean nothing."""


class Shot:
    """The job folder of a shot. ``Shot.open`` reads and checks one, and ``Shot.create`` creates one from pictures and
    passes.
    """

    def __init__(self, path: Path, info: JobInfo, color: Callable[[int], Path] | None = None) -> None:
        """``color``: each frame's picture; None: that in ``color/``."""
        self.path = path
        self.info = info
        self._color = color

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, needs: Collection[Needed] = ("color", "passes")) -> Shot:
        """Open a folder, read ``job.json`` and check that every frame has the files that ``needs`` names.

        With ``needs=()``, no frame is checked, so the export may be unfinished; ``check`` then checks the frames that
        are used. The size of each picture must be that of the scene. EXR files are opened only when they are read.

        Raises:
            JobError: there is no such folder or no ``job.json``, its schema version differs, a field is invalid, files
                are missing, or a size differs.
            MediaError: a colour frame is not a PNG.
        """
        folder = given_path(path, "the job folder", error=JobError)
        job = cls(folder, JobInfo.parse(_read_json(folder), str(folder / "job.json")))
        if needs:
            job._check_files(needs, job.frames)
        return job

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        passes: Sequence[Path],
        color: Sequence[Path],
        fps: float = 24.0,
        frame_start: int = 1,
        frame_step: int = 1,
        cameras: Sequence[Camera | None] | None = None,
        objects: Sequence[Mapping[str, npt.ArrayLike]] | None = None,
        cuts: Collection[int] = (),
        settings: Settings | None = None,
        **scene: Any,
    ) -> Shot:
        """Create a job folder from any sequence of EXR files and PNG pictures, which are copied into it.

        Args:
            path: The folder, which is created if it does not exist. ``job.json`` is written last.
            passes: For each frame, a multilayer EXR file with the passes that ``docs/architecture.md`` describes.
            color: For each frame, a PNG of what the viewer sees. Its size becomes that of the job.
            cameras: For each frame, its camera. If unknown, the vectors are the only source of motion, even on the
                background.
            objects: For each frame, the object-to-world matrices, (4, 4), of all rigid objects by name. Without them,
                surfaces lose their noise while they are occluded or out of the frame.
            cuts: The numbers of frames that show nothing of the previous frame.
            scene: More fields of ``SceneInfo`` (``name``, ``view_transform``, ``transparent``, ...).

        Raises:
            ValueError: the sequences have different lengths.
            JobError: there are no frames, a value is invalid, pictures differ in size, or the folder cannot be written.
            MediaError: a file cannot be copied, or a picture is not a PNG.
        """
        sequences = {"passes": passes, "color": color, "cameras": cameras, "objects": objects}
        lengths = {name: len(items) for name, items in sequences.items() if items is not None}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"expected one item for each frame, got {lengths}")
        if not color:
            raise JobError("A job needs at least one frame, got none.")
        folder = Path(path)
        width, height = _read_size(color[0])
        numbers = range(frame_start, frame_start + len(color) * frame_step, frame_step)
        changes = _changes(objects or [{}] * len(color))
        content = {
            "schema": SCHEMA_VERSION,
            "generator": f"warpnoise {__version__}",
            "scene": {
                "fps": fps,
                "frame_start": frame_start,
                "frame_end": numbers[-1],
                "frame_step": frame_step,
                "width": width,
                "height": height,
                **scene,
            },
            "frames": [
                {
                    "frame": number,
                    "camera": camera and camera.model_dump(),
                    "objects": changed,
                    "cut": number in cuts,
                }
                for number, camera, changed in zip(numbers, cameras or [None] * len(color), changes, strict=True)
            ],
            "settings": (settings or Settings()).model_dump(),
        }
        job = cls(folder, JobInfo.parse(content, f"The job for {folder}"))
        for number, exr, picture in zip(numbers, passes, color, strict=True):
            _copy(exr, job.passes(number))
            _copy(picture, job.color(number))
        job._check_files(("color", "passes"), job.frames)
        job.save()
        return job

    @property
    def scene(self) -> SceneInfo:
        return self.info.scene

    @property
    def settings(self) -> Settings:
        return self.info.settings

    @property
    def frames(self) -> list[int]:
        """The frame numbers, in order."""
        return list(self.scene.frames)

    def color(self, frame: int) -> Path:
        """The frame as the viewer sees it, a 16-bit PNG. It is the input of SDEdit."""
        return self.path / "color" / f"{frame_name(frame)}.png" if self._color is None else self._color(frame)

    def passes(self, frame: int) -> Path:
        """The render passes: a multilayer EXR."""
        return self.path / "passes" / f"{frame_name(frame)}.exr"

    @property
    def keys_folder(self) -> Path:
        """Frames that the user has painted, such as ``0012.png``."""
        return self.path / "keys"

    def with_color(self, color: Callable[[int], Path]) -> Shot:
        """The same shot with other pictures, which ``color`` gives for each frame."""
        return Shot(self.path, self.info, color)

    def read_again(self) -> Shot:
        """Read ``job.json`` again, because an export may have added frames. Raises JobError, like ``open``."""
        return Shot(self.path, Shot.open(self.path, needs=()).info, self._color)

    @property
    def results_folder(self) -> Path:
        return self.path / RESULTS

    def result(self, name: str) -> Result:
        """The result with this name, which need not exist."""
        return Result(self.results_folder / name)

    def results(self) -> list[Result]:
        """All results of the shot, by name. Results whose deletion was interrupted are left out."""
        folder = self.results_folder
        names = sorted(path.name for path in folder.glob("[!.]*"))
        return [result for result in map(self.result, names) if result.info() is not None]

    def current(self) -> Result | None:
        """The result in use, or None."""
        with contextlib.suppress(JobError):
            content = read_json(self._current_file, error=JobError)
            name = content.get("result") if isinstance(content, dict) else None
            if isinstance(name, str) and self.result(name).folder.parent == self.results_folder:
                result = self.result(name)
                return result if result.settings_file.is_file() else None
        return None

    def use(self, result: Result) -> None:
        """Make a result of the shot the one in use. Raises JobError if ``current.json`` cannot be written."""
        if self.current() != result:
            with locked(self.results_folder, wait_seconds=MUTEX_SECONDS):
                write_bytes(self._current_file, f"{json.dumps({'result': result.name})}\n".encode(), error=JobError)

    @property
    def _current_file(self) -> Path:
        return self.path / "current.json"

    def check(self, frames: Sequence[int]) -> None:
        """Check that these frames have their inputs: their colour, and the passes of all frames up to the last one.

        The noise of a frame depends on the passes of all frames before it.

        Raises:
            JobError: a number is not a frame of the job, files are missing, a size differs, or frames are not exported
                yet.
            MediaError: a colour frame is not a PNG.
        """
        unknown = sorted(set(frames).difference(self.frames))
        if unknown:
            raise JobError(f"{self.path} has no frame {unknown[0]}: it holds {self.frames[0]} to {self.frames[-1]}.")
        if frames:
            self.check_passes(self.frames[: self.frames.index(max(frames)) + 1])
            self._check_files(["color"], frames)

    def check_passes(self, frames: Sequence[int]) -> None:
        """Check that the passes of some of the shot's frames exist. Raises JobError if not."""
        self._check_files(["passes"], frames)

    def states(self) -> Iterator[FrameState]:
        """The camera and the objects of each frame, in order. ``job.json`` stores only the differences."""
        objects: dict[str, npt.NDArray[np.float64]] = {}
        for index, info in enumerate(self.info.frames):
            if info.objects:
                objects = dict(objects)
            for name, matrix in info.objects.items():
                if matrix is None:
                    objects.pop(name, None)
                else:
                    objects[name] = as_array(matrix)
            yield FrameState(info.frame, info.camera, objects, info.cut and index > 0, info.unknown_motion)

    def save(self) -> None:
        """Write ``job.json``, whole or not at all. Raises JobError if it cannot be written."""
        text = json.dumps(self.info.model_dump(mode="json", by_alias=True), indent=1)
        write_bytes(self.path / "job.json", (text + "\n").encode(), error=JobError)

    def _check_files(self, needs: Collection[Needed], frames: Sequence[int]) -> None:
        known = len(self.info.frames)
        if frames[-1] > self.frames[known - 1]:
            raise JobError(
                f"{self.path / 'job.json'} lists only frames {self.frames[0]} to {self.frames[known - 1]}: "
                f"the export of {self.frames[0]} to {self.frames[-1]} is not finished. Finish it, or stylize only "
                "these."
            )
        missing = [
            f"{kind}/{path.name}"
            for kind, where in (("color", self.color), ("passes", self.passes))
            if kind in needs
            for path in map(where, frames)
            if not path.is_file()
        ]
        if missing:
            raise JobError(
                f"{self.path} lacks {first_few(missing)}. Export these frames again, or correct the range in job.json."
            )
        if "color" in needs:
            for color in map(self.color, frames):
                width, height = _read_size(color)
                if (width, height) != (self.scene.width, self.scene.height):
                    raise JobError(
                        f"{color}: expected {self.scene.width} x {self.scene.height} pixels, as job.json says, "
                        f"got {width} x {height}. Export this frame again."
                    )


def _read_size(picture: Path) -> tuple[int, int]:
    from warpnoise.media.png import read_size  # it brings OpenCV, which `warpnoise --help` does without

    return read_size(picture)


def _changes(objects: Sequence[Mapping[str, npt.ArrayLike]]) -> Iterator[dict[str, Matrix | None]]:
    """For each frame its differences from the previous one, as ``job.json`` stores them."""
    before: dict[str, Matrix] = {}
    for matrices in objects:
        now = {name: as_matrix(matrix) for name, matrix in matrices.items()}
        gone: dict[str, Matrix | None] = {name: None for name in before if name not in now}
        yield gone | {name: matrix for name, matrix in now.items() if before.get(name) != matrix}
        before = now


def _copy(source: Path, target: Path) -> None:
    if target.exists() and source.samefile(target):
        return
    if not source.is_file():
        raise MediaError(f"There is no file {source}.")
    with replacing(target) as file, source.open("rb") as whole:
        shutil.copyfileobj(whole, file)


def _read_json(folder: Path) -> object:
    if not folder.is_dir():
        raise JobError(f"{folder} is not a folder. Choose a folder that the add-on has exported: it holds a job.json.")
    path = folder / "job.json"
    if not path.exists():
        raise JobError(f"{folder} holds no job.json. Choose a folder that the add-on has exported.")
    return read_json(path, error=JobError, advice="Export the animation again.", largest=LARGEST_JOB_FILE)
