"""ControlNets (Zhang et al. 2023): networks that make the model follow a picture of the scene's geometry.

A ControlNet's folder is compared with the model before anything is loaded. One for another base model is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch

from warpnoise.errors import SettingsError
from warpnoise.sdedit.adapters import Control
from warpnoise.sdedit.control_files import UNION, UNION_MODES, check_controls
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.parts import load_network
from warpnoise.sdedit.places import resolve


class Controls:
    """The pipeline with the ControlNets that the settings name. They stay loaded until others are asked for."""

    def __init__(self, folder: ModelFolder, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        self._folder, self._plain, self._device, self._dtype = folder, pipeline, device, dtype
        self._paths: tuple[Path, ...] = ()
        self._networks: list[Any] = []
        self._kind = ""
        self.pipeline = pipeline

    def apply(self, controls: Sequence[Control], again: bool = False) -> bool:
        """Have ``pipeline`` be the one with these; whether that changed anything.

        Args:
            again: make it again in any case, since the plain one has other parts.

        Raises:
            SettingsError, ModelError: as `check_controls`.
        """
        kind = check_controls(self._folder, controls)
        paths = tuple(resolve(control.path, "control") for control in controls)
        if paths == self._paths:
            if again and paths:
                self.pipeline = self._with(self._networks)
            return again
        if not paths:
            self._paths, self._networks, self.pipeline = (), [], self._plain
            return True
        self._kind = kind
        loaded = {
            path: load_network(path, getattr(diffusers, self._kind), self._device, self._dtype) for path in set(paths)
        }
        self._networks = [loaded[path] for path in (paths[:1] if self._is_union else paths)]
        self.pipeline = self._with(self._networks)
        self._paths = paths
        return True

    def _with(self, networks: list[Any]) -> Any:
        """The plain pipeline's form with these, of the same parts."""
        assert self._folder.family is not None
        kind = getattr(diffusers, self._folder.family.controls[self._kind])
        return _with_controlnet(kind, self._plain, networks[0] if len(networks) == 1 else networks)

    def call(
        self, controls: Sequence[Control], guides: Mapping[str, torch.Tensor], images: torch.Tensor
    ) -> dict[str, Any]:
        """The keywords of the pipeline's call that say what to hold to.

        Args:
            guides: (b, 3, h, w) in [0, 1] each, by the names of ``Control.input``.
            images: the frames, likewise: the guide "color".
        """
        if not controls:
            return {}
        seen = {**guides, "color": images}
        missing = next((control for control in controls if control.input not in seen), None)
        if missing is not None:
            raise SettingsError(f"control {missing.path}: the shot has no data for {missing.input}")
        pictures = [seen[control.input] for control in controls]
        parameters = inspect.signature(type(self.pipeline).__call__).parameters
        call: dict[str, Any] = {
            "control_image" if "control_image" in parameters else "image": pictures,
            "controlnet_conditioning_scale": [control.weight for control in controls],
            "control_guidance_start": [control.start for control in controls],
            "control_guidance_end": [control.end for control in controls],
        }
        if self._is_union:
            call["control_mode"] = [UNION_MODES[control.input] for control in controls]
        elif len(controls) == 1:
            call = {key: value[0] for key, value in call.items()}
        return {key: value for key, value in call.items() if key in parameters}

    @property
    def _is_union(self) -> bool:
        return self._kind == UNION


def _with_controlnet(kind: Any, plain: Any, controlnet: Any) -> Any:
    """The pipeline's form with a ControlNet, of the same parts."""
    parameters = inspect.signature(kind.__init__).parameters
    parts = {name: part for name, part in {**plain.components, "controlnet": controlnet}.items() if name in parameters}
    if "requires_safety_checker" in parameters:
        parts["requires_safety_checker"] = False
    pipeline = kind(**parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
