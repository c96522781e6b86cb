"""The files of a model in diffusers' layout: one folder a part, each with its configuration and weights."""

from __future__ import annotations

from pathlib import Path

from warpnoise.errors import ModelError
from warpnoise.sdedit.editor import EditSettings
from warpnoise.sdedit.model_bounds import tensor_shapes

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def component(folder: Path, part: str) -> Path:
    """Where a part of a model lies: in a folder of its name, or, in single-model repositories, at the root."""
    return folder / part if (folder / part).is_dir() else folder


def find_weights(place: Path) -> tuple[list[Path], str | None]:
    """The safetensors files of one part, and their variant ("fp16"; None: the plain ones, which are preferred).

    Raises:
        ModelError: there are none, or only pickles, which can run any program when they are loaded.
    """
    found = sorted(place.glob("*.safetensors"))
    names = [file for file in found if file.name.startswith(("diffusion_pytorch_model", "model"))]
    plain = [file for file in names if file.stem.count(".") == 0]
    if plain:
        return plain, None
    if names:
        variant = names[0].stem.split(".")[1].split("-")[0]
        return [file for file in names if f".{variant}" in file.name], variant
    pickles = sorted(file.name for file in place.iterdir() if file.suffix in PICKLES)
    if pickles:
        raise ModelError(
            f"{place} holds its weights only as a pickle ({pickles[0]}), which can run any program when it is loaded: "
            "get the model in safetensors form, or convert it once where you trust it "
            "(load it with diffusers, then save_pretrained(..., safe_serialization=True))"
        )
    raise ModelError(
        f"{place}: no weights (diffusion_pytorch_model.safetensors or model.safetensors): download the model again"
    )


def named_files(settings: EditSettings) -> list[Path]:
    """The files beside the model that the settings name, and that decide what is painted."""
    controls = [Path(control.path).expanduser() for control in settings.controls]
    networks = [file for folder in controls for file in (folder / "config.json", *find_weights(folder)[0])]
    return [*(Path(lora.path).expanduser() for lora in settings.loras), *networks]


def check_safetensors(path: Path, what: str) -> None:
    """Whether a file that the user named is a whole safetensors file, by its header.

    Args:
        what: the setting, for the message.

    Raises:
        ModelError: it is not there, a pickle, or broken off.
    """
    if not path.is_file():
        raise ModelError(f"{what} {path}: there is no such file")
    if path.suffix in PICKLES:
        raise ModelError(
            f"{what} {path} is a pickle, which can run any program when it is loaded: get it as a .safetensors file"
        )
    try:
        tensor_shapes(path)
    except ModelError as error:
        raise ModelError(f"{what} is no whole safetensors file: {error}") from error
