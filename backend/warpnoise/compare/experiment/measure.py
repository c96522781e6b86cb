"""Measures a sequence of pictures, and caches the figures beside it until the pictures change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.metrics.coherence import Coherence, CoherenceMeter, low_band_drift
from warpnoise.compare.metrics.quality import PATCH_PX, PatchSampler, psnr, sliced_wasserstein, ssim
from warpnoise.errors import JobError, MediaError, stop_if
from warpnoise.hashing import digest_text
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json
from warpnoise.media.picture_digest import picture_digest
from warpnoise.media.png import read_png

T = TypeVar("T")


def remembered(path: Path, digest: str, kind: type[T], make: Callable[[], T]) -> T:
    """What ``make`` gave when the file was written with this digest; otherwise it is made and written now.

    Args:
        digest: of all that ``make`` depends on.
        kind: a dataclass, or anything else that pydantic can check and write as JSON.

    Raises:
        JobError: the file cannot be written.
    """
    figures = TypeAdapter(kind)
    try:
        content = read_json(path, finite=False)
        if content["digest"] == digest:
            return figures.validate_python(content["figures"])
    except (MediaError, ValueError, KeyError, TypeError):
        pass  # not there, or spoiled: figures cost time, not work
    made = make()
    text = json.dumps({"digest": digest, "figures": figures.dump_python(made, mode="json")}, indent=1)
    write_bytes(path, (text + "\n").encode(), error=JobError)
    return made


FIGURES_VERSION = 2
"""Bump when the figures of the same pictures change."""


@dataclass(frozen=True)
class SequenceFigures(Coherence):
    """``psnr``, ``ssim``, ``wasserstein``: see ``warpnoise.compare.metrics.quality``; they need a reference.
    ``drift``: see `low_band_drift`; it needs a baseline."""

    psnr: float | None = None
    ssim: float | None = None
    wasserstein: float | None = None
    drift: float | None = None


def measure(
    shot: ShotMotion,
    picture: Callable[[int], Path],
    reference: Callable[[int], Path] | None,
    cache: Path,
    cancelled: Callable[[], bool] | None = None,
    baseline: Callable[[int], Path] | None = None,
) -> SequenceFigures:
    """The figures of the sequence whose pictures lie at ``picture(frame)``.

    Args:
        cache: a JSON file, see `remembered`.

    Raises:
        MediaError: a picture cannot be read.
        JobError: the file cannot be written.
        Cancelled: ``cancelled()`` was true.
    """
    sequences = [each for each in (picture, reference, baseline) if each is not None]
    digest = digest_text(
        f"figures {FIGURES_VERSION}",
        shot.digest,
        " ".join(map(str, shot.lags)),
        *(picture_digest(path(frame)) for path in sequences for frame in shot.job.frames),
    )
    return remembered(cache, digest, SequenceFigures, lambda: _measure(shot, picture, reference, cancelled, baseline))


def read_picture(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
    """A PNG as the viewer sees it over black, (h, w, 3) float32 in [0, 1], and where it is mostly opaque (h, w);
    None: it has no alpha. Raises MediaError."""
    picture: npt.NDArray[np.float32] = read_png(path).astype(np.float32) / np.float32(65535)
    if picture.shape[2] == 3:
        return picture, None
    return np.ascontiguousarray(picture[..., :3] * picture[..., 3:]), picture[..., 3] >= 0.5


def _measure(
    shot: ShotMotion,
    picture: Callable[[int], Path],
    reference: Callable[[int], Path] | None,
    cancelled: Callable[[], bool] | None,
    baseline: Callable[[int], Path] | None,
) -> SequenceFigures:
    meter = CoherenceMeter(shot.lags)
    drifts = []
    ratios, similarities, patches, reference_patches = [], [], PatchSampler(), PatchSampler()
    comparable = reference is not None and min(shot.job.scene.width, shot.job.scene.height) >= PATCH_PX
    for frame, found in shot:
        stop_if(cancelled, "cancelled while a sequence was measured: what was finished stays")
        pixels, opaque = read_picture(picture(frame))
        correspondences = found.values()
        meter.add(pixels, correspondences if opaque is None else [each.only(opaque) for each in correspondences])
        if baseline is not None:
            drifts.append(low_band_drift(pixels, read_picture(baseline(frame))[0]))
        if reference is not None:
            wanted, _ = read_picture(reference(frame))
            ratios.append(psnr(pixels, wanted))
            similarities.append(ssim(pixels, wanted))
            if comparable:
                patches.add(pixels)
                reference_patches.add(wanted)
    return SequenceFigures(
        **vars(meter.result()),
        psnr=float(np.mean(ratios)) if reference is not None and np.isfinite(ratios).all() else None,
        ssim=float(np.mean(similarities)) if reference is not None else None,
        wasserstein=sliced_wasserstein(patches.descriptors(), reference_patches.descriptors()) if comparable else None,
        drift=float(np.sqrt(np.mean(np.square(drifts)))) if drifts else None,
    )
