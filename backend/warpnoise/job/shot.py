"""A job folder: where its files are, whether they are all there, and who may work on it."""

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
from warpnoise.errors import JobError, MediaError
from warpnoise.job.claims import claimed
from warpnoise.job.digests import FrameDigests
from warpnoise.job.names import frame_name
from warpnoise.job.results import KeptResult, kept_results, result_of
from warpnoise.job.schema import SCHEMA_VERSION, Camera, JobInfo, Matrix, SceneInfo, as_array, as_matrix
from warpnoise.job.settings import Settings
from warpnoise.media.atomic import replacing, write_bytes

Needed = Literal["color", "passes"]
OutputName = Literal["stylized", "preview"]


@dataclass(frozen=True)
class FrameState:
    """All that ``job.json`` says of one frame, differences resolved."""

    frame: int
    camera: Camera | None
    objects: Mapping[str, npt.NDArray[np.float64]]
    """Object-to-world, (4, 4), of every object that is drawn as itself. Arrays are shared between frames, read-only:
    an object whose array is the same in two frames did not move."""
    cut: bool
    """Nothing of the frame before is seen again."""
    unknown_motion: tuple[str, ...] = ()
    """Names of objects whose vectors from and to the frame before mean nothing."""


@dataclass(frozen=True)
class Output:
    """A folder of stylized frames, and the folder of their records (`FrameDigests`)."""

    folder: Path
    records: Path

    @classmethod
    def of(cls, job: Path, name: OutputName) -> Output:
        """That of a job folder."""
        return cls(job / name, job / "records" / name)

    def picture(self, frame: int) -> Path:
        """A PNG of the colour frame's size and encoding."""
        return self.folder / f"{frame_name(frame)}.png"

    def digests(self) -> FrameDigests:
        """What the finished frames were made of, as it stands in the folder now."""
        return FrameDigests(self.records)


