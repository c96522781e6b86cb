"""Settings against a model, before anything slow is loaded."""

from __future__ import annotations

import math

from warpnoise.errors import SettingsError
from warpnoise.sdedit.editor import EditSettings
from warpnoise.sdedit.folder import ModelFolder


def check_settings(model: ModelFolder, settings: EditSettings) -> tuple[str, ...]:
    """Warnings about settings that have no effect with this model, as whole sentences.

    Raises:
        SettingsError: a setting out of its range, or one that this model cannot take.
    """
    _check_ranges(model, settings)
    if settings.style is not None and settings.style not in model.styles:
        if not model.styles:
            hint = "say it in the prompt" if model.takes_prompt else "leave it out"
            raise SettingsError(f"style {settings.style!r}: the model {model.name} has no styles: {hint}")
        raise SettingsError(f"style {settings.style!r}: the model {model.name} has {', '.join(model.styles)}")
    if settings.guidance not in (None, 1.0) and not model.takes_prompt and model.sheet.null_class is None:
        raise SettingsError(
            f"guidance {settings.guidance}: the model {model.name} has no null class that guidance needs: leave it out"
        )
    if model.takes_prompt:
        if settings.negative_prompt and model.guidance_for(settings) == 1:
            return ("The negative prompt has no effect with a guidance of 1.",)
        return ()
    return tuple(
        f"The model {model.name} takes no text: the {name} has no effect."
        for name, text in (("prompt", settings.prompt), ("negative prompt", settings.negative_prompt))
        if text
    )


def _check_ranges(model: ModelFolder, settings: EditSettings) -> None:
    if not 0 < settings.strength <= 1:
        raise SettingsError(f"strength: expected more than 0 and at most 1, got {settings.strength}")
    steps = model.steps_for(settings)
    if not 1 <= steps <= model.train_timesteps:
        raise SettingsError(f"steps: expected 1 to {model.train_timesteps}, as the model was trained, got {steps}")
    if not 0 <= settings.eta <= 1:
        raise SettingsError(f"eta: expected 0 (deterministic) to 1 (fully stochastic), got {settings.eta}")
    if settings.eta > 0 and model.is_flow:
        raise SettingsError(f"eta {settings.eta}: a flow-matching model is sampled deterministically: set eta to 0")
    if settings.guidance is not None and not (math.isfinite(settings.guidance) and settings.guidance >= 0):
        raise SettingsError(f"guidance: expected a number of at least 0, got {settings.guidance}")
    if settings.texture is not None and not 0 <= settings.texture <= 1:
        raise SettingsError(f"texture: expected 0 to 1, got {settings.texture}")
