"""Real model classes at toy size, with random weights from a fixed seed, written as diffusers writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    DDPMPipeline,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

# Networks of this size gain nothing from threads, and threads that wait for each other in a loop cost a busy machine
# ten times the work.
torch.set_num_threads(1)


def tiny_unet(**changes: Any) -> UNet2DModel:
    """A pixel-space network of two levels; sizes must be a multiple of 2."""
    options = {
        "sample_size": 8,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4,
        "attention_head_dim": 4,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DModel(**{**options, **changes})


def write_pixel_model(
    folder: Path,
    *,
    styles: dict[str, Any] | None = None,
    classes: int | None = None,
    scheduler: SchedulerMixin | None = None,
    **unet: Any,
) -> Path:
    """A model of pixels; ``styles``: the content of its styles.json."""
    network = tiny_unet(num_class_embeds=classes, **unet)
    pipeline = DDPMPipeline(network, DDIMScheduler())
    pipeline.scheduler = scheduler or DDIMScheduler()  # the pipeline itself would make flow schedulers DDIM's
    pipeline.save_pretrained(folder)
    if styles is not None:
        (folder / "styles.json").write_text(json.dumps(styles))
    if scheduler is not None:
        scheduler.save_pretrained(folder / "scheduler")
    return folder


def write_styled_model(folder: Path) -> Path:
    """A class-conditional model of two styles, the third class being none."""
    sheet = {"styles": ["ink", "clay"], "null_class": 2, "guidance": 1.5, "strength": 0.5, "size_multiple": 4}
    return write_pixel_model(folder, styles=sheet, classes=3)


def write_latent_model(folder: Path, *, vae_channels: int = 8, **unet: Any) -> Path:
    """A class-conditional model of the latents of an autoencoder, 4 x 4 pixels a cell, that takes frame and geometry:
    the parts of what `training.export` writes with an autoencoder."""
    sheet = {"styles": ["ink", "clay"], "null_class": 2}
    channels = {"in_channels": 2 * 8 + 4, "out_channels": 8, **unet}
    write_pixel_model(folder, styles=sheet, classes=3, **channels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        autoencoder = AutoencoderTiny(
            latent_channels=vae_channels,
            encoder_block_out_channels=(8,) * 3,
            decoder_block_out_channels=(8,) * 3,
            num_encoder_blocks=(0, 1, 1),
            num_decoder_blocks=(1, 1, 0),
        )
    autoencoder.save_pretrained(folder / "vae")
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"_class_name": "DiffusionPipeline", "vae": ["diffusers", "AutoencoderTiny"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def write_stable_diffusion(folder: Path) -> Path:
    """Stable Diffusion 1.5's parts: 4 latents at an eighth of the size, a CLIP text encoder, the PNDM scheduler."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
        )
        vae = AutoencoderKL(
            block_out_channels=(4, 4, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=32,
        )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=64,
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=16,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
                projection_dim=16,
            )
        )
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        set_alpha_to_one=False,
        skip_prk_steps=True,
        steps_offset=1,
    )
    StableDiffusionPipeline(
        vae, text_encoder, tiny_tokenizer(), unet, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder)  # type: ignore[attr-defined]
    return folder


def tiny_tokenizer() -> CLIPTokenizer:
    """A token a letter; 16 tokens are read."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16)
