"""Text-to-image models of every family at toy size: the real classes, random weights from a fixed seed.

``write(name, folder)`` writes one as diffusers does. Each takes a fraction of a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel

torch.set_num_threads(1)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}

BUILDERS: dict[str, Callable[[], Any]] = {}


def write(name: str, folder: Path) -> Path:
    """Write a model to a folder, and return that."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = BUILDERS[name]()
        _blur_no_zeros(pipeline)
        pipeline.save_pretrained(folder)
    if name == "flux2":
        index = folder / "model_index.json"
        index.write_text(index.read_text().replace(type(pipeline.tokenizer).__name__, "PixtralProcessor"))
    return folder


def build(function: Callable[[], Any]) -> Callable[[], Any]:
    """Have ``write`` know a builder by its function's name."""
    BUILDERS[function.__name__] = function
    return function


def _blur_no_zeros(pipeline: Any) -> None:
    """Layers that are initialized to zero would hide what goes through them."""
    network = getattr(pipeline, "unet", None) or pipeline.transformer
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.1)


def has_torchvision() -> bool:
    """Whether it can be imported: a build for another PyTorch cannot."""
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        return False
    return True


# ---- text ------------------------------------------------------------------------------------------------------------


def clip_tokenizer() -> Any:
    """A token a letter; 77 are read."""
    tokens = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def clip(kind: Any = transformers.CLIPTextModel, act: str = "quick_gelu") -> Any:
    return kind(
        transformers.CLIPTextConfig(
            vocab_size=64,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=77,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
            projection_dim=16,
            hidden_act=act,
        )
    )


def clip_with_projection(act: str = "gelu") -> Any:
    return clip(transformers.CLIPTextModelWithProjection, act)


def t5_tokenizer() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0)]
    pieces += [(letter, -2.0) for letter in LETTERS] + [("▁" + letter, -2.0) for letter in LETTERS]
    return transformers.T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=77)


def t5(kind: Any = transformers.T5EncoderModel) -> Any:
    return kind(transformers.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=16, num_layers=1, num_heads=4))


CHAT = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
VISION_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]


def qwen_tokenizer() -> Any:
    """Tokens of bytes, with the chat's marks."""
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(ByteLevel.alphabet()), *VISION_TOKENS]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = transformers.Qwen2Tokenizer(vocab=vocabulary, merges=[], model_max_length=1024)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", *VISION_TOKENS]})
    tokenizer.chat_template = CHAT
    return tokenizer


def qwen_3(kind: Any, layers: int = 3) -> Any:
    return kind(
        transformers.Qwen3Config(
            vocab_size=300,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=1024,
        )
    )


def qwen_vision() -> Any:
    marks = {token: qwen_tokenizer().convert_tokens_to_ids(token) for token in VISION_TOKENS}
    return transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(
            text_config={
                "hidden_size": 32,
                "intermediate_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "vocab_size": 300,
                "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
                "max_position_embeddings": 2048,
            },
            vision_config={
                "depth": 1,
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_heads": 2,
                "out_hidden_size": 32,
            },
            vision_start_token_id=marks["<|vision_start|>"],
            vision_end_token_id=marks["<|vision_end|>"],
            image_token_id=marks["<|image_pad|>"],
            video_token_id=marks["<|video_pad|>"],
        )
    )


def gemma_2(layers: int) -> Any:
    return transformers.Gemma2Model(
        transformers.Gemma2Config(
            vocab_size=300,
            hidden_size=32,
            intermediate_size=16,
            num_hidden_layers=layers,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
        )
    )


# ---- autoencoders ----------------------------------------------------------------------------------------------------


def autoencoder(channels: int = 4, **changes: Any) -> Any:
    """Eight pixels a latent."""
    return diffusers.AutoencoderKL(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=32,
        layers_per_block=1,
        **changes,
    )


def autoencoder_16(shift: float = 0.1159, scale: float = 0.3611) -> Any:
    return autoencoder(16, shift_factor=shift, scaling_factor=scale, use_quant_conv=False, use_post_quant_conv=False)


def autoencoder_flux_2() -> Any:
    vae = diffusers.AutoencoderKLFlux2(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=32,
        norm_num_groups=4,
        layers_per_block=1,
    )
    vae.bn.running_mean.normal_(std=0.2)
    vae.bn.running_var.uniform_(0.5, 2)
    return vae


