"""The settings as a JSON schema, from which the command line is built, and the add-on, which has it as a file.

python -m warpnoise.job.settings_schema        writes warpnoise_addon/settings.json
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from warpnoise.job.settings import Settings
from warpnoise.media.validation import StrictModel


def settings_schema(model: type[StrictModel] = Settings) -> dict[str, Any]:
    """The settings as a JSON schema (draft 2020-12) without references, a nullable setting's type being a list.

    ``x-ui`` of each property: see `ui`.
    """
    schema = model.model_json_schema()
    flat: dict[str, Any] = _flat(schema, schema.pop("$defs", {}))
    flat.pop("description", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **flat}


def item_from_text(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """An item of a list as the command line gives it: ``VALUE[,KEY=VALUE...]``, or a JSON object.

    Args:
        schema: the item's, of `settings_schema`. VALUE is its first property.

    Raises:
        ValueError: not JSON; a key that is not known or a number that is none; what was expected instead.
    """
    if text.startswith("{"):
        content: dict[str, Any] = json.loads(text)
        return content
    properties: Mapping[str, Any] = schema["properties"]
    first, *others = re.split(r",(?=[a-z_]+=)", text)
    pairs = [(next(iter(properties)), first), *((key, value) for key, _, value in (o.partition("=") for o in others))]
    return {key: _value(key, value, properties) for key, value in pairs}


def as_options(settings: Settings) -> list[str]:
    """The command line options of these settings, for `warpnoise` and for the add-on's command.

    Defaults are left out. Each option is one word with its value, so that a prompt may begin with a dash.
    """
    properties = settings_schema()["properties"]
    words = []
    for name, value in settings.model_dump(exclude_defaults=True).items():
        option = properties[name].get("x-ui", {}).get("option", name.replace("_", "-"))
        values = map(_item_text, value) if isinstance(value, tuple) else [value]
        words += [f"--{option}={text}" for text in values]
    return words


def _item_text(item: Mapping[str, Any]) -> str:
    """As `item_from_text` reads it."""
    (_, first), *others = item.items()
    return ",".join([str(first), *(f"{key}={value}" for key, value in others)])


def _value(key: str, text: str, properties: Mapping[str, Any]) -> object:
    if key not in properties:
        raise ValueError(f"there is no {key!r}; there are {', '.join(properties)}")
    kinds = properties[key].get("type", "string")
    try:
        return float(text) if "number" in kinds else int(text) if "integer" in kinds else text
    except ValueError:
        if "string" in kinds:
            return text
        raise ValueError(f"{key}: expected a number, got {text!r}") from None


def _flat(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_flat(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        node = {**definitions[name], **{key: value for key, value in node.items() if key != "$ref"}}
    node = {key: _flat(value, definitions) for key, value in node.items()}
    if node.get("anyOf") and all(set(option) == {"type"} for option in node["anyOf"]) and "default" not in node:
        return {**{k: v for k, v in node.items() if k != "anyOf"}, "type": [option["type"] for option in node["anyOf"]]}
    null = {"type": "null"}
    if null in node.get("anyOf", ()):
        (other,) = (option for option in node.pop("anyOf") if option != null)
        node = {**other, **node, "type": [other["type"], "null"]}
    return node


def schema_text() -> str:
    """The content of ``warpnoise_addon/settings.json``."""
    return json.dumps(settings_schema(), indent=2) + "\n"


def schema_path() -> Path:
    """That file in the checkout that this package belongs to."""
    return Path(__file__).parents[3] / "warpnoise_addon" / "settings.json"


if __name__ == "__main__":
    schema_path().write_text(schema_text(), encoding="utf-8")
