"""Adds stylized frames to the scene's compositor, as a node group.

sequence    the frames of a job folder as an image sequence
colorspace  the colour space that inverts the scene's view transform
group       the node group, which mixes the render and the stylized sequence
tree        the place of the group in the scene's compositor tree
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from .colorspace import view_inverse
from .group import stylized_group
from .sequence import read_sequence
from .tree import place_group

__all__ = ["AddedGroup", "add_stylized"]


@dataclass(frozen=True)
class AddedGroup:
    """The outcome of `add_stylized`.

    ``connected``: the scene's output now passes through the group. ``group``: None if only frames before frame 0 are
    finished, which image sequences cannot show.
    """

    group: bpy.types.NodeTree | None
    connected: bool
    warnings: tuple[str, ...]


def add_stylized(scene: bpy.types.Scene, job_folder: Path | str, connect: bool = False) -> AddedGroup:
    """Bring a job's result in use into the scene's compositor, as a node group that mixes it with the render.

    A second call for the same job folder updates its group. Other nodes are never deleted. The group is linked in
    before the output if ``connect`` is true or if the tree was untouched: new, or only render layers and output;
    otherwise it stands in the tree unlinked.

    Args:
        scene: the scene whose compositor it is, and whose view transform the frames are shown through.
        job_folder: a job folder (docs/architecture.md) with finished frames.
        connect: put it before the output whatever else the tree holds.

    Raises JobFolderError: not a job folder, or one without finished frames.
    """
    sequence, warnings = read_sequence(Path(job_folder))
    if sequence is None:
        return AddedGroup(None, False, tuple(warnings))
    view = view_inverse(scene)
    group = stylized_group(sequence, view)
    connected, told = place_group(scene, group, connect)
    return AddedGroup(group, connected, (*warnings, *view.warnings, *told))
