"""Textual inversion (Gal et al. 2022): words that files teach a model's text encoders.

The check compares a file's header with the text encoders' configurations.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from warpnoise.errors import SettingsError
from warpnoise.sdedit.adapters import Adapters, unsuitable
from warpnoise.sdedit.edit_settings import EditSettings, Embedding
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import loading
from warpnoise.sdedit.model_files import component, named_tensors, read_config
from warpnoise.sdedit.places import resolve

_ENCODERS = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
"""The text encoder of each tensor, in files that have one for each."""
_MOST_VECTORS = 256


@dataclass(frozen=True)
class EmbeddingFile:
    """A checked file. ``tensors``: the name in the file of each text encoder's tensor; ``vectors``: its number of
    vectors."""

    path: Path
    token: str
    tensors: dict[str, str]
    vectors: dict[str, int]


class Embeddings(Adapters):
    """The textual inversions of one pipeline."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._originals: dict[str, tuple[Any, int]] = {}
        """For each text encoder its tokenizer and number of tokens without any."""

    def apply(self, settings: Sequence[Embedding]) -> bool:
        """Have the pipeline know these words only, and return whether that changed anything.

        Raises:
            ModelError: as `embedding_file`; or the tokenizer has that token already.
        """
        return self._replace(tuple(embedding_file(self.folder, setting) for setting in settings))

    def _load(self, wanted: tuple[EmbeddingFile, ...]) -> None:
        for file in wanted:
            with loading(
                f"embedding {file.path}, token {file.token!r}, cannot be loaded",
                "give it a token that is not a word of the model",
            ):
                self._load_one(file)

    def _load_one(self, file: EmbeddingFile) -> None:
        tensors = load_file(file.path)
        for part, name in file.tensors.items():
            encoder, tokenizer = getattr(self.pipeline, part), tokenizer_of(part)
            if part not in self._originals:
                own = getattr(self.pipeline, tokenizer)
                self._originals[part] = own, encoder.get_input_embeddings().num_embeddings
                setattr(self.pipeline, tokenizer, copy.deepcopy(own))
            self.pipeline.load_textual_inversion(
                tensors[name], token=file.token, text_encoder=encoder, tokenizer=getattr(self.pipeline, tokenizer)
            )

    def _unload(self) -> None:
        for part, (tokenizer, count) in self._originals.items():
            setattr(self.pipeline, tokenizer_of(part), tokenizer)
            getattr(self.pipeline, part).resize_token_embeddings(count)
        self._originals = {}


def embedding_file(model: ModelFolder, setting: Embedding) -> EmbeddingFile:
    """A textual inversion that fits the model.

    Raises:
        ModelError: there is no such file; it is a pickle, not a textual inversion, or made for another base.
    """
    path = resolve(setting.path, "embedding")
    shapes = named_tensors(path, "embedding")
    encoders = [part for part, (_, kind) in model.parts.items() if kind.startswith("CLIPText")]
    tensors = {part: name for name, part in _ENCODERS.items() if name in shapes and part in encoders}
    token = path.stem
    if not tensors and len(shapes) == 1:
        (name,) = shapes
        tensors = dict.fromkeys(encoders[:1], name)
        token = path.stem if name == "emb_params" else name  # files of other programs do not name it
    if not tensors:
        names = ", ".join(sorted(shapes)[:3])
        problem = f"is not a textual inversion: expected one tensor, or clip_l and clip_g, got {names}"
        raise unsuitable("embedding", path, problem)
    vectors = {}
    for part in encoders:
        width = read_config(component(model.path, part) / "config.json").get("hidden_size")
        shape = shapes[tensors[part]] if part in tensors else ()
        vectors[part] = 1 if len(shape) == 1 else (*shape, 0)[0]
        if not 1 <= len(shape) <= 2 or shape[-1] != width or not vectors[part] <= _MOST_VECTORS:
            got = f"the file's is {' x '.join(map(str, shape))}" if shape else "it has nothing for it"
            what = f"its {part} reads vectors of {width} numbers, and {got}"
            raise unsuitable("embedding", path, f"was made for another base than {model.name}: {what}")
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


def tokenizer_of(text_encoder: str) -> str:
    """The part that is a text encoder's tokenizer."""
    return text_encoder.replace("text_encoder", "tokenizer")
