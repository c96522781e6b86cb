"""Toy pipelines in the layouts in which people share whole checkpoints: the inverse of diffusers' converters."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file

Tensors = dict[str, torch.Tensor]

_RESNET = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("time_emb_proj", "emb_layers.1"),
    ("conv_shortcut", "skip_connection"),
)
_ATTENTION = (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out"))
_OPEN_CLIP = (
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
    ("self_attn.out_proj", "attn.out_proj"),
)


def weights(folder: Path, part: str) -> Tensors:
    """A part's, without the prefix that some versions of transformers write."""
    (file,) = (folder / part).glob("*.safetensors")
    return {name.removeprefix("text_model."): weight for name, weight in load_file(file).items()}


def ldm_unet(folder: Path, layers: int = 1) -> Tensors:
    """A U-Net as Stable Diffusion's checkpoints have it."""
    step = layers + 1

    def place(name: str) -> str:
        for old, new in (
            ("time_embedding.linear_1", "time_embed.0"),
            ("time_embedding.linear_2", "time_embed.2"),
            ("add_embedding.linear_1", "label_emb.0.0"),
            ("add_embedding.linear_2", "label_emb.0.2"),
            ("conv_in", "input_blocks.0.0"),
            ("conv_norm_out", "out.0"),
            ("conv_out", "out.2"),
        ):
            if name.startswith(old):
                return name.replace(old, new)
        if match := re.match(r"down_blocks\.(\d)\.(resnets|attentions|downsamplers)\.(\d)\.(.*)", name):
            block, kind, index, rest = int(match[1]), match[2], int(match[3]), match[4]
            if kind == "downsamplers":
                return f"input_blocks.{step * (block + 1)}.0.op.{rest.removeprefix('conv.')}"
            return f"input_blocks.{step * block + index + 1}.{int(kind == 'attentions')}.{rest}"
        if match := re.match(r"up_blocks\.(\d)\.(resnets|attentions|upsamplers)\.(\d)\.(.*)", name):
            block, kind, index, rest = int(match[1]), match[2], int(match[3]), match[4]
            if kind == "upsamplers":
                return f"output_blocks.{step * block + layers}.2.{rest}"
            return f"output_blocks.{step * block + index}.{int(kind == 'attentions')}.{rest}"
        match = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name)
        assert match is not None, name
        return f"middle_block.{1 if match[1] == 'attentions' else 2 * int(match[2])}.{match[3]}"

    found = {}
    for name, weight in weights(folder, "unet").items():
        placed = place(name)
        if ".resnets." in name:
            for old, new in _RESNET:
                placed = placed.replace(f".{old}.", f".{new}.")
        found[f"model.diffusion_model.{placed}"] = weight
    return found


def ldm_vae(folder: Path, prefix: str) -> Tensors:
    found = {}
    for name, weight in weights(folder, "vae").items():
        placed = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.", r"encoder.down.\1.block.", name)
        placed = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0\.", r"encoder.down.\1.downsample.", placed)
        placed = re.sub(
            r"decoder\.up_blocks\.(\d)\.resnets\.", lambda match: f"decoder.up.{3 - int(match[1])}.block.", placed
        )
        placed = re.sub(
            r"decoder\.up_blocks\.(\d)\.upsamplers\.0\.",
            lambda match: f"decoder.up.{3 - int(match[1])}.upsample.",
            placed,
        )
        placed = re.sub(r"mid_block\.resnets\.(\d)\.", lambda match: f"mid.block_{int(match[1]) + 1}.", placed)
        placed = placed.replace("mid_block.attentions.0.", "mid.attn_1.").replace("conv_shortcut", "nin_shortcut")
        placed = placed.replace("conv_norm_out", "norm_out")
        if ".attn_1." in placed:
            for old, new in (
                ("group_norm", "norm"),
                ("to_q", "q"),
                ("to_k", "k"),
                ("to_v", "v"),
                ("to_out.0", "proj_out"),
            ):
                placed = placed.replace(f"attn_1.{old}.", f"attn_1.{new}.")
            if weight.dim() == 2:
                weight = weight[..., None, None]
        found[prefix + placed] = weight
    return found


def clip(folder: Path, part: str, prefix: str) -> Tensors:
    return {f"{prefix}text_model.{name}": weight for name, weight in weights(folder, part).items()}


