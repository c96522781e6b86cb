"""The settings of a stylizing, each written down once: its name, title, description, range and default.

The command line (``warpnoise.cli.shared_options``), the HTTP interface and ``job.json`` take what `Settings` takes. The
add-on builds its properties and its command line from ``warpnoise_addon/settings.json``, a JSON schema that

    python -m warpnoise.job.settings_schema

writes from `Settings`. A setting of which null means "the model's own" is resolved by
``warpnoise.pipeline.made_of.effective``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from warpnoise.errors import SettingsError
from warpnoise.job.validation import OWN_MESSAGE, StrictModel, validated
from warpnoise.noise import METHODS, NOISE_METHODS
from warpnoise.sdedit.samplers import SAMPLERS

_THE_MODEL_S = "the model's own"
_THE_PRESET_S = "the coherence preset's"


def setting(
    default: object,
    title: str,
    description: str,
    *,
    gt: float | None = None,
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    enum: list[str | None] | None = None,
    **hints: object,
) -> Any:
    """A field with what command lines and interfaces need.

    Args:
        default: ``...``: it must be given.
        title: in title case.
        description: a sentence or two for tooltips and help texts, without the last full stop.
        gt, ge, le: the range of a number. min_length, max_length: of a text or a list. enum: the allowed values.
        hints: ``subtype``: what a text or number is: FACTOR, FILE_PATH, DIR_PATH, MODEL (one of the backend's), STYLE
            (one of the model's). ``min``, ``soft_min``, ``soft_max``: of a slider, where it is narrower than the range.
            ``null``: what null means; ``start``: what is offered instead of it. ``metavar``: how the command line's
            help names the value; ``option``: one item of a list there. ``labels``: for each allowed value
            ``{"label", "description"}``.
    """
    extra: dict[str, Any] = ({"enum": enum} if enum else {}) | ({"x-ui": hints} if hints else {})
    bounds = {"gt": gt, "ge": ge, "le": le, "min_length": min_length, "max_length": max_length}
    given: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    return Field(default, title=title, description=description, json_schema_extra=extra, **given)


def _labels(known: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {name: {"label": each.label, "description": each.description} for name, each in known.items()}


class Lora(StrictModel):
    """A LoRA file and its weight."""

    path: str = setting(..., "File", "A .safetensors file", min_length=1, subtype="FILE_PATH")
    weight: float = setting(
        1.0, "Weight", "How strongly it acts: 1 as it was trained, 0 not at all", ge=-10, le=10, soft_min=0, soft_max=2
    )


class Control(StrictModel):
    """A ControlNet, what it is shown, and how strongly and when it acts."""

    path: str = setting(
        ..., "Folder", "The folder of a diffusers ControlNet for the model", min_length=1, subtype="DIR_PATH"
    )
    input: Literal["depth", "normals", "lines", "color"] = setting(
        "depth",
        "Input",
        "What it is shown of the scene",
        labels={
            "depth": {"label": "Depth", "description": "True depth, scaled once for the whole shot."},
            "normals": {"label": "Normals", "description": "Which way surfaces face."},
            "lines": {"label": "Lines", "description": "Edges of objects, creases and silhouettes."},
            "color": {"label": "Color", "description": "The frame itself."},
        },
    )
    weight: float = setting(1.0, "Weight", "How strongly it acts", ge=0, le=10, soft_max=2)
    start: float = setting(0.0, "Start", "The part of the steps from which on it acts", ge=0, le=1)
    end: float = setting(1.0, "End", "The part of the steps up to which it acts", ge=0, le=1)


class Settings(StrictModel):
    """What to make of a shot. The order is that of panels and help texts."""

    model: str = setting(
        "default",
        "Model",
        '"default", or the folder of a diffusers model; `warpnoise models` describes it',
        min_length=1,
        subtype="MODEL",
        metavar="NAME|FOLDER",
    )
    style: str | None = setting(
        None,
        "Style",
        "A style by its name, for a model that has styles",
        subtype="STYLE",
        null="the model's first",
        metavar="NAME",
    )
    prompt: str = setting("", "Prompt", "What the frames show, for a model that takes a prompt")
    negative_prompt: str = setting(
        "", "Negative Prompt", "What the frames do not show, for a model that takes a prompt"
    )
    strength: float = setting(
        0.5,
        "Strength",
        "How far the model may go from the render: 0 leaves it, 1 ignores it",
        gt=0,
        le=1,
        subtype="FACTOR",
        min=0.01,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Denoising steps of the whole schedule; strength x steps of them run. More are slower, and finer up to about "
        "50",
        ge=1,
        le=10_000,
        null=_THE_MODEL_S,
        start=20,
        soft_max=100,
    )
    guidance: float | None = setting(
        None,
        "Guidance",
        "How closely the model follows the prompt or style (classifier-free guidance)",
        ge=0,
        le=1000,
        null=_THE_MODEL_S,
        start=7.5,
        soft_max=20,
    )
    texture: float | None = setting(
        None,
        "Texture",
        "Noise on the frames that moves with the surfaces, from which the model makes a material where it would leave "
        "a surface flat",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_MODEL_S,
        start=0.2,
    )
    loras: tuple[Lora, ...] = setting(
        (),
        "LoRAs",
        "Files that change what the model paints, for the base that it was made for",
        max_length=16,
        option="lora",
        metavar="FILE[,weight=N]",
    )
    controls: tuple[Control, ...] = setting(
        (),
        "Controls",
        "ControlNets, which hold the model to the scene's depth, normals, lines or colors",
        max_length=8,
        option="control",
        metavar="FOLDER[,input=depth][,weight=N]",
    )
    sampler: str | None = setting(
        None,
        "Sampler",
        "How each step goes from more noise to less",
        enum=[*SAMPLERS, None],
        null=_THE_MODEL_S,
        start="ddim",
        metavar="NAME",
        labels=_labels(SAMPLERS),
    )
    eta: float = setting(
        0.0,
        "Eta",
        "New noise in each denoising step, warped as well, where the sampler has the choice: 0 is none, 1 renews all "
        "of it (DDIM and DDPM)",
        ge=0,
        le=1,
        subtype="FACTOR",
    )
    phase_lock: Literal["exact", "always", "off"] = setting(
        "exact",
        "Phase Lock",
        "Shifts each frame on the model's grid so that its largest surface keeps its place there. Shifted frames have "
        "a border, which takes time",
        labels={
            "exact": {"label": "Where Exact", "description": "In pans, as long as the whole frame moves as one."},
            "always": {"label": "Always", "description": "Also where other surfaces move against the largest one."},
            "off": {"label": "Off", "description": "Frames stay where they are."},
        },
    )
    coherence: Literal["steady", "balanced", "lively", "off"] = setting(
        "off",
        "Coherence",
        "How strongly surfaces keep what was painted on them once, beyond what the noise does",
        labels={
            "steady": {"label": "Steady", "description": "As still as it gets; light on the paint may lag behind."},
            "balanced": {"label": "Balanced", "description": "Held together, and as sharp as single frames."},
            "lively": {"label": "Lively", "description": "Held together loosely, for a hand-made look."},
            "off": {"label": "Off", "description": "Noise alone."},
        },
    )
    key_share: float | None = setting(
        None,
        "Key Share",
        "A frame is a key frame where more than this share of it was in no key frame before",
        ge=0.01,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.1,
    )
    pull: float | None = setting(
        None,
        "Pull",
        "How strongly the steps draw a frame toward what its surfaces look like in key frames and in the frame before",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.9,
    )
    accumulation: float | None = setting(
        None,
        "Accumulation",
        "How much of a finished frame, but for its finest detail, is the mean of the frames around it",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.5,
    )
    attention: float | None = setting(
        None,
        "Attention",
        "How strongly a frame looks at its key frame while it is denoised, for models with a prompt that can",
        ge=0,
        le=1,
        subtype="FACTOR",
        null=_THE_PRESET_S,
        start=0.5,
    )
    seed: int = setting(
        0,
        "Seed",
        "Decides every bit of the noise: another seed is another brushwork in the same style",
        ge=0,
        le=2**63 - 1,
    )
    noise: str = setting(
        NOISE_METHODS[0],
        "Noise",
        "How the noise goes from frame to frame. All but the first are for comparison",
        enum=[*NOISE_METHODS],
        labels=_labels(METHODS),
    )

    @field_validator("sampler", "noise")
    @classmethod
    def _known(cls, name: str | None, info: ValidationInfo) -> str | None:
        known: Mapping[str, object] = SAMPLERS if info.field_name == "sampler" else METHODS
        if name is not None and name not in known:
            names = {"name": repr(name), "known": ", ".join(known)}
            raise PydanticCustomError(OWN_MESSAGE, "there is no {name}; there are {known}", names)
        return name

    def updated(self, changes: Mapping[str, object]) -> Settings:
        """These settings with ``changes`` in place of the fields that it names.

        Raises:
            SettingsError: an unknown field, a wrong type, or a value out of its range.
        """
        return validated(Settings, {**self.model_dump(), **changes}, "The settings", SettingsError)
