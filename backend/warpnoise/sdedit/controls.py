"""ControlNets (Zhang et al. 2023): networks that make the model follow a picture of the scene's geometry.

The check compares a ControlNet's configuration with the model's, before anything is loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch

from warpnoise.errors import ModelError, SettingsError
from warpnoise.sdedit.adapters import Adapters, unsuitable
from warpnoise.sdedit.edit_settings import Control
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_files import check_weights, read_config
from warpnoise.sdedit.parts import load_network
from warpnoise.sdedit.places import resolve

_UNION = "ControlNetUnionModel"
_UNION_MODES = {"depth": 1, "lines": 3, "normals": 4, "color": 6}
"""The numbers by which SDXL's union ControlNet knows its inputs."""
_WIDTHS = (
    "cross_attention_dim",
    "block_out_channels",
    "addition_time_embed_dim",
    "attention_head_dim",
    "caption_projection_dim",
    "dim",
    "in_channels",
    "joint_attention_dim",
    "num_attention_heads",
    "pooled_projection_dim",
    "projection_class_embeddings_input_dim",
)
"""Entries of the configuration in which a ControlNet equals its base model."""


class Controls(Adapters):
    """The ControlNets of one pipeline. ``pipeline`` is the form that takes them, or the plain one if there are none."""

    def __init__(self, folder: ModelFolder, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(folder, pipeline, device, dtype)
        self._plain = pipeline
        self._networks: list[Any] = []

    def apply(self, controls: Sequence[Control], again: bool = False) -> bool:
        """Make ``pipeline`` the one with these ControlNets only, and return whether that changed anything.

        Args:
            again: make it again in any case, because the plain one's parts have changed.

        Raises:
            SettingsError, ModelError: as `check_controls`.
        """
        kind = check_controls(self.folder, controls)
        changed = self._replace(tuple((kind, resolve(control.path, "control")) for control in controls)) or again
        if changed:
            self.pipeline = self._with_networks(kind) if controls else self._plain
        return changed

    def _load(self, wanted: tuple[tuple[str, Path], ...]) -> None:
        loaded = {
            path: load_network(path, getattr(diffusers, kind), self.device, self.dtype) for kind, path in set(wanted)
        }
        self._networks = list(loaded.values()) if self._is_union else [loaded[path] for _, path in wanted]

    def _unload(self) -> None:
        self._networks = []

    def _with_networks(self, kind: str) -> Any:
        """The plain pipeline's form that takes ControlNets of this class, with the same parts."""
        assert self.folder.family is not None
        form = getattr(diffusers, self.folder.family.controls[kind])
        parameters = inspect.signature(form.__init__).parameters
        controlnet = self._networks[0] if len(self._networks) == 1 else self._networks
        parts = {**self._plain.components, "controlnet": controlnet, "requires_safety_checker": False}
        pipeline = form(**{name: part for name, part in parts.items() if name in parameters})
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def call(
        self, controls: Sequence[Control], guides: Mapping[str, torch.Tensor], images: torch.Tensor
    ) -> dict[str, Any]:
        """The keywords of the pipeline's call for the ControlNets.

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
            call["control_mode"] = [_UNION_MODES[control.input] for control in controls]
        elif len(controls) == 1:
            call = {key: value[0] for key, value in call.items()}
        return {key: value for key, value in call.items() if key in parameters}

    @property
    def _is_union(self) -> bool:
        """Whether one ControlNet takes all inputs."""
        return any(kind == _UNION for kind, _ in self._loaded)


def check_controls(model: ModelFolder, controls: Sequence[Control]) -> str:
    """The class of the ControlNets, which is the same for all; empty: there are none.

    Raises:
        SettingsError: one ends before it starts.
        ModelError: one is not a ControlNet, a pickle, or for another base; or they cannot be combined.
    """
    kinds: dict[str, Path] = {}
    paths = [resolve(control.path, "control") for control in controls]
    for control, path in zip(controls, paths, strict=True):
        kinds.setdefault(_control_class(model, path), path)
        if control.end <= control.start:
            raise SettingsError(
                f"control {control.path}: it ends at {control.end}, and starts at {control.start}: give it a later end"
            )
    if len(kinds) > 1:
        raise ModelError(f"controls of different kinds do not go together: {', '.join(sorted(kinds))}")
    if _UNION in kinds:
        if len(set(paths)) > 1:
            raise ModelError("controls: one union ControlNet takes all inputs: give each control the same folder")
        _check_union(controls, paths[0])
    return next(iter(kinds), "")


def _control_class(model: ModelFolder, path: Path) -> str:
    """The class of a ControlNet.

    Raises:
        ModelError: no such folder, not a ControlNet, a pickle, or one for another base than ``model``.
    """
    if not (path / "config.json").is_file():
        what = "is a file, expected a folder" if path.is_file() else "there is no ControlNet's config.json"
        raise ModelError(f"control {path}: {what}: give the folder that diffusers' save_pretrained wrote")
    config = read_config(path / "config.json")
    kind = str(config.get("_class_name"))
    assert model.family is not None
    if kind not in model.family.controls:
        takes = f"{model.family.title} takes a {' or a '.join(model.family.controls)}"
        raise unsuitable("control", path, f"is a {kind}; {takes}")
    for key in _WIDTHS:
        ours, theirs = model.network.get(key), config.get(key)
        if theirs is not None and key in model.network and ours != theirs:
            what = f"{key} is {theirs}, and the model's is {ours}"
            raise unsuitable("control", path, f"was made for another base than {model.name}: {what}")
    if (channels := config.get("conditioning_channels", 3)) != 3:
        raise unsuitable("control", path, f"takes pictures of {channels} channels, and Warpnoise has RGB ones")
    check_weights(path)
    return kind


def _check_union(controls: Sequence[Control], path: Path) -> None:
    """Raises ModelError: the configuration contradicts itself, or the ControlNet does not know a control's input."""
    config = read_config(path / "config.json")
    # All of them are channels of the same sum, but diffusers compares them only when it computes it.
    channels = (config.get("block_out_channels") or [320])[0]
    for name in ("num_trans_channel", "num_proj_channel"):
        if (other := config.get(name, 320)) != channels:
            what = f"{name} is {other}, and the first of block_out_channels is {channels}"
            raise ModelError(f"control {path}: its config.json contradicts itself: {what}. Download it again")
    kinds = int(config.get("num_control_type", 6))
    unknown = next((control.input for control in controls if _UNION_MODES[control.input] >= kinds), None)
    if unknown is not None:
        raise ModelError(
            f"control {path} knows {kinds} kinds of pictures, and {unknown} is not among them: choose another input"
        )
