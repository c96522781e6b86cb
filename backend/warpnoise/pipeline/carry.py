"""The second stage: moves the noise to each frame, and computes the frame's position on the model's grid.

Phase lock shifts frames on that grid before the edit, and cuts them back afterwards. The model gets frames that are a
cell larger, and does not know the shifts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

import torch

from warpnoise.job import Settings
from warpnoise.motion.dominant import PhaseLock, cut_picture, shift_noise, shift_picture
from warpnoise.noise import NoiseMethod
from warpnoise.pipeline.read import Source, Wanted
from warpnoise.sdedit.editor import Editor


@dataclass(frozen=True)
class NoisyFrame:
    """A frame that is ready for the model.

    ``shift``: (down, right) pixels by which phase lock shifts the frame on the model's grid, see `PhaseLock`. None: the
    frame is not shifted.
    """

    frame: int
    source: Wanted
    noise: FrameNoise
    shift: tuple[int, int] | None = None


class FrameNoise:
    """A frame's noise maps, each read when it is asked for: a stochastic sampler asks for one a step, and all of them
    would take more memory than the frame. ``hold`` reads the rest before the method moves to the next frame."""

    def __init__(self, method: NoiseMethod, first: torch.Tensor, maps: int) -> None:
        self._method, self._maps = method, maps
        self._held: list[torch.Tensor] = [first]

    def __call__(self, index: int, /) -> torch.Tensor:
        """Map ``index``: (channels, height, width) float32."""
        return self._held[index] if index < len(self._held) else self._method.frame(index)

    def hold(self) -> None:
        self._held += [self._method.frame(index) for index in range(len(self._held), self._maps)]

    def drop(self) -> None:
        """No map will be asked for any more."""
        self._maps, self._held = 0, []


def carry_noise(
    sources: Iterable[Source], noise: NoiseMethod, maps: int, lock: PhaseLock | None = None
) -> Generator[tuple[Source, NoisyFrame | None]]:
    """All frames, those that are wanted with their noise. ``noise`` and ``lock`` are at the first frame."""
    last: NoisyFrame | None = None
    for source in sources:
        if last is not None:
            last.noise.hold()
            last = None
        first = noise.frame() if source.motion is None else noise.advance(source.motion)
        if lock is not None and source.motion is not None:
            lock.advance(source.motion)
        noisy = None
        if source.wanted is not None:
            shift = lock.shift if lock is not None and lock.moved else None
            noisy = last = NoisyFrame(source.frame, source.wanted, FrameNoise(noise, first, maps), shift)
        yield source, noisy


_BORDER_SEED = 0xB02DE2


def make_lock(editor: Editor, settings: Settings, warn: Callable[[str], None]) -> PhaseLock | None:
    """The lock that the settings ask for, on the first frame; None: off, or there is no grid to shift the noise on."""
    cell = editor.cell(settings)
    if settings.phase_lock == "off" or cell == 1:
        if settings.phase_lock == "always":
            warn("Phase lock has no effect: with this model and pooled noise, frames cannot be shifted by pixels.")
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