def autoencoder_qwen() -> Any:
    return diffusers.AutoencoderKLQwenImage(
        base_dim=8, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )


def autoencoder_dc() -> Any:
    return diffusers.AutoencoderDC(
        in_channels=3,
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    )


# ---- U-Nets ----------------------------------------------------------------------------------------------------------


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


def _sd(network: Any, scheduler: Any, kind: Any = diffusers.StableDiffusionPipeline, act: str = "quick_gelu") -> Any:
    return kind(
        autoencoder(), clip(act=act), clip_tokenizer(), network, scheduler, None, None, requires_safety_checker=False
    )


@build
def sd15() -> Any:
    return _sd(unet(), diffusers.PNDMScheduler(**DIFFUSION, skip_prk_steps=True, set_alpha_to_one=False))


@build
def sd21() -> Any:
    """Predicts velocities."""
    network = unet(use_linear_projection=True, attention_head_dim=(2, 4))
    scheduler = diffusers.DDIMScheduler(
        **DIFFUSION, prediction_type="v_prediction", set_alpha_to_one=False, clip_sample=False
    )
    return _sd(network, scheduler, act="gelu")


@build
def lcm() -> Any:
    network = unet(time_cond_proj_dim=32)
    return _sd(network, diffusers.LCMScheduler(**DIFFUSION), diffusers.LatentConsistencyModelPipeline)


def _sdxl(scheduler: Any) -> Any:
    return diffusers.StableDiffusionXLPipeline(
        autoencoder(), clip(), clip_with_projection(), clip_tokenizer(), clip_tokenizer(), unet_xl(), scheduler
    )


@build
def sdxl() -> Any:
    return _sdxl(diffusers.EulerDiscreteScheduler(**DIFFUSION, timestep_spacing="leading"))


@build
def sdxl_turbo() -> Any:
    return _sdxl(diffusers.EulerAncestralDiscreteScheduler(**DIFFUSION, timestep_spacing="trailing"))


@build
def sdxl_lightning() -> Any:
    return _sdxl(diffusers.EulerDiscreteScheduler(**DIFFUSION, timestep_spacing="trailing"))


@build
def sdxl_lcm() -> Any:
    return _sdxl(diffusers.LCMScheduler(**DIFFUSION))


@build
def refiner() -> Any:
    return diffusers.StableDiffusionXLImg2ImgPipeline(
        autoencoder(),
        None,
        clip_with_projection(),
        None,
        clip_tokenizer(),
        unet_xl(cross=16, time_ids=5),
        diffusers.EulerDiscreteScheduler(**DIFFUSION),
        requires_aesthetics_score=True,
    )


# ---- transformers ----------------------------------------------------------------------------------------------------

FLUX_SHIFT = {"base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096}


def flow(**options: Any) -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(**options)


@build
def sd3() -> Any:
    network = diffusers.SD3Transformer2DModel(
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
    return diffusers.StableDiffusion3Pipeline(
        network,
        flow(shift=3.0),
        autoencoder_16(0.0609, 1.5305),
        clip_with_projection("quick_gelu"),
        clip_tokenizer(),
        clip_with_projection(),
        clip_tokenizer(),
        t5(),
        t5_tokenizer(),
    )


def flux_network(guidance: bool = True) -> Any:
    return diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=guidance,
        axes_dims_rope=(4, 4, 8),
    )


def _flux(guidance: bool, scheduler: Any) -> Any:
    return diffusers.FluxPipeline(
        scheduler, autoencoder_16(), clip(), clip_tokenizer(), t5(), t5_tokenizer(), flux_network(guidance)
    )


@build
def flux() -> Any:
    return _flux(True, flow(shift=3.0, use_dynamic_shifting=True, **FLUX_SHIFT))


@build
def flux_schnell() -> Any:
    return _flux(False, flow(shift=1.0, **FLUX_SHIFT))


@build
def kontext() -> Any:
    return diffusers.FluxKontextPipeline(**flux().components)


def flux_2_network(text: int, guidance: bool) -> Any:
    return diffusers.Flux2Transformer2DModel(
        patch_size=1,
        in_channels=128,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=text,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=guidance,
    )


@build
def flux2_klein() -> Any:
    return diffusers.Flux2KleinPipeline(
        flow(use_dynamic_shifting=True),
        autoencoder_flux_2(),
        qwen_3(transformers.Qwen3ForCausalLM, layers=28),
        qwen_tokenizer(),
        flux_2_network(96, False),
    )


def mistral_3() -> Any:
    """With as many layers as FLUX.2 reads."""
    return transformers.Mistral3ForConditionalGeneration(
        transformers.Mistral3Config(
            text_config={
                "model_type": "mistral",
                "vocab_size": 300,
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 30,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                "head_dim": 8,
                "max_position_embeddings": 1024,
            },
            vision_config={
                "model_type": "pixtral",
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 28,
                "patch_size": 14,
            },
        )
    )


@build
def flux2() -> Any:
    """Published with a processor of pictures around its tokenizer, which diffusers gives no pictures."""
    return diffusers.Flux2Pipeline(
        flow(use_dynamic_shifting=True),
        autoencoder_flux_2(),
        mistral_3(),
        qwen_tokenizer(),
        flux_2_network(48, True),
    )


@build
def qwen() -> Any:
    return diffusers.QwenImagePipeline(
        flow(
            use_dynamic_shifting=True,
            base_shift=0.5,
            max_shift=0.9,
            base_image_seq_len=256,
            max_image_seq_len=8192,
            shift_terminal=0.02,
        ),
        autoencoder_qwen(),
        qwen_vision(),
        qwen_tokenizer(),
        diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=64,
            out_channels=16,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(4, 4, 8),
        ),
    )


