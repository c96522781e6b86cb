"""Values over the shot: the table of keys, and the settings of one frame."""

from __future__ import annotations

import pytest
from warpnoise.errors import SettingsError
from warpnoise.job import Settings


def key(data_path: str, frame: int, value: object) -> dict[str, object]:
    return {"data_path": data_path, "frame": frame, "value": value}


def animated(*keys: dict[str, object], **settings: object) -> Settings:
    return Settings().updated({**settings, "animation": keys})


def test_numbers_are_linear_between_two_keys_and_constant_outside() -> None:
    settings = animated(key("strength", 20, 0.8), key("strength", 10, 0.4))
    assert [settings.at(frame).strength for frame in (-5, 10, 15, 20, 99)] == pytest.approx([0.4, 0.4, 0.6, 0.8, 0.8])
    assert settings.at(15).animation == ()
    assert settings.largest("strength") == settings.at(12).largest("strength") == 0.8


def test_weights_of_items_change_one_by_one() -> None:
    loras = [{"path": "a"}, {"path": "b", "weight": 0.3}]
    settings = animated(key("loras[0].weight", 1, 0), key("loras[0].weight", 3, 1), loras=loras)
    assert [[lora.weight for lora in settings.at(frame).loras] for frame in (1, 2, 3)] == [
        [0, 0.3],
        [0.5, 0.3],
        [1, 0.3],
    ]


def test_prompts_turn_into_one_another() -> None:
    settings = animated(key("prompt", 1, "summer"), key("prompt", 5, "winter"), negative_prompt="fog")
    seen = [(settings.at(frame).prompt, dict(settings.at(frame).blends)) for frame in (0, 1, 2, 5, 6)]
    assert seen == [
        ("summer", {}),
        ("summer", {}),
        ("summer", {"prompt": ("winter", 0.25)}),
        ("winter", {}),
        ("winter", {}),
    ]
    assert settings.texts("prompt") == ("summer", "winter") and settings.texts("negative_prompt") == ("fog",)


def test_two_keys_side_by_side_are_a_cut() -> None:
    settings = animated(key("prompt", 4, "day"), key("prompt", 5, "night"))
    assert [settings.at(frame).prompt for frame in (3, 4, 5)] == ["day", "day", "night"]
    assert not any(settings.at(frame).blends for frame in (3, 4, 5))


def test_frames_with_equal_values_have_equal_settings() -> None:
    settings = animated(key("strength", 1, 0.2), key("strength", 9, 0.4), key("prompt", 3, "a"), key("prompt", 4, "b"))
    assert settings.at(0) == settings.at(1) and settings.at(9) == settings.at(50) and settings.at(2) != settings.at(3)
    assert Settings(prompt="a").at(7) == Settings(prompt="a")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([key("strength", 1, 1.5)], r"animation: strength: expected less than or equal to 1, got 1\.5"),
        ([key("strength", 1, 0.5), key("strength", 2, 0)], r"animation: strength: expected greater than 0, got 0"),
        ([key("eta", 1, 0.5)], r"'eta' cannot change over the shot; expected prompt, negative_prompt, strength"),
        ([key("loras[1].weight", 1, 0.5)], r"loras\[1\]\.weight: there are 1 loras"),
        ([key("controls[0].weight", 1, 0.5)], r"controls\[0\]\.weight: there are 0 controls"),
        ([key("loras[0].weight", 1, 99)], r"loras\[0\]\.weight: expected less than or equal to 10"),
        ([key("prompt", 1, 3)], "value of prompt: expected a text"),
        ([key("guidance", 1, "much")], "value of guidance: expected a number"),
        ([key("guidance", 1, float("nan"))], "animation"),
        ([key("guidance", 1, 3), key("guidance", 1, 4)], "guidance has two values at frame 1"),
        ([key("guidance", 10**9, 3)], "frame: expected less than"),
    ],
)
def test_an_invalid_key_is_refused(keys: list[dict[str, object]], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        animated(*keys, loras=[{"path": "a"}])
