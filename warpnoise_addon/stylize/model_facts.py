"""What backends have reported about models, for the panel."""

from __future__ import annotations

from typing import Any

listing: dict[str, Any] = {}
"""The newest answer of `GET /v2/models`; empty: never asked."""
offers: dict[str, dict[str, Any]] = {}
"""What a download of each model would be: the newest answers of `GET /v2/models/hub/...`."""
without_base: set[str] = set()
"""Files whose check has said that they hold only a part of a model, and that no base is named for the others."""
_described: dict[str, dict[str, Any]] = {}


def find_model(name: str) -> dict[str, Any] | None:
    """The facts about the model that a scene names, if it is installed. None: nothing is known yet."""
    return next((model for model in listing.get("installed", ()) if model["name"] == name), _described.get(name))


def needs_base(name: str) -> bool:
    """Whether a backend has said that the file needs a base."""
    known = find_model(name)
    return name in without_base if known is None else known.get("error_code") == "base"


def remember_model(name: str, answer: dict[str, Any]) -> None:
    """Keep the model of an answer of `POST /v2/check`."""
    if isinstance(model := answer.get("model"), dict):
        _described[name] = model
