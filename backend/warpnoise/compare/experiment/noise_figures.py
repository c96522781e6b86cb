"""Figures and pictures of a method's noise itself, without any model."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.compare.experiment.measure import remembered
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.metrics.covariance import Whiteness, WhitenessMeter, fidelity_sums
from warpnoise.errors import MediaError, stop_if
from warpnoise.hashing import digest_text
from warpnoise.media.atomic import write_bytes
from warpnoise.noise import ALGORITHM_VERSION, make_noise

NOISE_FIGURES_VERSION = 1
"""Bump when the figures of the same noise change."""

CHANNELS = 3
CROP_PX = 64

Noise = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NoiseFigures:
    """``fidelity``: by lag, 1 is exact. ``seconds_per_frame``: of three channels at the job's size on the CPU."""

    whiteness: Whiteness
    fidelity: Mapping[int, float]
    seconds_per_frame: float


def measure_noise(
    shot: ShotMotion, method: str, seed: int, folder: Path, cancelled: Callable[[], bool] | None = None
) -> NoiseFigures:
    """The figures of one method with one seed, kept in ``folder/figures.json``.

    Beside it come two pictures of channel 0: ``crop.png``, from the middle of the last frame, and ``slice.png``, the
    shot's row of pixels in each frame, one below the other.

    Raises:
        JobError: a file cannot be written.
        MediaError: passes that cannot be read.
        Cancelled: ``cancelled()`` was true.
    """
    digest = digest_text(
        f"noise {ALGORITHM_VERSION} {NOISE_FIGURES_VERSION}", shot.digest, f"{method} {seed} {shot.lags} {shot.row}"
    )
    if not all((folder / name).is_file() for name in ("crop.png", "slice.png")):
        (folder / "figures.json").unlink(missing_ok=True)
    return remembered(
        folder / "figures.json", digest, NoiseFigures, lambda: _measure(shot, method, seed, folder, cancelled)
    )


def to_grey(noise: Noise) -> npt.NDArray[np.uint8]:
    """Noise as a picture: 0 is a middle grey, two and a half standard deviations are black and white."""
    return np.asarray(np.clip(127.5 + noise * (127.5 / 2.5), 0, 255).round(), dtype=np.uint8)


def _measure(
    shot: ShotMotion, method: str, seed: int, folder: Path, cancelled: Callable[[], bool] | None
) -> NoiseFigures:
    scene = shot.job.scene
    seconds = 0.0
    noise = None
    white = WhitenessMeter()
    sums = {lag: np.zeros(2) for lag in shot.lags}
    past: deque[Noise] = deque(maxlen=max(shot.lags) + 1)  # the newest first
    rows: list[Noise] = []
    for (_, motion), (_, found) in zip(shot.motions(), shot, strict=True):
        stop_if(cancelled, "cancelled while noise was measured: what was finished stays")
        started = time.perf_counter()
        if noise is None or motion is None:
            noise = make_noise(method, (CHANNELS, scene.height, scene.width), seed)
            now = noise.frame()
        else:
            now = noise.advance(motion)
        field = now.numpy(force=True)
        seconds += time.perf_counter() - started
        past.appendleft(field.copy())
        white.add(field)
        rows.append(past[0][0, shot.row])
        for lag, correspondence in found.items():
            sums[lag] += fidelity_sums(past[0], past[lag], correspondence)
    write_bytes(folder / "slice.png", encode(to_grey(np.stack(rows))))
    write_bytes(folder / "crop.png", encode(to_grey(_middle(past[0][0]))))
    return NoiseFigures(
        white.result(),
        {lag: float(above / below) for lag, (above, below) in sums.items() if below},
        seconds / len(rows),
    )


def _middle(noise: Noise) -> Noise:
    height, width = noise.shape
    top, left = max(height - CROP_PX, 0) // 2, max(width - CROP_PX, 0) // 2
    return noise[top : top + CROP_PX, left : left + CROP_PX]


def encode(picture: npt.NDArray[np.uint8]) -> bytes:
    """The PNG of a picture, (h, w) or (h, w, 3) uint8, red first. Raises MediaError."""
    bgr = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise MediaError(f"Cannot encode a picture of {picture.shape[1]} x {picture.shape[0]} pixels.")
    return data.tobytes()
