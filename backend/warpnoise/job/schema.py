"""``job.json``, schema 2, as frozen models that validate it and name the invalid field.

Types are strict: a number in quotes is not a number. Unknown fields are refused, because most are typing errors.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, model_validator

from warpnoise.errors import JobError
from warpnoise.job.settings import Settings
from warpnoise.media.bounded import LARGEST_PICTURE
from warpnoise.media.validation import StrictModel, short, validated

SCHEMA_VERSION: Final = 2


LARGEST_JOB_FILE: Final = 128 << 20
"""Bytes: a long shot with thousands of moving objects."""
LAST_FRAME: Final = 1_048_574
"""Blender's last frame; its first is minus that."""
LARGEST_SIDE: Final = 65_536
"""Pixels; Blender's."""
SLOWEST_MOVIE: Final = Fraction(1, 10_000)
"""Pictures a second. FFmpeg's MP4 cannot hold 1/50,000."""
_LARGEST_ENTRY = 1e12
"""Of a matrix. Products of a few matrices stay far from what overflows."""


def _invertible(matrix: Matrix) -> Matrix:
    try:
        inverse = np.linalg.inv(np.asarray(matrix))
    except np.linalg.LinAlgError:
        inverse = np.full((4, 4), np.inf)
    if not np.abs(inverse).max() <= _LARGEST_ENTRY:
        raise ValueError("expected a matrix that can be inverted")
    return matrix


FrameNumber = Annotated[int, Field(ge=-LAST_FRAME, le=LAST_FRAME)]
Entry = Annotated[float, Field(ge=-_LARGEST_ENTRY, le=_LARGEST_ENTRY, allow_inf_nan=False)]
Row = tuple[Entry, Entry, Entry, Entry]
Matrix = tuple[Row, Row, Row, Row]
InvertibleMatrix = Annotated[Matrix, AfterValidator(_invertible)]


class SceneInfo(StrictModel):
    """The properties of the whole animation."""

    name: str = "Scene"
    fps: Annotated[float, Field(ge=0.01, le=10_000)] = 24.0
    frame_start: FrameNumber
    frame_end: FrameNumber
    frame_step: Annotated[int, Field(ge=1, le=LAST_FRAME)] = 1
    width: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    """Pixels, after the resolution percentage."""
    height: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    display: str = "sRGB"
    view_transform: str = "Standard"
    look: str = "None"
    transparent: bool = False
    """Whether ``color/`` has alpha."""
    averaged_vectors: bool = False
    """Whether ``passes/`` are a usual render's: vectors are means over a pixel's samples, not the centre's."""

    @property
    def rate(self) -> Fraction:
        """Pictures per second of the animation that the job holds, as a movie file wants it: 23.976 is 24000/1001."""
        ntsc = Fraction(round(self.fps) * 1000, 1001)
        fps = ntsc if abs(ntsc - Fraction(self.fps)) < Fraction(1, 1000) else Fraction(self.fps).limit_denominator(1001)
        return fps / self.frame_step

    @property
    def frames(self) -> range:
        """The frame numbers that the job holds."""
        return range(self.frame_start, self.frame_end + 1, self.frame_step)


class Camera(StrictModel):
    """A camera at one frame. Camera space is OpenGL's: x right, y up, looking along -z."""

    name: str = ""
    type: Literal["PERSP", "ORTHO"]
    world: InvertibleMatrix
    """Camera to world, row-major, no scale."""
    projection: InvertibleMatrix
    """OpenGL clip matrix: x and y in [-1, 1], y up."""


class FrameInfo(StrictModel):
    """One frame of the job as in the file. ``objects`` holds only changes."""

    frame: FrameNumber
    camera: Camera | None
    """None: not known. Then the vectors are the only motion there is, that of the background included."""
    objects: dict[str, Matrix | None] = Field(default_factory=dict)
    """Object-to-world of each object that is drawn as itself and changed since the frame before; None: it is gone."""
    cut: bool = False
    """The picture is cut between the frame before and this one: nothing is seen again."""
    unknown_motion: tuple[str, ...] = ()
    """Objects whose vectors between the frame before and this one mean nothing: their topology changed."""


