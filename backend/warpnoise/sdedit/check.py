"""Compares settings with a model, before anything slow is loaded."""

from __future__ import annotations

from warpnoise.errors import SettingsError
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_files import check_weights, component
from warpnoise.sdedit.places import resolve
from warpnoise.sdedit.reference_pictures import read_reference
from warpnoise.sdedit.samplers import SAMPLERS, own_sampler

_SHORTEST_REFERENCE, _LONGEST_REFERENCE = 64, 8
"""What FLUX.2 takes: pixels of the shorter side, and how many times as long the other may be."""
_BOUNDS = (
    f"expected a shorter side of at least {_SHORTEST_REFERENCE}, and a longer one of at most {_LONGEST_REFERENCE} "
    "times that"
)
_ADAPTERS = {
    "loras": "LoRA",
    "embeddings": "textual inversions",
    "controls": "ControlNet",
    "ip_adapters": "IP-Adapter",
}
_OF_FAMILIES = ("negative_prompt", "embeddings", "controls", "ip_adapters", "attention")
"""Settings that only some families take, as their rows say."""


def unused_settings(model: ModelFolder) -> frozenset[str]:
    """Names of the settings that have no effect with a model, or that it refuses. Interfaces hide them."""
    family = model.family
    has_effect = {
        "style": model.styles,
        "latent_noise": "vae" in model.parts,
        "prompt": family,
        "loras": family,
        "guidance": family or model.sheet.null_class is not None,
        "references": model.references,
        **{name: family and getattr(family, name) for name in _OF_FAMILIES},
    }
    return frozenset(name for name, effect in has_effect.items() if not effect)


def check_settings(model: ModelFolder, settings: EditSettings, size: tuple[int, int] | None = None) -> tuple[str, ...]:
    """Warnings about settings that have no effect with this model, as whole sentences.

    Also looks into each file that the settings name. Loads tokenizers, and none of the model's weights.

    Args:
        size: width and height of the frames in pixels; None: not known yet.

    Raises:
        SettingsError: a setting is out of its range, or the model does not take it, such as a prompt that is too long;
            or the frames have a size that the model does not take.
        ModelError: weights of the model are incomplete; or a file that the settings name is missing, broken, or made
            for another model.
    """
    check_values(model, settings)
    for part in model.weighted_in_folder:
        check_weights(component(model.path, part))
    _check_pictures(model, settings, size)
    warnings = _sampler_warnings(model, settings) + _text_warnings(model, settings)
    if model.family is None:
        return warnings
    # These modules import PyTorch, which takes seconds.
    from warpnoise.sdedit.controls import check_controls
    from warpnoise.sdedit.embeddings import embedding_warnings
    from warpnoise.sdedit.ip_adapters import check_ip_adapters
    from warpnoise.sdedit.loras import read_lora
    from warpnoise.sdedit.prompts import check_prompts

    check_controls(model, settings.controls)
    check_ip_adapters(model, settings.ip_adapters)
    warnings += embedding_warnings(model, settings)
    for lora in settings.loras:
        read_lora(model, resolve(lora.path, "lora"))
    return warnings + check_prompts(model, settings)


def check_values(model: ModelFolder, settings: EditSettings) -> None:
    """Raises SettingsError: the model does not take one of the settings' values. Reads no file."""
    mixing = "flow" if model.is_flow else "diffusion"
    fitting = [name for name, sampler in SAMPLERS.items() if mixing in sampler.mixing]
    if settings.sampler is not None and settings.sampler not in fitting:
        kind = "flow-matching" if model.is_flow else "diffusion"
        raise SettingsError(
            f"sampler {settings.sampler!r}: the model {model.name} is a {kind} model and takes {', '.join(fitting)}"
        )
    steps, sampler = model.steps_for(settings), SAMPLERS[model.sampler_for(settings)]
    if not 1 <= steps <= model.train_timesteps:
        raise SettingsError(f"steps: expected 1 to {model.train_timesteps}, as the model was trained, got {steps}")
    if sampler.most_steps is not None and steps > sampler.most_steps:
        raise SettingsError(f"steps: expected 1 to {sampler.most_steps} with the sampler {sampler.label}, got {steps}")
    if settings.style is not None and settings.style not in model.styles:
        if not model.styles:
            hint = "say it in the prompt" if model.takes_prompt else "leave it out"
            raise SettingsError(f"style {settings.style!r}: the model {model.name} has no styles: {hint}")
        raise SettingsError(f"style {settings.style!r}: the model {model.name} has {', '.join(model.styles)}")
    if settings.guidance not in (None, 1.0) and not model.takes_prompt and model.sheet.null_class is None:
        raise SettingsError(
            f"guidance {settings.guidance}: guidance needs a null class, which the model {model.name} does not have: "
            "leave it out"
        )
    unused = unused_settings(model)
    for name, what in _ADAPTERS.items():
        if (adapters := getattr(settings, name)) and name in unused:
            title = model.family.title if model.family else "a pixel model"
            raise SettingsError(
                f"{name[:-1]} {adapters[0].path}: the model {model.name} is {title}, which takes no {what}: leave it "
                f"out (--{name[:-1].replace('_', '-')} none)"
            )
    if len(settings.references) > model.references:
        takes = f"at most {model.references} beside the render" if model.references else "none"
        raise SettingsError(
            f"reference {settings.references[model.references].path}: the model {model.name} takes {takes}: leave it "
            "out (--reference none)"
        )


def _check_pictures(model: ModelFolder, settings: EditSettings, size: tuple[int, int] | None) -> None:
    for reference in settings.references:
        picture = read_reference(reference.path, "reference")
        if _out_of_bounds(*picture.size):
            raise SettingsError(
                f"reference {reference.path}: {picture.width} x {picture.height} pixels; {_BOUNDS}. "
                "Crop it, or leave it out (--reference none)"
            )
    bounded = model.family is not None and model.family.bounded_references
    if bounded and size is not None and _out_of_bounds(*size):
        raise SettingsError(
            f"the frames have {size[0]} x {size[1]} pixels, and the model {model.name} takes each as a reference: "
            f"{_BOUNDS}. Render at another size, or choose another model"
        )


def _out_of_bounds(width: int, height: int) -> bool:
    short, long = sorted((width, height))
    return short < _SHORTEST_REFERENCE or long > _LONGEST_REFERENCE * short


def _sampler_warnings(model: ModelFolder, settings: EditSettings) -> tuple[str, ...]:
    warnings = []
    sampler = SAMPLERS[model.sampler_for(settings)]
    missing = own_sampler(model.scheduler)[1]
    if settings.sampler is None and missing is not None:
        warnings.append(
            f"The model's own sampler, {missing}, cannot start from a frame with noise from outside: "
            f"{sampler.label} is used."
        )
    if settings.eta > 0 and sampler.noise != "eta":
        does = "always adds noise" if sampler.noise == "always" else "never adds noise"
        warnings.append(f"Eta has no effect: the sampler {sampler.label} {does}.")
    return tuple(warnings)


def _text_warnings(model: ModelFolder, settings: EditSettings) -> tuple[str, ...]:
    if model.family is None:
        texts = {"prompt": settings.texts("prompt"), "negative prompt": settings.texts("negative_prompt")}
        return tuple(
            f"The model {model.name} takes no text: the {name} has no effect." for name in texts if any(texts[name])
        )
    if settings.negative_prompt and not model.family.negative_prompt:
        return (f"{model.family.title} takes no negative prompt: it has no effect.",)
    if settings.negative_prompt and model.guidance_for(settings) <= 1:
        return (f"The negative prompt has no effect with a guidance of {model.guidance_for(settings):g}.",)
    return ()
