"""The model card's pictures: the training data, the loss curve, and results on held-out plain images.

python -m training.pictures training/data training/runs/default backend/warpnoise/models/default docs/images/model
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import torch
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.editor import Editor

from training.dataset import read_geometry, split
from training.kuwahara import Image
from training.paint_dataset import finished_views, read, write
from training.styles import STYLES


def label(text: str, width: int) -> Image:
    """A strip with a caption."""
    strip = np.full((18, width, 3), 255, np.uint8)
    cv2.putText(strip, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return strip.astype(np.float32) / np.float32(255)


def stack(columns: dict[str, list[Image]]) -> Image:
    """A sheet of captioned columns of equally large pictures."""
    done = []
    for name, pictures in columns.items():
        done.append(np.concatenate([label(name, pictures[0].shape[1]), *pictures]))
    return np.concatenate(done, axis=1)


def data_sheet(data: Path, rows: int = 6) -> Image:
    """Plain, photoreal and painted versions of `rows` views, from scenes spread over the whole set."""
    views = [v for v in finished_views(data) if v.endswith("_0.png")]
    chosen = views[:: max(1, len(views) // rows)][:rows]
    folders = {"plain": "plain", "photoreal": "photo", **{s: s for s in STYLES[1:]}}
    return stack({name: [read(data / folder / view) for view in chosen] for name, folder in folders.items()})


def edit(editor: Editor, images: list[Image], geometry: list[Image], settings: Settings) -> list[Image]:
    """SDEdit results for images of one size and their geometry, all with the noise of seed 0."""
    batch, seen = (torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2) for each in (images, geometry))
    height, width = batch.shape[-2:]
    shape = (editor.noise_maps(settings), 1, *editor.noise_shape(height, width, settings))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = editor.edit(batch, lambda k: noise[k].expand(len(images), -1, -1, -1), settings, geometry=seen)
    return list(result.permute(0, 2, 3, 1).numpy())


def sample_sheet(data: Path, model: Path, strengths: tuple[float, ...], rows: int, guidance: float | None) -> Image:
    """For held-out views: the plain input, the path-traced truth, and each style at each strength."""
    _, held = split(data)
    # The first view of each scene, then the second ones: as many different scenes as there are rows.
    chosen = sorted(held, key=lambda view: view.split("_")[1])[:rows]
    plain = [read(data / "plain" / view) for view in chosen]
    geometry = [read_geometry(data, view) for view in chosen]
    columns = {"plain input": plain, "path traced": [read(data / "photo" / view) for view in chosen]}
    editor = load_model(str(model), None, None)
    for style in STYLES:
        for strength in strengths:
            settings = Settings(style=style, strength=strength, guidance=guidance)
            columns[f"{style} {strength}"] = edit(editor, plain, geometry, settings)
    return stack(columns)


def loss_curve(run: Path, target: Path) -> None:
    """Draws `loss.csv`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with (run / "loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure, axes = pyplot.subplots(figsize=(6, 3.2), layout="constrained")
    axes.semilogy([int(r["step"]) for r in rows], [float(r["loss"]) for r in rows], linewidth=1)
    axes.set(xlabel="step", ylabel="velocity MSE (mean of 50 steps)", title="Training loss")
    axes.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(target, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--rows", type=int, default=6, help="held-out views (default %(default)s)")
    parser.add_argument("--strengths", type=float, nargs="+", default=(0.4, 0.5, 0.6))
    parser.add_argument("--guidance", type=float, help="default: the model's own")
    parser.add_argument("--only-samples", action="store_true")
    options = parser.parse_args()
    options.target.mkdir(parents=True, exist_ok=True)
    sheet = sample_sheet(options.data, options.model, tuple(options.strengths), options.rows, options.guidance)
    write(options.target / "samples.jpg", sheet)
    if not options.only_samples:
        write(options.target / "data.jpg", data_sheet(options.data))
        loss_curve(options.run, options.target / "loss.png")


if __name__ == "__main__":
    main()
