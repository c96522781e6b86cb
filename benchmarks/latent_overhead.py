"""What a text-to-image model's edit costs beyond the network's own work, and beside diffusers' own pipeline.

    python benchmarks/latent_overhead.py [--model unet|transformer] [--size 256] [--steps 10] [--batch 2] [--repeats 5]

The networks have random weights, more than 50 million of them. Three things run in turns: the network alone, as often
and with as many pictures at once as the pipeline calls it; diffusers' own text-to-image pipeline, with its autoencoder;
and `PipelineEditor.edit`, which also encodes. `over bare` is the edit without the autoencoder over the first, with the
goal 1.05; `over own` is the edit over the second and the encoding that it has not, with the goal 1.02. The time is that
of all threads, on one thread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.autoencoder import decode, encode
from warpnoise.sdedit.latent_noise import LatentNoise
from warpnoise.sdedit.pipeline_editor import PipelineEditor

from backend import tiny_pipelines as tiny

library: Any = diffusers  # untyped
noise_kind: Any = LatentNoise

SETTINGS = Settings(strength=1.0, prompt="a house", guidance=4.0)


UNET = partial(
    tiny.unet,
    block_out_channels=(128, 256),
    layers_per_block=2,
    cross_attention_dim=16,
    attention_head_dim=8,
    norm_num_groups=32,
    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    transformer_layers_per_block=4,
)
TRANSFORMER = partial(
    library.ChromaTransformer2DModel,
    patch_size=1,
    in_channels=64,
    num_layers=4,
    num_single_layers=8,
    attention_head_dim=64,
    num_attention_heads=8,
    joint_attention_dim=32,
    axes_dims_rope=(16, 24, 24),
    approximator_hidden_dim=64,
    approximator_layers=1,
    approximator_num_channels=64,
)
SCHEDULER = partial(library.DDIMScheduler, **tiny.BETAS, clip_sample=False)
MODELS = {
    "unet": tiny.changed("sd15", unet=UNET, scheduler=SCHEDULER),
    "transformer": tiny.changed("chroma", transformer=TRANSFORMER),
}
"""Layouts of Stable Diffusion and Chroma, 50 million weights each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=[*MODELS], default="unet")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            MODELS[arguments.model].make().save_pretrained(place)
        noise_kind.bank = lambda *_: None
        editor = load_model(place, "cpu", "float32")
        own = library.DiffusionPipeline.from_pretrained(place)
    assert isinstance(editor, PipelineEditor)
    own.set_progress_bar_config(disable=True)
    own_network = getattr(own, editor.folder.network_part)
    own_network.to(memory_format=torch.channels_last)
    weights = sum(weight.numel() for weight in editor.network.parameters())
    size = (arguments.size, arguments.size)
    settings = SETTINGS.updated({"steps": arguments.steps})
    images = torch.rand(arguments.batch, 3, *size)
    noise = torch.randn(arguments.batch, *editor.noise_shape(*size, SETTINGS))
    calls = _calls_of(editor, images, noise, settings)
    print(
        f"{weights / 1e6:.0f} million weights, {len(calls)} calls of the network, {arguments.batch} frames of {size}",
        flush=True,
    )
    call = {**editor._call(images, encode(editor.pipeline, images), settings), "output_type": "pt"}
    start = editor._start(noise)
    over_bare, over_own = [], []
    for _ in range(arguments.repeats + 1):
        bare = _seconds(lambda: [editor.network(*args, **named) for args, named in calls])
        coder = _seconds(lambda: decode(editor.pipeline, encode(editor.pipeline, images * 2 - 1)))
        encoder = _seconds(lambda: encode(editor.pipeline, images * 2 - 1))
        whole = _seconds(lambda: editor.edit(images, lambda index: noise, settings))
        theirs = _seconds(lambda: own(**call, **start))
        over_bare.append((whole - coder) / bare)
        over_own.append(whole / (theirs + encoder))
        print(
            f"bare {bare:7.2f} s   edit {whole:7.2f} s   autoencoder {coder:6.2f} s   diffusers {theirs:7.2f} s",
            flush=True,
        )
    bare_ratio, own_ratio = (statistics.median(ratios[1:]) for ratios in (over_bare, over_own))  # the first warms up
    print(f"over bare {bare_ratio:.3f} (goal 1.05)   over own {own_ratio:.3f} (goal 1.02)")


def _calls_of(editor: PipelineEditor, images: torch.Tensor, noise: torch.Tensor, settings: Settings) -> list[Any]:
    """What the network is called with in an edit."""
    calls: list[Any] = []
    watch = editor.network.register_forward_pre_hook(
        lambda _, args, named: calls.append((args, named)), with_kwargs=True
    )
    editor.edit(images, lambda index: noise, settings)
    watch.remove()
    return calls


@torch.no_grad()
def _seconds(work: Any) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
