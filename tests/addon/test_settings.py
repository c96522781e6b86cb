"""What the add-on makes of the backend's schema of the settings."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from warpnoise_addon.arguments import make_parser, operator_arguments
from warpnoise_addon.errors import SettingsError
from warpnoise_addon.settings import SETTINGS, Setting, describe, make_settings, same_settings

LORAS = Setting(
    "loras",
    {
        "title": "LoRAs",
        "type": "array",
        "default": [],
        "maxItems": 3,
        "items": {
            "type": "object",
            "properties": {"file": {"type": "string"}, "weight": {"type": "number", "default": 1.0}},
            "required": ["file"],
        },
    },
)


def test_defaults_pass_their_own_checks() -> None:
    assert make_settings() == {name: setting.default for name, setting in SETTINGS.items()}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"strength": 0}, "Strength: expected a number above 0 to 1, got 0"),
        ({"strength": "much"}, "Strength: expected a number above 0 to 1, got 'much'"),
        ({"strength": math.nan}, "Strength: expected"),
        ({"steps": 2.5}, "Steps: expected a whole number from 1 to 10000, got 2.5"),
        ({"seed": True}, "Seed: expected a whole number"),
        ({"noise": "white"}, "Noise: expected one of warped, random"),
        ({"model": None}, "Model: expected a text, got None"),
        ({"colour": 1}, "there is no setting colour"),
    ],
)
def test_bad_values_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make_settings(**values)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_each_setting_is_on_the_command_line(setting: Setting) -> None:
    value = setting.default
    if value is None:
        value = setting.choices[-1][0] if setting.choices else setting.hints.get("start", "ink")
    options = [f"{setting.option}={setting.text(value)}"]
    if setting.kind == "array":
        first = next(iter(setting.items))
        values = {"string": "p", "any": "half", "integer": 3}
        others = {name: values[setting.items[name].kind] for name in setting.schema["items"]["required"][1:]}
        second = ",".join(["d", *(f"{name}={each}" for name, each in others.items())])
        value = [setting.check([{first: "a,b; c", **others}])[0], setting.parse_item(second)]
        options = [f"{setting.option}={json.dumps(item)}" for item in value]
    given = make_parser("p").parse_args(["stylize", *options])
    assert setting.from_property(operator_arguments(given)[setting.name]) == value


def test_lists_as_text() -> None:
    items = [{"file": "ink.safetensors", "weight": 0.8}, {"file": "grain.safetensors", "weight": 1.0}]
    text = "ink.safetensors,weight=0.8; grain.safetensors"
    assert LORAS.parse(text) == items
    assert LORAS.from_property(LORAS.to_property(items)) == items
    assert LORAS.check([items[0], {"file": "grain.safetensors"}]) == items, "defaults are filled in"


@pytest.mark.parametrize("name", ["a;b.safetensors", "a,b.safetensors", "a,weight=2.safetensors", '{"a".safetensors'])
def test_any_file_name_round_trips_through_a_property(name: str) -> None:
    items = [{"file": name, "weight": 0.5}, {"file": "b", "weight": 1.0}]
    assert LORAS.from_property(LORAS.to_property(items)) == items


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ink,weight=much", "LoRAs: weight: expected a number, got 'much'"),
        ("ink,wieght=1", "LoRAs: there is no 'wieght'; there are file, weight"),
        ('{"file": 1}', "LoRAs: file: expected a text, got 1"),
        ('{"file": ', "is not JSON"),
        ("ink; ink; ink; ink", "LoRAs: expected at most 3, got 4"),
    ],
)
def test_bad_lists_are_refused(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        LORAS.check(LORAS.parse(text))


def test_settings_are_described_by_their_differences() -> None:
    assert describe(make_settings()) == "default, 0.5"
    settings = make_settings(style="ink", strength=0.35, steps=5, seed=7, noise="random", prompt="a house")
    assert describe(settings) == 'ink, "a house", 0.35, steps 5, seed 7, random'


def test_a_preset_stands_for_the_strengths_that_it_sets() -> None:
    strengths = {"pull": 1.0, "accumulation": 0.5, "attention": 0.0, "key_share": 0.2}
    assert describe(make_settings(coherence="steady", **strengths)) == "default, 0.5, steady"
    assert describe(make_settings(coherence="balanced", **strengths)) == "default, 0.5, balanced, accumulation 0.5"
    assert describe(make_settings(coherence="off")) == "default, 0.5, coherence off"


def test_none_asks_for_the_models_own() -> None:
    effective = make_settings(style="oil", steps=8, guidance=1.0)
    assert same_settings(make_settings(), effective)
    assert same_settings(make_settings(style="oil"), effective)
    assert not same_settings(make_settings(steps=9), effective)


@pytest.mark.parametrize(("wanted", "same"), [("auto", True), ("balanced", True), ("off", False)])
def test_automatic_is_whatever_the_backend_chose(wanted: str, same: bool) -> None:
    assert same_settings(make_settings(coherence=wanted), make_settings(coherence="balanced", pull=1.0)) == same
