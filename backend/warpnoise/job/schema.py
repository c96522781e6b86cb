"""``job.json``, schema 1, as frozen models that validate, and name the bad field.

Types are strict: a number in quotes is not a number. Unknown fields are refused: they are mostly typing errors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from warpnoise.errors import JobError, SettingsError, WarpnoiseError

SCHEMA_VERSION: Final = 1

MAX_SEED = 2**63 - 1


def _invertible(matrix: Matrix) -> Matrix:
    if not np.isfinite(np.linalg.cond(np.asarray(matrix))):
        raise PydanticCustomError("singular", "expected a matrix that can be inverted")
    return matrix


Row = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
Matrix = tuple[Row, Row, Row, Row]
InvertibleMatrix = Annotated[Matrix, AfterValidator(_invertible)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Settings(_Model):
    """What the stylizing shall do. The same fields in ``job.json``, the HTTP interface and the command."""

    model: Annotated[str, Field(min_length=1)] = "default"
    """``default``, or the path of a diffusers folder."""
    style: str | None = None
    """A class-conditional model's style by its name; None: its first."""
    prompt: str = ""
    negative_prompt: str = ""
    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Where SDEdit starts on the way from the image (0) to pure noise (1)."""
    steps: Annotated[int | None, Field(ge=1, le=10_000)] = None
    """Steps of the whole schedule; ``strength * steps`` of them run. None: the model's own."""
    guidance: Annotated[float | None, Field(ge=0)] = None
    """Classifier-free guidance scale; None: the model's own."""
    texture: Annotated[float | None, Field(ge=0, le=1)] = None
    """How much noise that rides on the surfaces is put on the frames before SDEdit; None: the model's own."""
    eta: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Noise of the denoising steps: 0 is DDIM (none), 1 is DDPM."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    noise: Annotated[str, Field(min_length=1)] = "warped"
    """``warped``, or the name of a baseline of ``warpnoise.noise``."""

    def updated(self, changes: Mapping[str, object]) -> Settings:
        """These settings with ``changes`` in place of the fields that it names.

        Raises:
            SettingsError: an unknown field, a wrong type, or a value out of its range.
        """
        return _validated(Settings, {**self.model_dump(), **changes}, SettingsError, "The settings")


class SceneInfo(_Model):
    """What holds for the whole animation."""

    name: str = "Scene"
    fps: Annotated[float, Field(gt=0)] = 24.0
    frame_start: int
    frame_end: int
    frame_step: Annotated[int, Field(ge=1)] = 1
    width: Annotated[int, Field(ge=1)]
    """Pixels, after the resolution percentage."""
    height: Annotated[int, Field(ge=1)]
    display: str = "sRGB"
    view_transform: str = "Standard"
    look: str = "None"
    transparent: bool = False
    """Whether ``color/`` has alpha."""

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


class Camera(_Model):
    """A camera at one frame. Camera space is OpenGL's: x right, y up, looking along -z."""

    name: str = ""
    type: Literal["PERSP", "ORTHO"]
    world: InvertibleMatrix
    """Camera to world, row-major, no scale."""
    projection: InvertibleMatrix
    """OpenGL clip matrix: x and y in [-1, 1], y up."""


class FrameInfo(_Model):
    """One frame of the job, as it stands in the file: ``objects`` holds only what changed."""

    frame: int
    camera: Camera | None
    """None: not known. Then the vectors are the only motion there is, that of the background included."""
    objects: dict[str, Matrix | None] = Field(default_factory=dict)
    """Object-to-world of each object that is drawn as itself and changed since the frame before; None: it is gone."""
    cut: bool = False
    """The picture is cut between the frame before and this one: nothing is seen again."""
    unknown_motion: tuple[str, ...] = ()
    """Objects whose vectors between the frame before and this one mean nothing: their topology changed."""


