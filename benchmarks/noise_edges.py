"""Measures how noise, and pictures made with it, change between frames near occluded and disoccluded pixels.

    python benchmarks/noise_edges.py JOB [--channels 24] [--frames 9]
    python benchmarks/noise_edges.py JOB --pictures JOB/compare/appearance [--frames 24]

Each frame is compared with the previous one, moved by the true motion, on pixels that are visible in both. The columns
are distances, in pixels, to the nearest pixel that is not visible in both. A model responds to the noise of a
neighborhood, so the noise is blurred with a Gaussian of 2 pixels. The figure is half of the mean squared difference,
divided by the variance: 0 for noise that moves with the surface, 1 for uncorrelated noise. For the pictures of a
comparison, it is the mean squared difference times 1000, as in the warp error, over all seeds. The number of pixels is
the mean over the frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
from warpnoise.coherence.sampling import catmull_rom
from warpnoise.compare.metrics.correspondence import Correspondence, correspondences
from warpnoise.job import Shot
from warpnoise.job.frame_ranges import frame_name
from warpnoise.media.png import read_png
from warpnoise.motion import motions
from warpnoise.noise import Motion, make_noise

BLUR_PX = 2.0
EDGES_PX = (0, 2, 4, 8, 16, np.inf)
BANDS = [f"{low:g}-{high:g}" for low, high in pairwise(EDGES_PX)]
METHODS = ("random", "fixed", "chained", "warped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--channels", type=int, default=24)
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--pictures", type=Path, help="a comparison's folder of a task: METHOD/SEED/0001.png")
    arguments = parser.parse_args()
    job = Shot.open(arguments.job)
    steps = [motion for _, motion in islice(motions(job), arguments.frames)]
    found = [each.get(1) for each in correspondences(iter(steps), (1,))]
    print(f"{'px from occluded pixels':>28}" + "".join(f"{band:>9}" for band in [*BANDS, "all"]))
    for method in METHODS:
        if arguments.pictures is None:
            sums = by_distance(noises(method, arguments.channels, steps), found)
            changes, sizes = with_all(sums[0]), 2 * with_all(sums[1])
        else:
            seeds = sorted((arguments.pictures / method).glob("seed*"))
            if not seeds:
                parser.error(f"{arguments.pictures / method}: no pictures; run warpnoise compare first")
            frames = job.frames[: len(steps)]
            each = [by_distance(pictures(seed, frames), found) for seed in seeds]
            sums = tuple(np.sum(parts, axis=0) / len(seeds) for parts in zip(*each, strict=True))
            changes, sizes = 1000 * with_all(sums[0]), with_all(sums[2])
        print(f"{method:>28}" + "".join(f"{ratio:9.4f}" for ratio in changes / sizes), flush=True)
    print(f"{'pixels':>28}" + "".join(f"{count:9.0f}" for count in with_all(sums[2]) / (len(steps) - 1)))


def by_distance(frames: Iterable[np.ndarray], found: list[Correspondence | None]) -> tuple[np.ndarray, ...]:
    """For each band, the sums of squared changes and of squares, both means over the channels, and of pixels."""
    sums = np.zeros((3, len(BANDS)))
    old: np.ndarray | None = None
    for now, correspondence in zip(frames, found, strict=True):
        if correspondence is not None and old is not None:
            visible = correspondence.visible
            distance = cv2.distanceTransform(visible.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[visible]
            band = np.searchsorted(EDGES_PX[1:-1], distance, side="right")
            change = np.square(now[visible] - catmull_rom(old, correspondence.position[visible])).mean(axis=1)
            for row, weights in zip(sums, (change, np.square(now[visible]).mean(axis=1), None), strict=True):
                row += np.bincount(band, weights, minlength=len(BANDS))
        old = now
    return tuple(sums)


def with_all(sums: np.ndarray) -> np.ndarray:
    return np.append(sums, sums.sum())


def noises(method: str, channels: int, steps: list[Motion | None]) -> Iterator[np.ndarray]:
    assert steps[-1] is not None
    height, width = steps[-1].size
    noise = make_noise(method, (channels, height, width), seed=3)
    for motion in steps:
        yield blurred((noise.frame() if motion is None else noise.advance(motion)).numpy())


def pictures(folder: Path, frames: list[int]) -> Iterator[np.ndarray]:
    for frame in frames:
        yield read_png(folder / f"{frame_name(frame)}.png")[..., :3].astype(np.float32) / 65535


def blurred(noise: np.ndarray) -> np.ndarray:
    """(channels, h, w) noise as a blurred (h, w, channels) picture."""
    channels = [cv2.GaussianBlur(channel, (0, 0), BLUR_PX, borderType=cv2.BORDER_REFLECT) for channel in noise]
    return np.stack(channels, axis=-1)


if __name__ == "__main__":
    main()