def open_clip(folder: Path, part: str, prefix: str) -> Tensors:
    """As OpenCLIP has it, with query, key and value in one matrix."""
    found: Tensors = {}
    given = weights(folder, part)
    for name, weight in given.items():
        if name == "text_projection.weight":
            found[f"{prefix}text_projection"] = weight.T
        elif name.startswith("embeddings.token"):
            found[f"{prefix}token_embedding.weight"] = weight
        elif name.startswith("embeddings.position_embedding"):
            found[f"{prefix}positional_embedding"] = weight
        elif name.startswith("final_layer_norm"):
            found[prefix + name.replace("final_layer_norm", "ln_final")] = weight
        elif name.startswith("encoder.layers."):
            placed = prefix + name.replace("encoder.layers.", "transformer.resblocks.")
            for old, new in _OPEN_CLIP:
                placed = placed.replace(f".{old}.", f".{new}.")
            if ".self_attn.q_proj." in name:
                rows = [given[name.replace("q_proj", each)] for each in ("q_proj", "k_proj", "v_proj")]
                placed = placed.replace("self_attn.q_proj.", "attn.in_proj_")
                weight = torch.cat(rows)
            elif "k_proj" in name or "v_proj" in name:
                continue
            found[placed] = weight
    return found


_Z_IMAGE = (
    ("all_final_layer.2-1.", "final_layer."),
    ("all_x_embedder.2-1.", "x_embedder."),
    (".attention.to_out.0.", ".attention.out."),
    (".attention.norm_k.", ".attention.k_norm."),
    (".attention.norm_q.", ".attention.q_norm."),
)
_FLUX_2 = (
    ("x_embedder.", "img_in."),
    ("context_embedder.", "txt_in."),
    ("time_guidance_embed.timestep_embedder.linear_1.", "time_in.in_layer."),
    ("time_guidance_embed.timestep_embedder.linear_2.", "time_in.out_layer."),
    ("time_guidance_embed.guidance_embedder.linear_1.", "guidance_in.in_layer."),
    ("time_guidance_embed.guidance_embedder.linear_2.", "guidance_in.out_layer."),
    ("_modulation_img.linear.", "_modulation_img.lin."),
    ("_modulation_txt.linear.", "_modulation_txt.lin."),
    ("single_stream_modulation.linear.", "single_stream_modulation.lin."),
    ("norm_out.linear.", "final_layer.adaLN_modulation.1."),
    ("proj_out.", "final_layer.linear."),
    (".attn.to_qkv_mlp_proj.", ".linear1."),
    (".attn.to_out.0.", ".img_attn.proj."),
    (".attn.to_out.", ".linear2."),
    (".attn.to_add_out.", ".txt_attn.proj."),
    ("single_transformer_blocks.", "single_blocks."),
    ("transformer_blocks.", "double_blocks."),
    (".attn.norm_added_q.weight", ".txt_attn.norm.query_norm.scale"),
    (".attn.norm_added_k.weight", ".txt_attn.norm.key_norm.scale"),
    (".ff.linear_in.", ".img_mlp.0."),
    (".ff.linear_out.", ".img_mlp.2."),
    (".ff_context.linear_in.", ".txt_mlp.0."),
    (".ff_context.linear_out.", ".txt_mlp.2."),
)


_SD_3 = (
    ("time_text_embed.timestep_embedder.linear_1.", "t_embedder.mlp.0."),
    ("time_text_embed.timestep_embedder.linear_2.", "t_embedder.mlp.2."),
    ("time_text_embed.text_embedder.linear_1.", "y_embedder.mlp.0."),
    ("time_text_embed.text_embedder.linear_2.", "y_embedder.mlp.2."),
    ("pos_embed.pos_embed", "pos_embed"),
    ("pos_embed.proj.", "x_embedder.proj."),
    ("norm_out.linear.", "final_layer.adaLN_modulation.1."),
    ("proj_out.", "final_layer.linear."),
    ("transformer_blocks.", "joint_blocks."),
    (".attn.to_add_out.", ".context_block.attn.proj."),
    (".attn.norm_added_", ".context_block.attn.ln_"),
    (".attn.to_out.0.", ".x_block.attn.proj."),
    (".attn.norm_", ".x_block.attn.ln_"),
    (".attn2.to_out.0.", ".x_block.attn2.proj."),
    (".attn2.norm_", ".x_block.attn2.ln_"),
    (".norm1_context.linear.", ".context_block.adaLN_modulation.1."),
    (".norm1.linear.", ".x_block.adaLN_modulation.1."),
    (".ff_context.net.0.proj.", ".context_block.mlp.fc1."),
    (".ff_context.net.2.", ".context_block.mlp.fc2."),
    (".ff.net.0.proj.", ".x_block.mlp.fc1."),
    (".ff.net.2.", ".x_block.mlp.fc2."),
)


