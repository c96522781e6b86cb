"""``warpnoise models``: what can be used, and how."""

from __future__ import annotations

import json
from pathlib import Path

import click

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import DEFAULT_MODEL, ModelFolder
from warpnoise.sdedit.one_file import set_base


@click.command("models")
@click.argument("models", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER|FILE]...")
@click.option(
    "--base",
    type=click.Path(path_type=Path),
    help="Note that the model FILE takes all but its network from this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(models: tuple[Path, ...], base: Path | None, as_json: bool) -> None:
    """Show the default model, or the models in FOLDERs and FILEs: what they are and what they take.

    Any diffusers folder of a supported family can be used by its path; docs/models.md lists the families. A FILE holds
    the network alone, as .safetensors or GGUF: say once with --base which folder has the rest.

    \b
    Examples:
      warpnoise models
      warpnoise models ~/models/stable-diffusion-v1-5
      warpnoise models ~/models/flux1-dev-Q4_K_S.gguf --base ~/models/flux1-dev
    """
    if base is not None:
        for file in models:
            set_base(file, base)
    names: list[str | Path] = list(models) or (["default"] if DEFAULT_MODEL.is_dir() else [])
    if not names:
        raise ModelError(f"There is no default model in {DEFAULT_MODEL}. Install Warpnoise again, or give a folder.")
    described = [_describe(ModelFolder.open(name)) for name in names]
    if as_json:
        print(json.dumps(described, indent=1))
        return
    for model in described:
        print(model["name"])
        for key, value in model.items():
            if key != "name":
                shown = ", ".join(value) if isinstance(value, list) else value
                if isinstance(value, dict):
                    shown = ", ".join(f"{each:g} ({style})" for style, each in value.items())
                print(f"  {key.replace('_', ' '):<18}{'none' if shown in ('', None) else shown}")


def _describe(folder: ModelFolder) -> dict[str, object]:
    return {
        "name": folder.name,
        "folder": str(folder.path),
        "family": folder.family.title if folder.family else "pixel",
        "sampler": folder.sampler,
        "styles": list(folder.styles),
        "takes_prompt": folder.takes_prompt,
        "guidance": folder.guidance,
        "steps": folder.steps,
        "texture": folder.sheet.texture,
        "strength": folder.sheet.strength,
        "size_multiple": folder.size_multiple,
    }
