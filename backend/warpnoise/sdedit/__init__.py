"""SDEdit: stylizes images with given noise, through diffusers' models and schedulers (Meng et al. 2021).

``ModelFolder`` describes a model without loading its weights: its family, the settings that it takes, its digest.
``load_model`` loads it and returns an ``Editor``. No module here knows motions, jobs or Blender.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.memory_plan import MemoryOptions

if TYPE_CHECKING:
    import torch

    from warpnoise.sdedit.editor import Editor

__all__ = ["ModelFolder", "load_model"]


def load_model(
    name_or_path: str | Path,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    memory: MemoryOptions | None = None,
) -> Editor:
    """Load a model's weights.

    Args:
        name_or_path: "default", or the path of a diffusers folder.
        device: "cuda", "cuda:1", "mps", "cpu"; None: the best one there is.
        dtype: of the weights and activations, "float32", "float16" or "bfloat16"; None: half precision on GPUs, the one
            in which the model's family does not overflow, on a CPU bfloat16 if it has that, else float32. The sampler's
            own arithmetic, and autoencoders, are always float32.
        memory: how models with a text prompt share the device's memory; others are small. None: as it requires.

    Raises:
        ModelError: no such folder, not a model, of a family that is not known, weights that are missing or pickled.
        SettingsError: the device is not there, or cannot compute in ``dtype``.
    """
    folder = ModelFolder.open(name_or_path)
    if folder.family is None:
        from warpnoise.sdedit.pixel import PixelEditor

        return PixelEditor(folder, device, dtype, memory)
    from warpnoise.sdedit.pipeline_editor import PipelineEditor

    return PipelineEditor(folder, device, dtype, memory)
