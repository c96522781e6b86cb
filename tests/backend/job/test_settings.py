"""Each setting is written down once; the schema, the file that the add-on ships and the options derive from it."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner
from warpnoise.cli.shared_options import options_of
from warpnoise.errors import SettingsError
from warpnoise.job import Settings
from warpnoise.job.settings import setting
from warpnoise.job.settings_schema import item_from_text, schema_path, schema_text, settings_schema
from warpnoise.media.validation import StrictModel


class Adapter(StrictModel):
    path: str = setting(..., "File", "A file", min_length=1)
    weight: float = setting(1.0, "Weight", "A number", ge=0)


class WithLists(StrictModel):
    adapters: tuple[Adapter, ...] = setting((), "Adapters", "Files", option="adapter", metavar="FILE")
    tiled: bool = setting(False, "Tiled", "In tiles")


def test_the_add_on_ships_the_schema_of_today() -> None:
    assert schema_path().read_text(encoding="utf-8") == schema_text(), "run python -m warpnoise.job.settings_schema"


def test_schema_has_what_interfaces_are_made_of() -> None:
    schema = settings_schema()
    assert list(schema["properties"]) == list(Settings.model_fields)
    defaults = Settings().model_dump(mode="json")
    for name, each in schema["properties"].items():
        assert each["title"] and not each["description"].endswith("."), name
        assert each["default"] == defaults[name]
        assert isinstance(each["type"], str | list), f"{name}: no references, no anyOf"
        if "null" in each["type"]:
            assert each["x-ui"]["null"], f"{name}: what null means"
    assert set(schema["properties"]["noise"]["x-ui"]["labels"]) == set(schema["properties"]["noise"]["enum"])


@pytest.mark.parametrize(
    "changes",
    [
        {"strength": 0.0},
        {"strength": 1.01},
        {"eta": -0.1},
        {"guidance": float("nan")},
        {"texture": -0.1},
        {"texture": 1.1},
        {"sampler": "perlin"},
    ],
)
def test_values_out_of_range_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        Settings().updated(changes)


def test_lists_are_inlined_in_the_schema() -> None:
    setting = settings_schema(WithLists)["properties"]["adapters"]
    assert (setting["type"], setting["items"]["type"]) == ("array", "object")
    assert list(setting["items"]["properties"]) == ["path", "weight"]


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("a,b.safetensors", {"path": "a,b.safetensors"}),
        ("a.safetensors,weight=0.5", {"path": "a.safetensors", "weight": 0.5}),
        ('{"path": "x,weight=2"}', {"path": "x,weight=2"}),
    ],
)
def test_an_item_of_a_list_as_text(text: str, item: dict[str, Any]) -> None:
    assert item_from_text(settings_schema(WithLists)["properties"]["adapters"]["items"], text) == item


@pytest.mark.parametrize("text", ["a,scale=1", "a,weight=much", "{"])
def test_an_invalid_item_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"scale|expected a number|Expecting"):
        item_from_text(settings_schema(WithLists)["properties"]["adapters"]["items"], text)


def options_given(decorate: Any, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    command = click.command()(decorate(lambda settings: found.update(settings)))
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found


ITEMS = {"ip_adapters": "a,image=i", "animation": "strength,frame=1,value=0.5"}
"""Items of lists that need more than a file."""


def test_every_setting_is_an_option() -> None:
    arguments = []
    for name, each in settings_schema()["properties"].items():
        option = each.get("x-ui", {}).get("option", name.replace("_", "-"))
        is_number = any(kind in ("integer", "number") for kind in (each["type"], *each["type"]))
        value = next(iter(each.get("enum", ["1" if is_number else "x"])))
        arguments.append(f"--{option}={ITEMS.get(name, value)}")
    found = options_given(options_of(Settings), *arguments)
    assert found.keys() == Settings.model_fields.keys()
    assert Settings().updated(found).strength == 1.0
    assert options_given(options_of(Settings)) == {}


def test_lists_and_switches_are_options_too() -> None:
    options = options_of(WithLists)
    found = options_given(options, "--adapter", "a", "--adapter", "b,weight=2", "--no-tiled")
    assert found == {"adapters": ({"path": "a"}, {"path": "b", "weight": 2.0}), "tiled": False}
    assert options_given(options, "--adapter", "none") == {"adapters": ()}, "without those of the job"
    assert options_given(options, "--adapter", "./none") == {"adapters": ({"path": "./none"},)}
    assert options_given(options) == {}
    result = CliRunner().invoke(click.command()(options(lambda settings: None)), ["--adapter", "b,weight=x"])
    assert result.exit_code == 2 and "expected a number" in result.output


def test_an_unknown_noise_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="noise: there is no 'brown'; there are warped, "):
        Settings().updated({"noise": "brown"})
