"""Text encoders, tokenizers and autoencoders of ``tiny_pipelines``: the real classes at toy size, random weights."""

from __future__ import annotations

from typing import Any

import diffusers
import transformers
from tokenizers.pre_tokenizers import ByteLevel

LETTERS = "abcdefghijklmnopqrstuvwxyz"


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
    return transformers.T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=77)  # type: ignore[attr-defined]


def t5(kind: Any = transformers.T5EncoderModel) -> Any:
    return kind(
        transformers.T5Config(
            vocab_size=64, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4, feed_forward_proj="gated-gelu"
        )
    )


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


class PictureProcessor(transformers.Qwen2VLProcessor):
    """Without its part for video, which needs torchvision."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template)


def qwen_processor() -> Any:
    """Of text and pictures, a few tokens a picture."""
    pictures = transformers.Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=56 * 56)
    return PictureProcessor(pictures, qwen_tokenizer())


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
