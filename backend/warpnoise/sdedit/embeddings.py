"""Textual inversion (Gal et al. 2022): words that files teach a model's text encoders."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from warpnoise.errors import ModelError
from warpnoise.sdedit.adapters import Embedding
from warpnoise.sdedit.embedding_files import EmbeddingFile, embedding_file
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.libraries import LIBRARY_ERRORS, first_line, quiet
from warpnoise.sdedit.lora_files import read_tensors


class Embeddings:
    """The textual inversions of one pipeline. They stay loaded until others are asked for."""

    def __init__(self, folder: ModelFolder, pipeline: Any) -> None:
        self._folder, self._pipeline = folder, pipeline
        self._loaded: list[EmbeddingFile] = []
        self._originals: dict[str, tuple[Any, int]] = {}
        """For each text encoder its tokenizer and number of tokens without any."""

    def apply(self, settings: Sequence[Embedding]) -> bool:
        """Have the pipeline know these words and no others; whether that changed anything.

        Raises:
            SettingsError, ModelError: as `embedding_file`; the tokenizer has that token already.
        """
        files = [embedding_file(self._folder, setting) for setting in settings]
        if files == self._loaded:
            return False
        self._unload()
        try:
            for file in files:
                self._load(file)
        except LIBRARY_ERRORS as error:
            self._unload()
            raise ModelError(
                f"embedding {file.path}, token {file.token!r}, cannot be loaded ({first_line(error)}): give it a token "
                "that is not a word of the model"
            ) from error
        self._loaded = files
        return True

    def _load(self, file: EmbeddingFile) -> None:
        tensors = read_tensors(file.path)
        for part, name in file.tensors.items():
            encoder, tokenizer = getattr(self._pipeline, part), part.replace("text_encoder", "tokenizer")
            if part not in self._originals:
                own = getattr(self._pipeline, tokenizer)
                self._originals[part] = own, encoder.get_input_embeddings().num_embeddings
                setattr(self._pipeline, tokenizer, copy.deepcopy(own))
            with quiet():
                self._pipeline.load_textual_inversion(
                    tensors[name],
                    token=file.token,
                    text_encoder=encoder,
                    tokenizer=getattr(self._pipeline, tokenizer),
                )

    def _unload(self) -> None:
        for part, (tokenizer, count) in self._originals.items():
            setattr(self._pipeline, part.replace("text_encoder", "tokenizer"), tokenizer)
            getattr(self._pipeline, part).resize_token_embeddings(count)
        self._originals, self._loaded = {}, []
