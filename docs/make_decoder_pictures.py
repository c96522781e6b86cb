"""Makes the pictures of docs/decoder-aligned-noise.md.

    WARPNOISE_TEST_AUTOENCODER=FILE python docs/make_decoder_pictures.py [patterns] [shifts] [slices]

With the `dev` extra; FILE is the tiny FLUX.2 autoencoder that the tests use.
"""

from __future__ import annotations

import io
import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import pyplot
from PIL import Image
from torch import Tensor
from warpnoise.sdedit.filter_bank import FilterBank
from warpnoise.sdedit.filter_bank.response import measure_response

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from backend.tiny_autoencoder import CELL, CHANNELS, TinyAutoencoder, autoencoder_path

TARGET = Path(__file__).resolve().parent / "images" / "decoder"
STYLE = {"font.size": 9, "font.family": "DejaVu Sans"}
SHOWN = 10  # channels
SIZE = 96
REACH = 0.6


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    pyplot.rcParams.update(STYLE)
    for name in sys.argv[1:] or list(PICTURES):
        figure = PICTURES[name]()
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=110)
        pyplot.close(figure)
        Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            TARGET / f"{name}.png", optimize=True
        )
        print(TARGET / f"{name}.png", flush=True)


def patterns() -> pyplot.Figure:
    """What a unit of a channel paints, and the pattern that reads the channel off the pixel noise."""
    order = response().square().sum((1, 2, 3)).argsort(descending=True)[:SHOWN]
    figure, axes = pyplot.subplots(3, SHOWN, figsize=(9.6, 3.3), layout="constrained")
    rows = (("response D", response()), ("pattern P", bank(1).patterns), ("P, half size", bank(2).patterns))
    for line, (title, values) in zip(axes, rows, strict=True):
        for panel, channel in zip(line, order.tolist(), strict=True):
            shown(panel, values[channel], float(values[channel].abs().max()))
            side = values.shape[-1] / 3
            panel.add_patch(
                pyplot.Rectangle((side - 0.5, side - 0.5), side, side, fill=False, color="black", linewidth=0.6)
            )
        line[0].set_ylabel(title)
    for panel, channel in zip(axes[0], order.tolist(), strict=True):
        panel.set_title(f"{channel}", fontsize=8)
    return figure


def shifts() -> pyplot.Figure:
    """What noise decodes to before and after it moves by half a cell, and the difference."""
    figure, axes = pyplot.subplots(2, 3, figsize=(7.2, 4.9), layout="constrained")
    for line, kind in zip(axes, ("pooled", "aligned"), strict=True):
        before, after = painted(kind, 0), painted(kind, CELL // 2)
        before = before[..., CELL // 2 :]
        after = after[..., : before.shape[-1]]
        for panel, values in zip(line, (before, after, before - after), strict=True):
            shown(panel, values[0], REACH)
        line[0].set_ylabel(kind)
    for panel, title in zip(axes[0], ("decoded noise", "moved by 4 px, then back", "difference"), strict=True):
        panel.set_title(title, fontsize=9)
    return figure


def slices() -> pyplot.Figure:
    """One row of the decoded noise over 32 frames of a pan by 1 px."""
    frames = 32
    figure, axes = pyplot.subplots(1, 4, figsize=(9.6, 1.5), layout="constrained")
    for panel, kind in zip(axes, ("random", "fixed", "pooled", "aligned"), strict=True):
        rows = [painted(kind, frame)[0, :, SIZE // 2 + 3] for frame in range(frames)]
        shown(panel, torch.stack(rows, dim=1), REACH)
        panel.set_title(kind, fontsize=9)
    axes[0].set_ylabel("frame")
    return figure


def painted(kind: str, shift: int) -> Tensor:
    """(1, 3, SIZE, SIZE): the decoded noise, about grey."""
    generator = torch.Generator().manual_seed(4)
    if kind == "aligned":
        noise = bank(1).project(torch.randn((1, 3, SIZE, SIZE + 64), generator=generator)[..., shift : shift + SIZE])
    else:
        wide = torch.randn((1, CHANNELS, SIZE, SIZE + 64), generator=generator)
        start = 0 if kind == "fixed" else shift
        noise = F.avg_pool2d(wide[..., start : start + SIZE], CELL) * CELL
        if kind == "random":
            noise = torch.randn(noise.shape, generator=torch.Generator().manual_seed(shift))
    return autoencoder().decode(noise) - 0.5


def shown(panel: pyplot.Axes, values: Tensor, reach: float) -> None:
    """(3, h, w) around 0 as colours around grey."""
    picture = (values / reach / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy().astype(np.float32)
    panel.imshow(picture, interpolation="nearest")
    panel.set(xticks=[], yticks=[])


@cache
def autoencoder() -> TinyAutoencoder:
    path = autoencoder_path()
    if path is None:
        sys.exit("Set WARPNOISE_TEST_AUTOENCODER to the file of the tiny FLUX.2 autoencoder.")
    return TinyAutoencoder(path)


@cache
def bank(scale: int) -> FilterBank:
    return FilterBank.from_response(response(), cell=CELL, scale=scale)


@cache
def response() -> Tensor:
    return measure_response(autoencoder().decode, channels=CHANNELS, cell=CELL)


PICTURES = {"patterns": patterns, "shifts": shifts, "slices": slices}

if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
