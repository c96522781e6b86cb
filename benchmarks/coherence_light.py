"""Shots in which light moves over a surface that does not, for coherence.py, and what is measured on them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from warpnoise.job import Camera, Settings, Shot
from warpnoise.media.png import read_png, write_png

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from backend.synthetic import write_passes

FRAMES, SIZE = 12, 128
Picture = npt.NDArray[np.float32]


def picture(path: Path) -> Picture:
    return np.asarray(read_png(path)[..., :3] / np.float32(65535), np.float32)


def changed_light(renders: list[Picture], plain: list[Picture], carried: list[Picture]) -> dict[str, float]:
    """How far the low band (a Gaussian of 3 px) is from plain's, of 255: ``moved``, where the render changed by more
    than 0.1 since the frame before, and ``still``, elsewhere. ``change``: from frame to frame where the render did not
    change, over plain's."""
    moved, still, flicker = [], [], []
    for index in range(1, len(renders)):
        changed = np.abs(renders[index] - renders[index - 1]).max(-1) > 0.1
        difference = np.abs(low(carried[index]) - low(plain[index])).mean(-1) * 255
        inner = cv2.erode(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        if inner.any():
            moved.append(difference[inner].mean())
        still.append(difference[~changed].mean())
        flicker.append([np.abs(each[index] - each[index - 1])[~changed].mean() for each in (plain, carried)])
    before, after = np.mean(flicker, axis=0)
    return {"moved": float(np.mean(moved)), "still": float(np.mean(still)), "change": float(after / before)}


def low(image: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 3.0), np.float32)


def wall() -> Picture:
    """A still wall with stains of all sizes."""
    generator = np.random.default_rng(0)
    stains = sum(
        cv2.resize(generator.normal(0, 1, (size, size)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        for size in (4, 8, 16, 32)
    )
    tint = np.array([0.62, 0.55, 0.45], np.float32)
    return np.asarray(tint * (1 + 0.09 * np.asarray(stains))[..., None], np.float32).clip(0, 1)


def lit(path: Path, at: Any) -> Shot:
    """The wall under light that changes: ``at(t)``, (h, w), is what it is multiplied with."""
    still = np.zeros((SIZE, SIZE), np.float32)
    frames = [np.asarray((wall() * at(t)[..., None]).clip(0, 1), np.float32) for t in range(FRAMES)]
    return job_of(path, frames, [[still] * 4] * FRAMES, np.ones((SIZE, SIZE), np.uint32))


def shadow(path: Path) -> Shot:
    x = np.arange(SIZE, dtype=np.float32)[None].repeat(SIZE, 0)
    return lit(path, lambda t: 1 - 0.55 * np.exp(-(((x - 20 - 7 * t) / 12) ** 4)))


def highlight(path: Path) -> Shot:
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return lit(path, lambda t: 1 + 0.7 * np.exp(-(((x - 25 - 6 * t) ** 2 + (y - 60) ** 2) / 2 / 12**2)))


def silhouette(path: Path) -> Shot:
    """A cylinder that turns about its axis before the wall: its surface comes and goes at its edges."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    radius, middle, turn = 34.0, SIZE / 2, 0.07
    across = (x - middle) / radius
    on = np.abs(across) < 1
    angle = np.arcsin(across.clip(-1, 1))
    bands = wall()

    def frame(t: int) -> Picture:
        column = ((angle - turn * t) * radius * 1.3 + 200) % (SIZE - 1)
        skin = cv2.remap(bands[..., ::-1].copy(), column.astype(np.float32), y, cv2.INTER_LINEAR)
        shaded = skin * (0.45 + 0.55 * np.cos(angle))[..., None]
        return np.asarray(np.where(on[..., None], shaded, bands), np.float32)

    def along(by: float) -> Picture:
        """How far a point moves that turns by an angle; not a number where it goes out of sight."""
        to = angle + by
        moved = radius * np.sin(to) + middle - x
        return np.where(on, np.where(np.abs(to) < np.pi / 2, moved, np.nan), 0).astype(np.float32)

    zero = np.zeros_like(x)
    passes = [[-along(-turn) * -1, zero, -along(turn), zero] for _ in range(FRAMES)]
    return job_of(path, [frame(t) for t in range(FRAMES)], passes, np.where(on, 0x3F8A1B2C, 1).astype(np.uint32))


LIGHT_SHOTS = {"shadow": shadow, "highlight": highlight, "silhouette": silhouette}


def job_of(path: Path, frames: list[Picture], vectors: list[Any], surface: npt.NDArray[np.uint32]) -> Shot:
    sources = path.with_name(f"{path.name}-sources")
    sources.mkdir(parents=True, exist_ok=True)
    colors, passes = [], []
    one, zero = np.ones((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.float32)
    for number, (frame, vector) in enumerate(zip(frames, vectors, strict=True), start=1):
        colors.append(sources / f"{number:04d}.png")
        write_png(colors[-1], np.asarray(frame * 65535, np.uint16))
        passes.append(sources / f"{number:04d}.exr")
        planes = dict(zip(("Vector.X", "Vector.Y", "Vector.Z", "Vector.W"), vector, strict=True))
        crypto = {"CryptoObject00.r": surface.view(np.float32), "CryptoObject00.g": one}
        crypto |= {"CryptoObject00.b": zero, "CryptoObject00.a": zero}
        write_passes(passes[-1], {"Depth.Z": one * 5, **planes, **crypto}, manifest={"Wall": 1})
    cameras: list[Camera | None] = [None] * FRAMES
    shot = Shot.create(path, passes=passes, color=colors, cameras=cameras, settings=Settings())
    shutil.rmtree(sources)
    return shot
