"""Checks whether ControlNets fit a model, by their configurations.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from warpnoise.errors import ModelError, SettingsError
from warpnoise.sdedit.adapters import Control
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_bounds import read_config
from warpnoise.sdedit.model_files import check_weights
from warpnoise.sdedit.places import resolve

UNION_MODES = {"depth": 1, "lines": 3, "normals": 4, "color": 6}
"""What the union ControlNet of SDXL calls its inputs."""
UNION = "ControlNetUnionModel"

_WIDTHS = (
    "cross_attention_dim",
    "block_out_channels",
    "attention_head_dim",
    "caption_projection_dim",
    "dim",
    "in_channels",
    "joint_attention_dim",
    "num_attention_heads",
    "pooled_projection_dim",
)
"""Entries of a configuration that a ControlNet shares with its base."""

_LEAVE_OUT = "leave it out (--control none)"


def check_controls(model: ModelFolder, controls: Sequence[Control]) -> str:
    """The class of the ControlNets, which is the same for all; empty: there are none.

    Raises:
        SettingsError: one ends before it starts.
        ModelError: one is no ControlNet, a pickle, or for another base; or they do not go together.
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
    kind = next(iter(kinds), "")
    if kind == UNION:
        if len(set(paths)) > 1:
            raise ModelError("controls: one union ControlNet takes all inputs: give each control the same folder")
        _check_union(controls, paths[0])
    return kind


def _control_class(model: ModelFolder, path: Path) -> str:
    """The class of a ControlNet.

    Raises:
        ModelError: no such folder, no ControlNet, a pickle, or one for another base than ``model``.
    """
    if not (path / "config.json").is_file():
        what = "is a file, expected a folder" if path.is_file() else "there is no ControlNet's config.json"
        raise ModelError(f"control {path}: {what}: give the folder that diffusers' save_pretrained wrote")
    config = read_config(path / "config.json")
    kind = str(config.get("_class_name"))
    family = model.family
    if family is None or not family.controls:
        title = "a pixel model" if family is None else family.title
        raise ModelError(f"control {path}: the model {model.name} is {title}, which takes no ControlNet: {_LEAVE_OUT}")
    if kind not in family.controls:
        raise ModelError(
            f"control {path} is a {kind}; {family.title} takes a {' or a '.join(family.controls)}: choose one for it, "
            f"or {_LEAVE_OUT}"
        )
    for key in _WIDTHS:
        ours, theirs = model.network.get(key), config.get(key)
        if key in config and key in model.network and ours != theirs:
            raise ModelError(
                f"control {path} was made for another base than {model.name}: {key} is {theirs}, and the model's is "
                f"{ours}: choose one for it, or {_LEAVE_OUT}"
            )
    check_weights(path)
    return kind


def _check_union(controls: Sequence[Control], path: Path) -> None:
    """Raises ModelError: controls ask for an input that a union ControlNet does not know."""
    kinds = int(read_config(path / "config.json").get("num_control_type", 6))
    unknown = next((control.input for control in controls if UNION_MODES[control.input] >= kinds), None)
    if unknown is not None:
        raise ModelError(
            f"control {path} knows {kinds} kinds of pictures, and {unknown} is not among them: choose another input"
        )
