"""The settings of a stylizing, each written down once: its name, title, description, range and default.

The command line (``warpnoise.cli.shared_options``), the HTTP interface and ``job.json`` take what `Settings` takes. The
add-on builds its properties and its command line from ``warpnoise_addon/settings.json``, a JSON schema that

    python -m warpnoise.job.settings_schema

writes from `Settings`. A setting of which null means "the model's own" is resolved by
``warpnoise.pipeline.made_of.effective``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from warpnoise.errors import SettingsError
from warpnoise.job.validation import OWN_MESSAGE, StrictModel, validated
from warpnoise.noise import METHODS, NOISE_METHODS
from warpnoise.sdedit.samplers import SAMPLERS

_MAX_SEED = 2**63 - 1
_THE_MODEL_S = "the model's own"


def ui(**hints: Any) -> dict[str, Any]:
    """How a user interface and a command line show a setting; all hints may be left out.

    ``subtype``: what a text or number is: FACTOR, FILE_PATH, MODEL (one of the backend's), STYLE (one of the model's).
    ``min``, ``soft_min``, ``soft_max``: of a slider, where it is narrower than the range.
    ``null``: what null means; ``start``: what is offered instead of it.
    ``metavar``: how the command line's help names the value; ``option``: one item of a list there.
    ``labels``: for each allowed value ``{"label", "description"}``.
    """
    return {"x-ui": hints}


def _known_noise(name: str) -> str:
    if name not in NOISE_METHODS:
        raise PydanticCustomError(OWN_MESSAGE, "there is no {name}; there are {known}", {
            "name": repr(name), "known": ", ".join(NOISE_METHODS)
        })  # fmt: skip
    return name


def _known_sampler(name: str | None) -> str | None:
    if name is not None and name not in SAMPLERS:
        raise PydanticCustomError(OWN_MESSAGE, "there is no {name}; there are {known}", {
            "name": repr(name), "known": ", ".join(SAMPLERS)
        })  # fmt: skip
    return name


class Lora(StrictModel):
    """A LoRA file and its weight."""

    path: Annotated[
        str,
        Field(title="File", description="A .safetensors file", min_length=1, json_schema_extra=ui(subtype="FILE_PATH")),
    ]
    weight: Annotated[
        float,
        Field(
            title="Weight",
            description="How strongly it acts: 1 as it was trained, 0 not at all",
            ge=-10,
            le=10,
            json_schema_extra=ui(soft_min=0, soft_max=2),
        ),
    ] = 1.0


class Control(StrictModel):
    """A ControlNet, what it is shown, and how strongly and when it acts."""

    path: Annotated[
        str,
        Field(
            title="Folder",
            description="The folder of a diffusers ControlNet for the model",
            min_length=1,
            json_schema_extra=ui(subtype="DIR_PATH"),
        ),
    ]
    input: Annotated[
        Literal["depth", "normals", "lines", "color"],
        Field(
            title="Input",
            description="What it is shown of the scene",
            json_schema_extra=ui(
                labels={
                    "depth": {"label": "Depth", "description": "True depth, scaled once for the whole shot."},
                    "normals": {"label": "Normals", "description": "Which way surfaces face."},
                    "lines": {"label": "Lines", "description": "Edges of objects, creases and silhouettes."},
                    "color": {"label": "Color", "description": "The frame itself."},
                }
            ),
        ),
    ] = "depth"
    weight: Annotated[
        float,
        Field(
            title="Weight",
            description="How strongly it acts",
            ge=0,
            le=10,
            json_schema_extra=ui(soft_max=2),
        ),
    ] = 1.0
    start: Annotated[
        float, Field(title="Start", description="The part of the steps from which on it acts", ge=0, le=1)
    ] = 0.0
    end: Annotated[float, Field(title="End", description="The part of the steps up to which it acts", ge=0, le=1)] = 1.0


class Settings(StrictModel):
    """What to make of a shot. The order is that of panels and help texts."""

    model: Annotated[
        str,
        Field(
            title="Model",
            description='"default", or the folder of a diffusers model; `warpnoise models` describes it',
            min_length=1,
            json_schema_extra=ui(subtype="MODEL", metavar="NAME|FOLDER"),
        ),
    ] = "default"
    style: Annotated[
        str | None,
        Field(
            title="Style",
            description="A style by its name, for a model that has styles",
            json_schema_extra=ui(subtype="STYLE", null="the model's first", metavar="NAME"),
        ),
    ] = None
    prompt: Annotated[
        str, Field(title="Prompt", description="What the frames show, for a model that takes a prompt")
    ] = ""
    negative_prompt: Annotated[
        str, Field(title="Negative Prompt", description="What the frames do not show, for a model that takes a prompt")
    ] = ""
    strength: Annotated[
        float,
        Field(
            title="Strength",
            description="How far the model may go from the render: 0 leaves it, 1 ignores it",
            gt=0,
            le=1,
            json_schema_extra=ui(subtype="FACTOR", min=0.01),
        ),
    ] = 0.5
    steps: Annotated[
        int | None,
        Field(
            title="Steps",
            description="Denoising steps of the whole schedule; strength x steps of them run. More are slower, and "
            "finer up to about 50",
            ge=1,
            le=10_000,
            json_schema_extra=ui(null=_THE_MODEL_S, start=20, soft_max=100),
        ),
    ] = None
    guidance: Annotated[
        float | None,
        Field(
            title="Guidance",
            description="How closely the model follows the prompt or style (classifier-free guidance)",
            ge=0,
            le=1000,
            json_schema_extra=ui(null=_THE_MODEL_S, start=7.5, soft_max=20),
        ),
    ] = None
    texture: Annotated[
        float | None,
        Field(
            title="Texture",
            description="Noise on the frames that moves with the surfaces, from which the model makes a material "
            "where it would leave a surface flat",
            ge=0,
            le=1,
            json_schema_extra=ui(subtype="FACTOR", null=_THE_MODEL_S, start=0.2),
        ),
    ] = None
    loras: Annotated[
        tuple[Lora, ...],
        Field(
            title="LoRAs",
            description="Files that change what the model paints, for the base that it was made for",
            max_length=16,
            json_schema_extra=ui(option="lora", metavar="FILE[,weight=N]"),
        ),
    ] = ()
    controls: Annotated[
        tuple[Control, ...],
        Field(
            title="Controls",
            description="ControlNets, which hold the model to the scene's depth, normals, lines or colors",
            max_length=8,
            json_schema_extra=ui(option="control", metavar="FOLDER[,input=depth][,weight=N]"),
        ),
    ] = ()
    sampler: Annotated[
        str | None,
        AfterValidator(_known_sampler),
        Field(
            title="Sampler",
            description="How each step goes from more noise to less",
            json_schema_extra={
                "enum": [*SAMPLERS, None],
                **ui(
                    null=_THE_MODEL_S,
                    start="ddim",
                    metavar="NAME",
                    labels={
                        name: {"label": sampler.label, "description": sampler.description}
                        for name, sampler in SAMPLERS.items()
                    },
                ),
            },
        ),
    ] = None
    eta: Annotated[
        float,
        Field(
            title="Eta",
            description="New noise in each denoising step, warped as well, where the sampler has the choice: 0 is "
            "none, 1 renews all of it (DDIM and DDPM)",
            ge=0,
            le=1,
            json_schema_extra=ui(subtype="FACTOR"),
        ),
    ] = 0.0
    seed: Annotated[
        int,
        Field(
            title="Seed",
            description="Decides every bit of the noise: another seed is another brushwork in the same style",
            ge=0,
            le=_MAX_SEED,
        ),
    ] = 0
    noise: Annotated[
        str,
        AfterValidator(_known_noise),
        Field(
            title="Noise",
            description="How the noise goes from frame to frame. All but the first are for comparison",
            json_schema_extra={
                "enum": list(NOISE_METHODS),
                **ui(labels={name: {"label": m.label, "description": m.description} for name, m in METHODS.items()}),
            },
        ),
    ] = NOISE_METHODS[0]

    def updated(self, changes: Mapping[str, object]) -> Settings:
        """These settings with ``changes`` in place of the fields that it names.

        Raises:
            SettingsError: an unknown field, a wrong type, or a value out of its range.
        """
        return validated(Settings, {**self.model_dump(), **changes}, "The settings", SettingsError)
