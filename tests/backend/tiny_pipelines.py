"""Text-to-image models of every family at toy size: the real classes, random weights from a fixed seed.

``write(name, folder)`` writes one of ``MODELS`` as diffusers does. Each takes a fraction of a second. For another
family, add a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from . import tiny_parts as parts

torch.set_num_threads(1)

Make = Callable[[], Any]


@dataclass(frozen=True)
class Model:
    """``pipeline``: the class. ``parts``: what makes each of its parts. ``published``: classes that model_index.json
    names for parts that the libraries cannot save without torchvision. ``options``: of the pipeline."""

    pipeline: str
    parts: Mapping[str, Make | None]
    published: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self) -> Any:
        made = {name: None if make is None else make() for name, make in self.parts.items()}
        return getattr(diffusers, self.pipeline)(**made, **self.options)


def write(name: str, folder: Path) -> Path:
    """Write a model to a folder, and return that."""
    model = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = model.make()
        _blur_no_zeros(pipeline)
        pipeline.save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text())
    index |= {part: ["transformers", kind] for part, kind in model.published.items()}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def changed(name: str, **parts: Make) -> Model:
    """One of ``MODELS`` with other parts."""
    return replace(MODELS[name], parts={**MODELS[name].parts, **parts})


def _blur_no_zeros(pipeline: Any) -> None:
    """Layers that are initialized to zero would hide what goes through them."""
    network = getattr(pipeline, "unet", None) or pipeline.transformer
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.1)


# ---- schedulers ------------------------------------------------------------------------------------------------------

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
PNDM = partial(diffusers.PNDMScheduler, **BETAS, skip_prk_steps=True, set_alpha_to_one=False)
VELOCITY = partial(
    diffusers.DDIMScheduler, **BETAS, prediction_type="v_prediction", set_alpha_to_one=False, clip_sample=False
)
LCM = partial(diffusers.LCMScheduler, **BETAS)
EULER = partial(diffusers.EulerDiscreteScheduler, **BETAS)
TURBO = partial(diffusers.EulerAncestralDiscreteScheduler, **BETAS, timestep_spacing="trailing")
DPM = partial(diffusers.DPMSolverMultistepScheduler, beta_schedule="linear", beta_start=1e-4, beta_end=0.02)
DPM_FLOW = partial(
    diffusers.DPMSolverMultistepScheduler,
    use_flow_sigmas=True,
    flow_shift=3.0,
    prediction_type="flow_prediction",
    algorithm_type="dpmsolver++",
)
FLOW = diffusers.FlowMatchEulerDiscreteScheduler
FLUX_SHIFT = {"base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096}
QWEN_SHIFT = {"base_shift": 0.5, "max_shift": 0.9, "base_image_seq_len": 256, "max_image_seq_len": 8192}

# ---- networks --------------------------------------------------------------------------------------------------------


def unet(**changes: Any) -> Any:
    options = {
        "sample_size": 32,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    return diffusers.UNet2DConditionModel(**{**options, **changes})


def unet_xl(cross: int = 32, time_ids: int = 6) -> Any:
    return unet(
        cross_attention_dim=cross,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=16 + time_ids * 8,
        use_linear_projection=True,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
    )


TOKENS = {"patch_size": 1, "in_channels": 64, "attention_head_dim": 16, "num_attention_heads": 2}
LAYERS = {"num_layers": 1, "num_single_layers": 1}
OF_TEXT = {"joint_attention_dim": 32, "axes_dims_rope": (4, 4, 8)}


def flux_network(guidance: bool = True) -> Any:
    return diffusers.FluxTransformer2DModel(
        **TOKENS, **LAYERS, **OF_TEXT, pooled_projection_dim=16, guidance_embeds=guidance
    )


def flux_2_network(text: int, guidance: bool) -> Any:
    return diffusers.Flux2Transformer2DModel(
        **{**TOKENS, **LAYERS, "in_channels": 128},
        joint_attention_dim=text,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=guidance,
    )


SD_3 = partial(
    diffusers.SD3Transformer2DModel,
    sample_size=32,
    patch_size=2,
    in_channels=16,
    num_layers=2,
    attention_head_dim=8,
    num_attention_heads=4,
    joint_attention_dim=32,
    caption_projection_dim=32,
    pooled_projection_dim=32,
    out_channels=16,
    pos_embed_max_size=96,
    qk_norm="rms_norm",
    dual_attention_layers=(0,),
)
QWEN = partial(
    diffusers.QwenImageTransformer2DModel, **{**TOKENS, **OF_TEXT, "patch_size": 2}, num_layers=1, out_channels=16
)
Z_IMAGE = partial(
    diffusers.ZImageTransformer2DModel,
    in_channels=16,
    dim=32,
    n_layers=1,
    n_refiner_layers=1,
    n_heads=2,
    n_kv_heads=2,
    cap_feat_dim=32,
    axes_dims=[4, 4, 8],
    axes_lens=[1024, 64, 64],
)
CHROMA = partial(
    diffusers.ChromaTransformer2DModel,
    **TOKENS,
    **LAYERS,
    **OF_TEXT,
    approximator_hidden_dim=32,
    approximator_layers=1,
    approximator_num_channels=16,
)
SANA = partial(
    diffusers.SanaTransformer2DModel,
    patch_size=1,
    in_channels=4,
    out_channels=4,
    num_layers=1,
    num_attention_heads=2,
    attention_head_dim=4,
    num_cross_attention_heads=2,
    cross_attention_head_dim=4,
    cross_attention_dim=8,
    caption_channels=32,
    sample_size=32,
)
PIXART = partial(
    diffusers.PixArtTransformer2DModel,
    sample_size=32,
    num_layers=1,
    patch_size=2,
    attention_head_dim=8,
    num_attention_heads=2,
    caption_channels=32,
    in_channels=4,
    cross_attention_dim=16,
    out_channels=8,
    norm_type="ada_norm_single",
    num_embeds_ada_norm=1000,
    use_additional_conditions=False,
)
AURA_FLOW = partial(
    diffusers.AuraFlowTransformer2DModel,
    sample_size=32,
    patch_size=2,
    in_channels=4,
    num_mmdit_layers=1,
    num_single_dit_layers=1,
    attention_head_dim=8,
    num_attention_heads=4,
    joint_attention_dim=32,
    caption_projection_dim=32,
    out_channels=4,
    pos_embed_max_size=256,
)
LUMINA_2 = partial(
    diffusers.Lumina2Transformer2DModel,
    sample_size=32,
    patch_size=2,
    in_channels=4,
    hidden_size=24,
    num_layers=1,
    num_refiner_layers=1,
    num_attention_heads=3,
    num_kv_heads=1,
    multiple_of=2,
    cap_feat_dim=32,
    axes_dim_rope=(4, 2, 2),
    axes_lens=(300, 128, 128),
)
PRX = partial(
    diffusers.PRXTransformer2DModel,
    in_channels=3,
    patch_size=4,
    context_in_dim=32,
    hidden_size=32,
    num_heads=2,
    depth=1,
    axes_dim=[8, 8],
    mlp_ratio=2.0,
    bottleneck_size=8,
    resolution_embeds=True,
)

# ---- the table -------------------------------------------------------------------------------------------------------

CLIP = {"text_encoder": parts.clip, "tokenizer": parts.clip_tokenizer}
CLIP_2 = {"text_encoder_2": parts.clip_with_projection, "tokenizer_2": parts.clip_tokenizer}
T5 = {"text_encoder": parts.t5, "tokenizer": parts.t5_tokenizer}
T5_2 = {"text_encoder_2": parts.t5, "tokenizer_2": parts.t5_tokenizer}
SD = {"vae": parts.autoencoder, **CLIP, "safety_checker": None, "feature_extractor": None}
NO_CHECKER = {"requires_safety_checker": False}
XL = {"vae": parts.autoencoder, **CLIP, **CLIP_2, "unet": unet_xl}
FLUX = {"vae": parts.autoencoder_16, **CLIP, **T5_2}
QWEN_PARTS: dict[str, Make | None] = {
    "scheduler": partial(FLOW, use_dynamic_shifting=True, **QWEN_SHIFT, shift_terminal=0.02),
    "vae": parts.autoencoder_qwen,
    "text_encoder": parts.qwen_vision,
    "tokenizer": parts.qwen_tokenizer,
    "transformer": QWEN,
}
QWEN_EDIT = {**QWEN_PARTS, "processor": parts.qwen_processor}
QWEN_PUBLISHED = {"processor": "Qwen2VLProcessor"}
FLUX_DEV: dict[str, Make | None] = {
    **FLUX,
    "transformer": flux_network,
    "scheduler": partial(FLOW, shift=3.0, use_dynamic_shifting=True, **FLUX_SHIFT),
}
SANA_PARTS: dict[str, Make | None] = {
    "transformer": SANA,
    "tokenizer": parts.qwen_tokenizer,
    "text_encoder": partial(parts.gemma_2, 1),
    "vae": parts.autoencoder_dc,
}
PIXART_PARTS: dict[str, Make | None] = {"transformer": PIXART, **T5, "vae": parts.autoencoder, "scheduler": DPM}

MODELS: dict[str, Model] = {
    "sd15": Model("StableDiffusionPipeline", {"unet": unet, **SD, "scheduler": PNDM}, options=NO_CHECKER),
    "sd21": Model(
        "StableDiffusionPipeline",
        {
            "unet": partial(unet, use_linear_projection=True, attention_head_dim=(2, 4)),
            **SD,
            "text_encoder": partial(parts.clip, act="gelu"),
            "scheduler": VELOCITY,
        },
        options=NO_CHECKER,
    ),
    "lcm": Model(
        "LatentConsistencyModelPipeline",
        {"unet": partial(unet, time_cond_proj_dim=32), **SD, "scheduler": LCM},
        options=NO_CHECKER,
    ),
    "sdxl": Model("StableDiffusionXLPipeline", {**XL, "scheduler": partial(EULER, timestep_spacing="leading")}),
    "sdxl_turbo": Model("StableDiffusionXLPipeline", {**XL, "scheduler": TURBO}),
    "sdxl_lightning": Model(
        "StableDiffusionXLPipeline", {**XL, "scheduler": partial(EULER, timestep_spacing="trailing")}
    ),
    "sdxl_lcm": Model("StableDiffusionXLPipeline", {**XL, "scheduler": LCM}),
    "refiner": Model(
        "StableDiffusionXLImg2ImgPipeline",
        {
            **XL,
            "text_encoder": None,
            "tokenizer": None,
            "unet": partial(unet_xl, cross=16, time_ids=5),
            "scheduler": EULER,
        },
        options={"requires_aesthetics_score": True},
    ),
    "sd3": Model(
        "StableDiffusion3Pipeline",
        {
            "transformer": SD_3,
            "scheduler": partial(FLOW, shift=3.0),
            "vae": partial(parts.autoencoder_16, 0.0609, 1.5305),
            "text_encoder": partial(parts.clip_with_projection, "quick_gelu"),
            "tokenizer": parts.clip_tokenizer,
            **CLIP_2,
            "text_encoder_3": parts.t5,
            "tokenizer_3": parts.t5_tokenizer,
        },
    ),
    "flux": Model("FluxPipeline", FLUX_DEV),
    "flux_schnell": Model(
        "FluxPipeline",
        {**FLUX, "transformer": partial(flux_network, False), "scheduler": partial(FLOW, shift=1.0, **FLUX_SHIFT)},
    ),
    "kontext": Model("FluxKontextPipeline", FLUX_DEV),
    "flux2": Model(  # published with a processor of pictures around its tokenizer, which diffusers gives no pictures
        "Flux2Pipeline",
        {
            "scheduler": partial(FLOW, use_dynamic_shifting=True),
            "vae": parts.autoencoder_flux_2,
            "text_encoder": parts.mistral_3,
            "tokenizer": parts.qwen_tokenizer,
            "transformer": partial(flux_2_network, 48, True),
        },
        published={"tokenizer": "PixtralProcessor"},
    ),
    "flux2_klein": Model(
        "Flux2KleinPipeline",
        {
            "scheduler": partial(FLOW, use_dynamic_shifting=True),
            "vae": parts.autoencoder_flux_2,
            "text_encoder": partial(parts.qwen_3, transformers.Qwen3ForCausalLM, layers=28),
            "tokenizer": parts.qwen_tokenizer,
            "transformer": partial(flux_2_network, 96, False),
        },
    ),
    "qwen": Model("QwenImagePipeline", QWEN_PARTS),
    "qwen_edit": Model("QwenImageEditPipeline", QWEN_EDIT, published=QWEN_PUBLISHED),
    "qwen_edit_plus": Model("QwenImageEditPlusPipeline", QWEN_EDIT, published=QWEN_PUBLISHED),
    "z_image": Model(
        "ZImagePipeline",
        {
            "transformer": Z_IMAGE,
            "text_encoder": partial(parts.qwen_3, transformers.Qwen3Model),
            "tokenizer": parts.qwen_tokenizer,
            "vae": parts.autoencoder_16,
            "scheduler": partial(FLOW, shift=3.0),
        },
    ),
    "chroma": Model("ChromaPipeline", {"transformer": CHROMA, "scheduler": FLOW, "vae": parts.autoencoder_16, **T5}),
    "sana": Model("SanaPipeline", {**SANA_PARTS, "scheduler": DPM_FLOW}),
    "sana_euler": Model("SanaPipeline", {**SANA_PARTS, "scheduler": partial(FLOW, shift=3.0)}),
    "pixart": Model("PixArtSigmaPipeline", PIXART_PARTS),
    "pixart_alpha": Model("PixArtAlphaPipeline", PIXART_PARTS),
    "auraflow": Model(
        "AuraFlowPipeline",
        {"transformer": AURA_FLOW, **T5, "vae": parts.autoencoder, "scheduler": partial(FLOW, shift=1.73)},
    ),
    "lumina2": Model(
        "Lumina2Pipeline",
        {
            "transformer": LUMINA_2,
            "scheduler": partial(FLOW, shift=6.0),
            "vae": partial(parts.autoencoder, shift_factor=0.1159, scaling_factor=0.3611),
            "text_encoder": partial(parts.gemma_2, 2),
            "tokenizer": parts.qwen_tokenizer,
        },
    ),
    "prx": Model(  # of pixels: no autoencoder, and noise of standard deviation 2
        "PRXPixelPipeline",
        {"transformer": PRX, "scheduler": FLOW, **T5},
        options={"prompt_max_tokens": 16},
    ),
}
