"""Does coherence hold frames together without ghosts, and what does it cost? The goals, measured.

    python benchmarks/coherence.py held-out SHOTS [--styles ink] [--seeds 3]     job folders of training.shots
    python benchmarks/coherence.py light [--styles photoreal]                    shots made here, a minute each

held-out: warp error, incoherence and gradient energy of each shot with the setting's values, over those of warped noise
    alone, and the ratio of the times.
light: a shadow that moves over a still, textured wall; a highlight that moves over it; a turning cylinder with a
    silhouette. Where light changed by more than 0.1 since the frame before, the low band (a Gaussian of 3 px) is
    compared with that of warped noise alone, in units of 1/255.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.metrics.coherence import Coherence, CoherenceMeter
from warpnoise.job import Camera, Result, Settings, Shot
from warpnoise.media.png import read_png, write_png
from warpnoise.pipeline import stylize

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from backend.synthetic import write_passes

LAGS = (1, 4, 8, 16)
FRAMES, SIZE = 12, 128
OFF: dict[str, Any] = {"coherence": "off", "pull": 0.0, "accumulation": 0.0, "attention": 0.0}
Picture = npt.NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("held-out", "light"))
    parser.add_argument("shots", nargs="*", type=Path, help="folders with job/ in them")
    parser.add_argument("--styles", default="ink")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--frames", type=int, help="only so many of each shot")
    arguments = parser.parse_args()
    for style in arguments.styles.split(","):
        if arguments.part == "light":
            light(style, arguments.preset)
        else:
            held_out(arguments.shots, style, arguments.seeds, arguments.preset, arguments.frames)


def held_out(shots: list[Path], style: str, seeds: int, preset: str, frames: int | None) -> None:
    lags = [f"lag {lag}" for lag in LAGS]
    print(f"{style}, {preset}: over warped noise alone")
    print(f"{'':<14}{'warp error':<32}{'incoherence':<32}{'gradients':>9}{'time':>7}")
    print(f"{'':<14}{''.join(f'{lag:>8}' for lag in lags * 2)}", flush=True)
    for folder in shots:
        job = Shot.open(folder / "job")
        motion = ShotMotion(job, LAGS, lambda _: None)
        for seed in range(seeds):
            settings = job.settings.updated({"style": style, "seed": seed})
            plain, plain_time = run(job, motion, settings.updated(OFF), frames)
            held, held_time = run(job, motion, settings.updated({"coherence": preset}), frames)
            ratios = [ratio(held.warp_error, plain.warp_error, lag) for lag in LAGS]
            ratios += [ratio(held.incoherence, plain.incoherence, lag) for lag in LAGS]
            cells = "".join(f"{each:8.2f}" for each in ratios)
            gradients = held.gradient_energy / plain.gradient_energy
            print(f"{folder.name + f' {seed}':<14}{cells}{gradients:9.2f}{held_time / plain_time:7.2f}", flush=True)


def ratio(ours: Mapping[int, float], plain: Mapping[int, float], lag: int) -> float:
    return ours[lag] / plain[lag] if lag in ours and lag in plain else float("nan")


def run(job: Shot, motion: ShotMotion, settings: Settings, frames: int | None) -> tuple[Coherence, float]:
    """Its figures, and seconds of the CPU."""
    chosen = job.frames[:frames]
    with tempfile.TemporaryDirectory() as folder:
        result = Result(Path(folder) / "results" / "one")
        began = time.process_time()
        stylize(job, settings, frames=chosen, result=result, device="cpu", movie=False)
        seconds = time.process_time() - began
        meter = CoherenceMeter(motion.lags)
        for number, found in motion:
            if number in chosen:
                meter.add(picture(result.frame(number)), found.values())
        return meter.result(), seconds


def picture(path: Path) -> Picture:
    return np.asarray(read_png(path)[..., :3] / np.float32(65535), np.float32)


def light(style: str, preset: str) -> None:
    for name, make in SHOTS.items():
        with tempfile.TemporaryDirectory() as folder:
            job = make(Path(folder) / name)
            runs: list[list[Picture]] = []
            for changes in (OFF, {"coherence": preset}):
                result = Result(Path(folder) / f"{len(runs)}" / "one")
                settings = job.settings.updated({"style": style, **changes})
                stylize(job, settings, result=result, device="cpu", movie=False)
                runs.append([picture(result.frame(frame)) for frame in job.frames])
            renders = [picture(job.color(frame)) for frame in job.frames]
            print(f"{style}, {preset}, {name}: {compared(renders, *runs)}", flush=True)
            keep = Path(tempfile.gettempdir()) / f"coherence-{name}-{style}.png"
            sheet = [np.concatenate([each[i] for i in (0, FRAMES // 2, FRAMES - 1)], 1) for each in (renders, *runs)]
            write_png(keep, np.asarray(np.concatenate(sheet, 0).clip(0, 1) * 65535, np.uint16))
            print(f"  render, warped noise alone, {preset}: {keep}")


def compared(renders: list[Picture], plain: list[Picture], held: list[Picture]) -> str:
    moved, still, flicker = [], [], []
    for index in range(1, len(renders)):
        changed = np.abs(renders[index] - renders[index - 1]).max(-1) > 0.1
        difference = np.abs(low(held[index]) - low(plain[index])).mean(-1) * 255
        inner = cv2.erode(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        if inner.any():
            moved.append(difference[inner].mean())
        still.append(difference[~changed].mean())
        flicker.append([np.abs(each[index] - each[index - 1])[~changed].mean() * 255 for each in (plain, held)])
    before, after = np.mean(flicker, axis=0)
    at = f"{np.mean(moved):.2f}" if moved else "none"
    return (
        f"low band off by {at} where light moved, by {np.mean(still):.2f} elsewhere; change from frame to frame "
        f"where it did not {before:.2f} -> {after:.2f} (of 255)"
    )


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


SHOTS = {"shadow": shadow, "highlight": highlight, "silhouette": silhouette}


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


if __name__ == "__main__":
    main()