def qwen_processor() -> Any:
    """Of text and pictures, a few tokens a picture."""
    return transformers.Qwen2VLProcessor(
        transformers.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=56 * 56),
        qwen_tokenizer(),
        transformers.Qwen2VLVideoProcessor(),
    )


def _qwen_edit(kind: Any) -> Any:
    return kind(**qwen().components, processor=qwen_processor())


if has_torchvision():

    @build
    def qwen_edit() -> Any:
        return _qwen_edit(diffusers.QwenImageEditPipeline)

    @build
    def qwen_edit_plus() -> Any:
        return _qwen_edit(diffusers.QwenImageEditPlusPipeline)


@build
def z_image() -> Any:
    network = diffusers.ZImageTransformer2DModel(
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
    text = qwen_3(transformers.Qwen3Model)
    return diffusers.ZImagePipeline(flow(shift=3.0), autoencoder_16(), text, qwen_tokenizer(), network)


@build
def chroma() -> Any:
    network = diffusers.ChromaTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
        approximator_hidden_dim=32,
        approximator_layers=1,
        approximator_num_channels=16,
    )
    return diffusers.ChromaPipeline(flow(), autoencoder_16(), t5(), t5_tokenizer(), network)


def _sana(scheduler: Any) -> Any:
    network = diffusers.SanaTransformer2DModel(
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
    return diffusers.SanaPipeline(qwen_tokenizer(), gemma_2(1), autoencoder_dc(), network, scheduler)


@build
def sana() -> Any:
    """With the scheduler that it was published with."""
    return _sana(
        diffusers.DPMSolverMultistepScheduler(
            use_flow_sigmas=True, flow_shift=3.0, prediction_type="flow_prediction", algorithm_type="dpmsolver++"
        )
    )


@build
def sana_euler() -> Any:
    return _sana(flow(shift=3.0))


@build
def pixart() -> Any:
    network = diffusers.PixArtTransformer2DModel(
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
    scheduler = diffusers.DPMSolverMultistepScheduler(beta_schedule="linear", beta_start=1e-4, beta_end=0.02)
    return diffusers.PixArtSigmaPipeline(t5_tokenizer(), t5(), autoencoder(), network, scheduler)


@build
def pixart_alpha() -> Any:
    return diffusers.PixArtAlphaPipeline(**pixart().components)


@build
def auraflow() -> Any:
    network = diffusers.AuraFlowTransformer2DModel(
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
    return diffusers.AuraFlowPipeline(t5_tokenizer(), t5(), autoencoder(), network, flow(shift=1.73))


@build
def lumina2() -> Any:
    network = diffusers.Lumina2Transformer2DModel(
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
    vae = autoencoder(shift_factor=0.1159, scaling_factor=0.3611)
    return diffusers.Lumina2Pipeline(network, flow(shift=6.0), vae, gemma_2(2), qwen_tokenizer())


@build
def prx() -> Any:
    """Of pixels: no autoencoder, and noise of standard deviation 2."""
    network = diffusers.PRXTransformer2DModel(
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
    return diffusers.PRXPixelPipeline(network, flow(), t5(), t5_tokenizer(), prompt_max_tokens=16)