def network_alone(name: str, folder: Path) -> Tensors:
    """A transformer as its makers share it; Chroma's and Qwen-Image's with diffusers' names, as those of others do."""
    given = weights(folder, "transformer")
    if name == "z_image":
        given = _renamed(_fused(given, ".attention.to_", ".attention.qkv."), _Z_IMAGE)
    if name == "flux2_klein":
        given["norm_out.linear.weight"] = torch.cat(given["norm_out.linear.weight"].chunk(2)[::-1])
        given = _fused(_fused(given, ".attn.to_", ".img_attn.qkv."), ".attn.add_", ".txt_attn.qkv.")
        given = _renamed(given, _FLUX_2)
    if name == "sd3":
        last = max(key for key in given if ".norm1_context.linear." in key).removesuffix("weight")
        for key in (f"{last}weight", f"{last}bias", "norm_out.linear.weight", "norm_out.linear.bias"):
            given[key] = torch.cat(given[key].chunk(2)[::-1])
        given = _fused(given, ".attn.to_", ".x_block.attn.qkv.")
        given = _fused(_fused(given, ".attn.add_", ".context_block.attn.qkv."), ".attn2.to_", ".x_block.attn2.qkv.")
        given = dict(zip((_in_order(key, _SD_3) for key in given), given.values(), strict=True))
    return {f"model.diffusion_model.{key}": weight.contiguous() for key, weight in given.items()}


def _fused(given: Tensors, begin: str, fused: str) -> Tensors:
    """Query, key and value in one matrix, in the query's place."""
    found = {}
    for key, weight in given.items():
        if match := re.search(rf"{re.escape(begin)}([qkv])(_proj)?\.", key):
            if match[1] == "q":
                rows = [given[key.replace(f"{begin}q", f"{begin}{each}")] for each in "qkv"]
                found[key.replace(match[0], fused)] = torch.cat(rows)
        else:
            found[key] = weight
    return found


def _renamed(given: Tensors, names: tuple[tuple[str, str], ...]) -> Tensors:
    found = {}
    for key, weight in given.items():
        key = _in_order(key, names)
        stream = ".norm" if key.startswith("single_blocks.") else ".img_attn.norm"
        for each in ("query", "key"):
            key = key.replace(f".attn.norm_{each[0]}.weight", f"{stream}.{each}_norm.scale")
        found[key] = weight
    return found


def _in_order(key: str, names: tuple[tuple[str, str], ...]) -> str:
    for old, new in names:
        key = key.replace(old, new)
    return key


def whole(name: str, folder: Path) -> Tensors:
    """A toy of ``tiny_pipelines`` as one checkpoint."""
    if name == "flux":
        clip_l = clip(folder, "text_encoder", "text_encoders.clip_l.transformer.")
        t5 = {
            f"text_encoders.t5xxl.transformer.{key}": value for key, value in weights(folder, "text_encoder_2").items()
        }
        # diffusers converts a transformer of FLUX's own width only: its place is marked here.
        marks = ("double_blocks.0.img_attn.qkv.weight", "guidance_in.in_layer.bias")
        network = {f"model.diffusion_model.{mark}": torch.zeros(1) for mark in marks}
        return {**network, **ldm_vae(folder, "vae."), **clip_l, **t5}
    found = {**ldm_unet(folder), **ldm_vae(folder, "first_stage_model.")}
    if name == "sd15":
        return {**found, **clip(folder, "text_encoder", "cond_stage_model.transformer.")}
    if name == "refiner":
        return {**found, **open_clip(folder, "text_encoder_2", "conditioner.embedders.0.model.")}
    first = clip(folder, "text_encoder", "conditioner.embedders.0.transformer.")
    return {**found, **first, **open_clip(folder, "text_encoder_2", "conditioner.embedders.1.model.")}