class JobInfo(StrictModel):
    """The whole of ``job.json``."""

    schema_version: Annotated[Literal[2], Field(alias="schema")] = SCHEMA_VERSION
    generator: str = ""
    scene: SceneInfo
    frames: tuple[FrameInfo, ...]
    """In order. While several machines export, there can be fewer than the scene has: the first ones."""
    settings: Settings = Settings()

    @model_validator(mode="after")
    def _frames_are_the_scene_s(self) -> JobInfo:
        scene = self.scene
        if scene.width * scene.height > LARGEST_PICTURE:
            raise ValueError(
                f"scene.width, scene.height: expected at most {LARGEST_PICTURE} pixels in all, got {scene.width} x "
                f"{scene.height}"
            )
        if scene.rate < SLOWEST_MOVIE:
            raise ValueError(
                f"scene.fps, scene.frame_step: expected at least {float(SLOWEST_MOVIE)} pictures a second, got "
                f"{scene.fps} / {scene.frame_step}"
            )
        if scene.frame_end < scene.frame_start:
            raise ValueError(
                f"scene.frame_end: expected {scene.frame_start} (scene.frame_start) or more, got {scene.frame_end}"
            )
        if not self.frames:
            raise ValueError("frames: expected one entry for each frame, got none")
        for index, (expected, info) in enumerate(zip(scene.frames, self.frames, strict=False)):
            if info.frame != expected:
                raise ValueError(f"frames[{index}].frame: expected {expected}, got {info.frame}")
        if len(self.frames) > len(scene.frames):
            raise ValueError(
                f"frames: expected {len(scene.frames)} entries at most, for frames {scene.frame_start} to "
                f"{scene.frame_end} in steps of {scene.frame_step}, got {len(self.frames)}"
            )
        return self

    @classmethod
    def parse(cls, content: object, where: str) -> JobInfo:
        """The checked job. ``content``: what the JSON text holds; ``where``: names the file in messages.

        Raises:
            JobError: another schema version, or a bad field, which the message names with expected and got.
        """
        if not isinstance(content, dict):
            raise JobError(f"{where} is not a job: expected an object, got {type(content).__name__}.")
        _check_version(content.get("schema"), where)
        return validated(cls, content, where, JobError)


def as_array(matrix: Matrix) -> npt.NDArray[np.float64]:
    """The matrix as a read-only (4, 4) float64 array."""
    array = np.array(matrix, dtype=np.float64)
    array.setflags(write=False)
    return array


def as_matrix(array: npt.ArrayLike) -> Matrix:
    """The (4, 4) array as the tuples of rows that the models hold. Raises ValueError for another shape."""
    values = np.asarray(array, dtype=np.float64)
    if values.shape != (4, 4):
        raise ValueError(f"expected a matrix of shape (4, 4), got {values.shape}")
    rows = [(float(a), float(b), float(c), float(d)) for a, b, c, d in values]
    return rows[0], rows[1], rows[2], rows[3]


def _check_version(version: object, where: str) -> None:
    if isinstance(version, bool) or not isinstance(version, int):
        got = "nothing" if version is None else short(repr(version))
        raise JobError(f'{where} is not a job: expected "schema": {SCHEMA_VERSION}, got {got}.')
    if version > SCHEMA_VERSION:
        raise JobError(
            f"{where} has the newer schema version {version}; this Warpnoise reads version {SCHEMA_VERSION}. "
            "Update Warpnoise's backend."
        )
    if version < SCHEMA_VERSION:
        raise JobError(
            f"{where} has the older schema version {version}; this Warpnoise reads version {SCHEMA_VERSION}. Its "
            "frames are the PNG files in stylized/ and results/*/stylized/: copy what you need. Then export the "
            "animation to a new folder with the current add-on."
        )
