"""Checks whether textual inversions fit a model, by their headers and the text encoders' configurations.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from warpnoise.errors import ModelError, SettingsError
from warpnoise.sdedit.adapters import Embedding
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_bounds import read_config, tensor_shapes
from warpnoise.sdedit.model_files import check_safetensors, component
from warpnoise.sdedit.places import resolve

_ENCODERS = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
"""Which text encoder a tensor is for, in files that have one for each."""
_MOST_VECTORS = 256
_LEAVE_OUT = "leave it out (--embedding none)"


@dataclass(frozen=True)
class EmbeddingFile:
    """A checked file. ``tensors``: for each text encoder of the model the name of its tensor in the file; ``vectors``:
    how many vectors that has."""

    path: Path
    token: str
    tensors: dict[str, str]
    vectors: dict[str, int]


def embedding_file(model: ModelFolder, setting: Embedding) -> EmbeddingFile:
    """A textual inversion that fits the model.

    Raises:
        SettingsError: the model takes none.
        ModelError: no such file, a pickle, no textual inversion, or one for another base.
    """
    path = resolve(setting.path, "embedding")
    if model.family is None or not model.family.embeddings:
        title = "a pixel model" if model.family is None else model.family.title
        raise SettingsError(
            f"embedding {path}: the model {model.name} is {title}, which takes no textual inversions: {_LEAVE_OUT}"
        )
    check_safetensors(path, "embedding")
    shapes = tensor_shapes(path)
    encoders = [part for part, (_, kind) in model.parts.items() if kind.startswith("CLIPText")]
    tensors = {part: name for name, part in _ENCODERS.items() if name in shapes and part in encoders}
    token = path.stem
    if not tensors and len(shapes) == 1:
        (name,) = shapes
        tensors = dict.fromkeys(encoders[:1], name)
        token = path.stem if name == "emb_params" else name  # files of other programs do not name it
    if not tensors:
        names = ", ".join(sorted(shapes)[:3])
        raise ModelError(
            f"embedding {path} is not a textual inversion: expected one tensor, or clip_l and clip_g, got {names}. "
            f"Choose another file, or {_LEAVE_OUT}"
        )
    for part in encoders:
        width = read_config(component(model.path, part) / "config.json").get("hidden_size")
        shape = shapes[tensors[part]] if part in tensors else None
        if shape is None or not 1 <= len(shape) <= 2 or shape[-1] != width or not shape[0] <= _most(shape):
            got = "it has nothing for it" if shape is None else f"the file's is {' x '.join(map(str, shape))}"
            raise ModelError(
                f"embedding {path} was made for another base than {model.name}: its {part} reads vectors of {width} "
                f"numbers, and {got}. Choose one made for this model, or {_LEAVE_OUT}"
            )
    vectors = {part: 1 if len(shapes[name]) == 1 else shapes[name][0] for part, name in tensors.items()}
    return EmbeddingFile(path, setting.token or token, tensors, vectors)


def embedding_warnings(model: ModelFolder, settings: EditSettings) -> tuple[str, ...]:
    """A sentence for each textual inversion whose token is in no prompt. Raises as `embedding_file`."""
    files = [embedding_file(model, setting) for setting in settings.embeddings]
    tokens = [file.token for file in files]
    if twice := next((token for token in tokens if tokens.count(token) > 1), None):
        raise SettingsError(f"embeddings: two of them have the token {twice!r}: give one of them another token")
    texts = " ".join((*settings.texts("prompt"), *settings.texts("negative_prompt")))
    return tuple(
        f"The embedding {file.path.name} has no effect: its token {file.token} is not in the prompt."
        for file in files
        if file.token not in texts
    )


def _most(shape: tuple[int, ...]) -> int:
    return _MOST_VECTORS if len(shape) == 2 else shape[0]