class Shot:
    """A job folder that was checked: ``Shot.open`` opens one, ``Shot.create`` makes one of pictures and passes."""

    def __init__(self, path: Path, info: JobInfo) -> None:
        self.path = path
        self.info = info

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, needs: Collection[Needed] = ("color", "passes")) -> Shot:
        """Opens the folder, reads ``job.json`` and checks that every frame has the files that ``needs`` names.

        With ``needs=()`` nothing of the frames is checked, and an export need not have finished them all; then
        ``check`` does it for those that are wanted.

        Pictures' sizes are compared with the scene's; what is inside of the EXR files shows when they are read.

        Raises:
            JobError: no folder, no ``job.json``, another schema version, a bad field, missing files, another size.
            MediaError: a colour frame that is not a PNG.
        """
        folder = Path(path)
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
        """Makes a job folder by hand of any sequence of EXR files and PNG pictures, which are copied into it.

        Args:
            path: The folder; it is made where it is missing. ``job.json`` is written last.
            passes: For each frame a multilayer EXR with the passes that ``docs/architecture.md`` names.
            color: For each frame a PNG of what the viewer sees. Its size is the job's.
            cameras: For each frame its camera. Without: the vectors are the only motion that is known, the
                background's included.
            objects: For each frame the object-to-world matrices, (4, 4), of all rigid objects by their names. Without:
                what is hidden or out of the frame is forgotten.
            cuts: Frame numbers at which the picture is cut from the frame before.
            scene: More fields of ``SceneInfo`` (``name``, ``view_transform``, ``transparent``, ...).

        Raises:
            ValueError: sequences of different lengths.
            JobError: no frames, a bad value, pictures of different sizes, a folder that cannot be written.
            MediaError: a file that cannot be copied, or a picture that is not a PNG.
        """
        given = {"passes": passes, "color": color, "cameras": cameras, "objects": objects}
        lengths = {name: len(items) for name, items in given.items() if items is not None}
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
        """What the viewer sees, the input of SDEdit: a 16-bit PNG."""
        return self.path / "color" / f"{frame_name(frame)}.png"

    def passes(self, frame: int) -> Path:
        """The render passes: a multilayer EXR."""
        return self.path / "passes" / f"{frame_name(frame)}.exr"

    def stylized(self, frame: int) -> Path:
        """The result: a PNG of the colour frame's size and encoding."""
        return self.output().picture(frame)

    def output(self, name: OutputName = "stylized") -> Output:
        """Where stylized frames go: the result, or the previews, which leave it as it is."""
        return Output.of(self.path, name)

    def kept_results(self) -> list[KeptResult]:
        """The results of other settings, by name."""
        return kept_results(self.path)

    @contextlib.contextmanager
    def result_of(
        self, settings: Settings, same: Callable[[Settings, Settings], bool], made: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """While the block runs, ``stylized/`` is the result of ``settings``; as `warpnoise.job.results` says."""
        with result_of(self.path, settings, same, made):
            yield

    @property
    def movie(self) -> Path:
        """The result as a movie."""
        return self.path / "stylized.mp4"

    @property
    def records(self) -> Path:
        """The folder of what is known of finished files."""
        return self.path / "records"

    def check(self, frames: Sequence[int]) -> None:
        """Checks that all is there that these frames are made of: their colour, and the passes of all frames up to the
        last of them, through which the noise comes.

        Raises:
            JobError: a number that is no frame of the job; missing files; another size; an export that has not got
                there yet.
            MediaError: a colour frame that is not a PNG.
        """
        unknown = sorted(set(frames).difference(self.frames))
        if unknown:
            raise JobError(f"{self.path} has no frame {unknown[0]}: it holds {self.frames[0]} to {self.frames[-1]}.")
        if frames:
            self._check_files(["passes"], self.frames[: self.frames.index(max(frames)) + 1])
            self._check_files(["color"], frames)

    def states(self) -> Iterator[FrameState]:
        """Camera and objects of each frame, in order, the differences of ``job.json`` resolved."""
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

    @contextlib.contextmanager
    def lock(self, frames: Sequence[int] | None = None) -> Iterator[None]:
        """Keeps other processes, and other users of ``lock`` in this one, off the folder while the block runs.

        With ``frames`` (at least one), only off those and what lies between them: others may work on other frames.
        The operating system frees the lock when the process ends, however it ends.

        Raises:
            JobLockedError: somebody works on the folder, or on some of these frames.
            JobError: the folder cannot be written.
        """
        with claimed(self.path, "all" if frames is None else (min(frames), max(frames))):
            yield

    @contextlib.contextmanager
    def lock_movie(self) -> Iterator[None]:
        """The same, but only off the movie. Raises as ``lock`` does."""
        with claimed(self.path, "movie"):
            yield

    def save(self) -> None:
        """Writes ``job.json``, whole or not at all. Raises JobError when it cannot be written."""
        text = json.dumps(self.info.model_dump(mode="json", by_alias=True), indent=1)
        write_bytes(self.path / "job.json", (text + "\n").encode(), error=JobError)

    def _check_files(self, needs: Collection[Needed], frames: Sequence[int]) -> None:
        known = len(self.info.frames)
        if frames[-1] > self.frames[known - 1]:
            raise JobError(
                f"{self.path / 'job.json'} tells of frames {self.frames[0]} to {self.frames[known - 1]} only: "
                f"the export of {self.frames[0]} to {self.frames[-1]} is not finished. Finish it, or stylize only "
                "these."
            )
        files = {"color": self.color, "passes": self.passes}
        missing = [
            f"{kind}/{files[kind](frame).name}"
            for kind in ("color", "passes")
            if kind in needs
            for frame in frames
            if not files[kind](frame).is_file()
        ]
        if missing:
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            raise JobError(f"{self.path} lacks {shown}. Export these frames again, or correct the range in job.json.")
        if "color" in needs:
            for frame in frames:
                self._check_size(self.color(frame))

    def _check_size(self, color: Path) -> None:
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
    """For each frame what differs from the frame before, as ``job.json`` has it."""
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
        raise JobError(f"{folder} is not a folder. Give a folder that the add-on exported: it holds a job.json.")
    path = folder / "job.json"
    try:
        content: object = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise JobError(f"{folder} holds no job.json. Give a folder that the add-on exported.") from None
    except OSError as refusal:
        raise JobError(f"Cannot read {path}: {refusal.strerror or refusal}.") from refusal
    except ValueError as failure:
        raise JobError(f"{path} is not JSON: {failure}. Export the animation again.") from None
    return content
