"""Training crops: random pieces of the rendered and painted pictures, a pure function of (seed, step)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.network import NULL_CLASS
from training.paint_dataset import finished_views
from training.styles import STYLES

FORMAT = 2
HELD_OUT_EVERY = 25
"""Every 25th scene is never trained on."""

LEAST_CONTRAST = 4
"""Standard deviation, of 255, under which a view shows nothing: a camera inside of an object."""

# How many times the network's size a crop is taken at before it is scaled: strokes have a size, materials have many.
# Materials are mostly seen smaller than they were rendered: SDEdit at moderate strength adds what is finer than the
# noise, and so a brick that spans many pixels of the training crop is one that it can never add.
ZOOM = {"photoreal": (1.0, 1.6), "oil": (0.85, 1.25), "ink": (0.95, 1.1), "watercolour": (0.85, 1.25)}
CANDIDATES = 2
"""Of so many random crops the one with the most detail is taken: much of a picture is even, and soon learned."""

SHARPENED = 0.5
"""Photographs are sharpened by this much of what a blur of SHARPENED_PX takes away, as cameras do it."""

SHARPENED_PX = 2.5
SHARES = {"photoreal": 0.55, "oil": 0.15, "ink": 0.15, "watercolour": 0.15}


@dataclass(frozen=True)
class Batch:
    images: torch.Tensor
    """(b, 3, crop, crop) float32 in [-1, 1]."""
    labels: torch.Tensor
    """(b,) int64: the style, or NULL_CLASS where it was dropped."""


def split(data: Path) -> tuple[list[str], list[str]]:
    """The views to train on and the held-out ones. Raises SystemExit on a folder that is none, or of another format."""
    description = data / "dataset.json"
    if not description.exists():
        raise SystemExit(f"{data}: no dataset.json there; render the images first (python -m training.render_dataset)")
    found = json.loads(description.read_text()).get("format")
    if found != FORMAT:
        raise SystemExit(f"{description}: format {found}, expected {FORMAT}; render into a fresh folder")
    views = finished_views(data)
    held = [v for v in views if int(v.split("_")[0]) % HELD_OUT_EVERY == 0]
    return [v for v in views if v not in set(held)], held


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """An 8-bit picture as (h, w, 3) RGB. Raises SystemExit if it cannot be read."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise SystemExit(f"{path}: missing or damaged; delete it, and render or paint it again")
    return np.ascontiguousarray(pixels[..., ::-1])


class Crops:
    """All training pictures in memory, and random batches of them."""

    def __init__(self, data: Path, crop: int, batch: int, drop_label: float, seed: int) -> None:
        self.data, self.crop, self.batch, self.drop_label, self.seed = data, crop, batch, drop_label, seed
        self.pictures: dict[str, dict[str, NDArray[np.uint8]]] = {style: {} for style in STYLES}
        self.empty = set[str]()
        self.refresh()

    def refresh(self) -> int:
        """Takes in what was rendered and painted since; returns the number of photographs."""
        views, _ = split(self.data)
        for style in STYLES:
            folder = self.data / ("photo" if style == "photoreal" else style)
            for view in views:
                if view not in self.pictures[style] and view not in self.empty and (folder / view).exists():
                    pixels = read_pixels(folder / view)
                    if style == "photoreal" and pixels.std() < LEAST_CONTRAST:
                        self.empty.add(view)
                    else:
                        self.pictures[style][view] = pixels
            if not self.pictures[style]:
                raise SystemExit(f"{folder}: no pictures; paint them first (python -m training.paint_dataset)")
        return len(self.pictures["photoreal"])

    def sample(self, step: int) -> Batch:
        """The batch of training step `step`."""
        rng = np.random.default_rng((self.seed, step))
        shares = np.array([SHARES[style] for style in STYLES])
        labels = rng.choice(len(STYLES), self.batch, p=shares / shares.sum())
        images = np.stack([self._crop(STYLES[label], rng) for label in labels])
        labels = np.where(rng.random(self.batch) < self.drop_label, NULL_CLASS, labels)
        return Batch(torch.from_numpy(images), torch.from_numpy(labels))

    def _crop(self, style: str, rng: np.random.Generator) -> NDArray[np.float32]:
        pictures = self.pictures[style]
        names = sorted(pictures)
        pieces = [self._piece(pictures[names[rng.integers(len(names))]], style, rng) for _ in range(CANDIDATES)]
        fine = [piece - cv2.GaussianBlur(piece, (0, 0), SHARPENED_PX) for piece in pieces]
        best = int(np.argmax([np.abs(detail).mean() for detail in fine]))
        scaled = pieces[best]
        if style != "ink" and rng.random() < 0.5:  # a hatcher's hand has one direction
            scaled, fine[best] = scaled[:, ::-1], fine[best][:, ::-1]
        if style == "photoreal":
            gain = rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3).astype(np.float32)
            scaled = np.clip((scaled + SHARPENED * fine[best] + 1) * gain - 1, -1, 1)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)

    def _piece(self, picture: NDArray[np.uint8], style: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """A random piece of a picture, scaled to the network's size, in [-1, 1]."""
        height, width = picture.shape[:2]
        size = int(min(self.crop * rng.uniform(*ZOOM[style]), height, width))
        y, x = rng.integers(height - size + 1), rng.integers(width - size + 1)
        piece = picture[y : y + size, x : x + size]
        method = cv2.INTER_AREA if size > self.crop else cv2.INTER_CUBIC
        return cv2.resize(piece, (self.crop, self.crop), interpolation=method).astype(np.float32) / 127.5 - 1
