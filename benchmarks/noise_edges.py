"""How noise changes from one frame to the next beside what is hidden or uncovered, and away from it.

    python benchmarks/noise_edges.py JOB [--channels 24] [--frames 9]

A model answers to the noise of a neighbourhood, so here the noise is blurred (a Gaussian of 2 pixels) before it is
compared with the frame before, moved by the true motion, on pixels that are visible in both: half of the mean squared
difference over the variance, 0 for what moves with the surface and 1 for what is unrelated. It is listed by the
distance, in pixels, to the nearest pixel that is not visible in both. The pixels' number is the mean of the frames.
"""

from __future__ import annotations

import argparse
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
from warpnoise.compare.correspondence import correspondences
from warpnoise.compare.sampling import catmull_rom
from warpnoise.job import Job
from warpnoise.motion import motions
from warpnoise.noise import make_noise

BLUR_PX = 2.0
EDGES_PX = (0, 2, 4, 8, 16, np.inf)
METHODS = ("random", "fixed", "chained", "warped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--channels", type=int, default=24)
    parser.add_argument("--frames", type=int, default=9)
    arguments = parser.parse_args()
    steps = [motion for _, motion in islice(motions(Job.open(arguments.job)), arguments.frames)]
    found = [each.get(1) for each in correspondences(iter(steps), (1,))]
    bands = [f"{low:g}-{high:g}" for low, high in pairwise(EDGES_PX)]
    print(f"{'px from what is not visible':>28}" + "".join(f"{band:>9}" for band in [*bands, "all"]))
    for method in METHODS:
        noise, errors, counts = None, np.zeros(len(bands)), np.zeros(len(bands))
        variances = errors.copy()
        for motion, correspondence in zip(steps, found, strict=True):
            if motion is None or noise is None:
                height, width = steps[-1].size
                noise = make_noise(method, (arguments.channels, height, width), seed=3)
                old = blurred(noise.frame().numpy())
                continue
            now = blurred(noise.advance(motion).numpy())
            visible = correspondence.visible
            distance = cv2.distanceTransform(visible.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[visible]
            change = np.square(now[visible] - catmull_rom(old, correspondence.position[visible])).mean(axis=1)
            size = np.square(now[visible]).mean(axis=1)
            band = np.searchsorted(EDGES_PX[1:-1], distance, side="right")
            errors += np.bincount(band, change, minlength=len(bands))
            variances += np.bincount(band, size, minlength=len(bands))
            counts += np.bincount(band, minlength=len(bands))
            old = now
        ratios = [*(errors / (2 * variances)), errors.sum() / (2 * variances.sum())]
        print(f"{method:>28}" + "".join(f"{ratio:9.4f}" for ratio in ratios), flush=True)
    each = counts / (len(steps) - 1)
    print(f"{'pixels':>28}" + "".join(f"{count:9.0f}" for count in [*each, each.sum()]))


def blurred(noise: np.ndarray) -> np.ndarray:
    """(channels, h, w) noise as a blurred (h, w, channels) picture."""
    channels = [cv2.GaussianBlur(channel, (0, 0), BLUR_PX, borderType=cv2.BORDER_REFLECT) for channel in noise]
    return np.stack(channels, axis=-1)


if __name__ == "__main__":
    main()
