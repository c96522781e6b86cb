"""Training crops: random pieces of the rendered and painted pictures, each with the frame that it is to be made from.

A batch is a pure function of (seed, step).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from warpnoise.compare.tasks import enlarged_again

from training.network import NULL_CLASS
from training.paint_dataset import begin_painting, finished_views
from training.styles import STYLES

FORMAT = 3
HELD_OUT_EVERY = 25
"""Every 25th scene is never trained on."""

LEAST_CONTRAST = 4
"""Standard deviation, of 255, under which a view shows nothing: a camera inside of an object."""

# How many times the network's size a crop is taken at before it is scaled: strokes have a size, materials have many.
# Materials are mostly seen smaller than they were rendered: SDEdit at moderate strength adds what is finer than the
# noise, and so a brick that spans many pixels of the training crop is one that it can hardly add.
ZOOM = {"photoreal": (1.0, 2.0), "oil": (0.85, 1.25), "ink": (0.95, 1.1), "watercolour": (0.85, 1.25)}
CANDIDATES = 2
"""Of so many random crops the one with the most detail is taken: much of a picture is even, and soon learned."""

SHARPENED = 0.5
"""Photographs are sharpened by this much of what a blur of SHARPENED_PX takes away, as cameras do it."""

SHARPENED_PX = 2.5
SHARES = {"photoreal": 0.55, "oil": 0.15, "ink": 0.15, "watercolour": 0.15}

BLURRED_SHARE = 0.2
"""So many photographs are to be made from themselves, made smaller and enlarged again: restoration."""

REDUCED = (2.0, 5.0)
"""By how much these were made smaller."""

TEXTURED_SHARE = 0.4
"""Of the pictures painted from photographs so many are to be made from these, and the rest from the plain view."""


@dataclass(frozen=True)
class Batch:
    images: torch.Tensor
    """(b, 3, crop, crop) float32 in [-1, 1]."""
    sources: torch.Tensor
    """(b, 3, crop, crop) float32 in [-1, 1]: what SDEdit is given to make the images of."""
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
        self.pictures: dict[str, dict[str, NDArray[np.uint8]]] = {kind: {} for kind in ("plain", "photo", *STYLES[1:])}
        self.empty = set[str]()
        self.refresh()

    def refresh(self) -> int:
        """Takes in what was rendered and painted since; returns the number of photographs."""
        views, _ = split(self.data)
        for kind, pictures in self.pictures.items():
            for view in views:
                path = self.data / kind / view
                if view not in pictures and view not in self.empty and path.exists():
                    pictures[view] = read_pixels(path)
            if not pictures:
                raise SystemExit(
                    f"{self.data / kind}: no pictures; paint them first (python -m training.paint_dataset)"
                )
        self._leave_out({view for view, pixels in self.pictures["photo"].items() if pixels.std() < LEAST_CONTRAST})
        return len(self.pictures["photo"])

    def _leave_out(self, views: set[str]) -> None:
        self.empty |= views
        for pictures in self.pictures.values():
            for view in views:
                pictures.pop(view, None)

    def sample(self, step: int) -> Batch:
        """The batch of training step `step`."""
        rng = np.random.default_rng((self.seed, step))
        shares = np.array([SHARES[style] for style in STYLES])
        labels = rng.choice(len(STYLES), self.batch, p=shares / shares.sum())
        pairs = np.stack([self._pair(STYLES[label], rng) for label in labels])
        labels = np.where(rng.random(self.batch) < self.drop_label, NULL_CLASS, labels)
        return Batch(torch.from_numpy(pairs[:, 0]), torch.from_numpy(pairs[:, 1]), torch.from_numpy(labels))

    def _pair(self, style: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """A crop and its source, (2, 3, crop, crop) in [-1, 1]."""
        kind = "photo" if style == "photoreal" else style
        names = sorted(self.pictures[kind])
        places = [self._place(kind, names[rng.integers(len(names))], style, rng) for _ in range(CANDIDATES)]
        pieces = [self._cut(kind, *place) for place in places]
        fine = [piece - cv2.GaussianBlur(piece, (0, 0), SHARPENED_PX) for piece in pieces]
        best = int(np.argmax([np.abs(detail).mean() for detail in fine]))
        image, place = pieces[best], places[best]
        if style == "photoreal":
            image = np.clip(image + SHARPENED * fine[best], -1, 1)
            if rng.random() < BLURRED_SHARE:
                small = max(1, round(self.crop / rng.uniform(*REDUCED)))
                source = enlarged_again(image, small, small)
            else:
                source = self._cut("plain", *place)
            gain = rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3).astype(np.float32)
            image, source = (np.clip((picture + 1) * gain - 1, -1, 1) for picture in (image, source))
        else:
            textured = begin_painting(place[0], style)[0] == "photo" and rng.random() < TEXTURED_SHARE
            source = self._cut("photo" if textured else "plain", *place)
        pair = np.stack([image, source])
        if style != "ink" and rng.random() < 0.5:  # a hatcher's hand has one direction
            pair = pair[:, :, ::-1]
        return np.ascontiguousarray(pair.transpose(0, 3, 1, 2), np.float32)

    def _place(self, kind: str, view: str, style: str, rng: np.random.Generator) -> tuple[str, int, int, int]:
        """A random square of a view: its name, size, top and left."""
        height, width = self.pictures[kind][view].shape[:2]
        size = int(min(self.crop * rng.uniform(*ZOOM[style]), height, width))
        return view, size, int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))

    def _cut(self, kind: str, view: str, size: int, y: int, x: int) -> NDArray[np.float32]:
        """That square of the view's picture of a kind, scaled to the crop's size, in [-1, 1]."""
        piece = self.pictures[kind][view][y : y + size, x : x + size]
        method = cv2.INTER_AREA if size > self.crop else cv2.INTER_CUBIC
        return cv2.resize(piece, (self.crop, self.crop), interpolation=method).astype(np.float32) / 127.5 - 1