class JobInfo(_Model):
    """The whole of ``job.json``."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = SCHEMA_VERSION
    generator: str = ""
    scene: SceneInfo
    frames: tuple[FrameInfo, ...]
    """In order. While several machines export, there can be fewer than the scene has: the first ones."""
    settings: Settings = Settings()

    @model_validator(mode="after")
    def _frames_are_the_scene_s(self) -> JobInfo:
        scene = self.scene
        if scene.frame_end < scene.frame_start:
            raise PydanticCustomError(
                "frames",
                "scene.frame_end: expected {start} (scene.frame_start) or more, got {end}",
                {"start": scene.frame_start, "end": scene.frame_end},
            )
        if not self.frames:
            raise PydanticCustomError("frames", "frames: expected one entry for each frame, got none")
        for index, (expected, info) in enumerate(zip(scene.frames, self.frames, strict=False)):
            if info.frame != expected:
                raise PydanticCustomError(
                    "frames",
                    "frames[{index}].frame: expected {expected}, got {got}",
                    {"index": index, "expected": expected, "got": info.frame},
                )
        if len(self.frames) > len(scene.frames):
            raise PydanticCustomError(
                "frames",
                "frames: expected {expected} entries at most, for frames {start} to {end} in steps of {step}, "
                "got {got}",
                {
                    "expected": len(scene.frames),
                    "start": scene.frame_start,
                    "end": scene.frame_end,
                    "step": scene.frame_step,
                    "got": len(self.frames),
                },
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
        return _validated(cls, content, JobError, where)


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
        got = "nothing" if version is None else repr(version)
        raise JobError(f'{where} is not a job: expected "schema": {SCHEMA_VERSION}, got {got}.')
    if version > SCHEMA_VERSION:
        raise JobError(
            f"{where} has the newer schema version {version}; this Warpnoise reads version {SCHEMA_VERSION}. "
            "Update Warpnoise's backend."
        )
    if version < SCHEMA_VERSION:
        raise JobError(
            f"{where} has the older schema version {version}; this Warpnoise reads version {SCHEMA_VERSION}. "
            "Export the animation again with the current add-on."
        )


_Validated = TypeVar("_Validated", bound=BaseModel)


def _validated(model: type[_Validated], content: object, error: type[WarpnoiseError], where: str) -> _Validated:
    try:
        # Lists stand for tuples, as in JSON; everything else stays strict.
        return model.model_validate(_tuples(content))
    except ValidationError as failure:
        details = failure.errors(include_url=False)
        shown = "; ".join(_message(model, item) for item in details[:3])
        more = f"; and {len(details) - 3} more" if len(details) > 3 else ""
        raise error(f"{where}: {shown}{more}.") from None


def _tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    place = _place(detail["loc"])
    kind = detail["type"]
    if kind == "missing":
        return f"{place}: this field is missing"
    if kind == "extra_forbidden":
        name = str(detail["loc"][-1])
        near = difflib.get_close_matches(name, _field_names(model, detail["loc"][:-1]), n=1)
        return f"{place}: no such field" + (f"; perhaps {near[0]!r} is meant" if near else "")
    if kind == "frames":
        return detail["msg"]
    if kind == "singular":
        return f"{place}: {detail['msg']}"
    expected = re.sub(r"^(Input|String) should", "expected to", detail["msg"]).replace("expected to be", "expected")
    got = repr(detail["input"])
    return f"{place}: {expected}, got {got if len(got) <= 60 else got[:57] + '...'}"


def _place(loc: Iterable[int | str]) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "the whole"


_NESTED: dict[str, type[BaseModel]] = {"scene": SceneInfo, "settings": Settings, "camera": Camera}


def _field_names(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    # Only the way that leads to a model's own fields: scene, settings, frames[i] and frames[i].camera.
    for part in loc:
        if part == "frames":
            model = FrameInfo
        elif isinstance(part, str):
            model = _NESTED.get(part, model)
    return [field.alias or name for name, field in model.model_fields.items()]
