"""Phase lock: shifts frames on the model's grid before the edit, and cuts them back afterwards.

The model gets frames that are a cell larger, and does not know the shifts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from warpnoise.job import Settings
from warpnoise.motion.dominant import PhaseLock, cut_picture, shift_noise, shift_picture
from warpnoise.sdedit.editor import Editor

_BORDER_SEED = 0xB02DE2


def make_lock(editor: Editor, settings: Settings) -> PhaseLock | None:
    """The lock that the settings ask for, on the first frame; None: off, or the model has no grid."""
    cell = editor.cell(settings)
    if settings.phase_lock == "off" or cell == 1:
        return None
    return PhaseLock(cell, noise_step(editor, settings), exact=settings.phase_lock == "exact")


def noise_step(editor: Editor, settings: Settings) -> int:
    """Pixels on a side of a value of the model's noise."""
    cell = editor.cell(settings)
    return cell // editor.noise_shape(cell, cell, settings)[-1]


class GridPlace:
    """The positions of a batch's frames on the model's grid.

    Args:
        shifts: (down, right) in pixels for each frame; all None: no frame is shifted.
    """

    def __init__(self, editor: Editor, settings: Settings, shifts: Sequence[tuple[int, int] | None]) -> None:
        self._cell = editor.cell(settings)
        self._shifts = [shift for shift in shifts if shift is not None]
        self._step = noise_step(editor, settings) if self._shifts else 1

    def pictures(self, pictures: Sequence[torch.Tensor]) -> torch.Tensor:
        """(c, h, w) each, to (b, c, h, w), or (b, c, h + cell, w + cell) where they are shifted."""
        if not self._shifts:
            return torch.stack(list(pictures))
        pairs = zip(pictures, self._shifts, strict=True)
        return torch.stack([shift_picture(picture, shift, self._cell) for picture, shift in pairs])

    def noise(self, noises: Sequence[torch.Tensor], index: int) -> torch.Tensor:
        """Noise map ``index`` of each frame, likewise."""
        if not self._shifts:
            return torch.stack(list(noises))
        return torch.cat(
            [
                shift_noise(
                    noise[None],
                    (down // self._step, right // self._step),
                    self._cell // self._step,
                    seed=_BORDER_SEED + index,
                )
                for noise, (down, right) in zip(noises, self._shifts, strict=True)
            ]
        )

    def cut(self, pictures: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
        """The inverse of ``pictures``: (b, c, *size)."""
        if not self._shifts:
            return pictures
        pairs = zip(pictures, self._shifts, strict=True)
        return torch.stack([cut_picture(picture, shift, size[0], size[1]) for picture, shift in pairs])
