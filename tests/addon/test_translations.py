"""Every text that a user sees in Blender's interface has a translation, and no translation is left over."""

from __future__ import annotations

import ast
import json
import string
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from bl_operators.presets import AddPresetBase

import warpnoise_addon
from warpnoise_addon import registration
from warpnoise_addon.errors import Message, WarpnoiseError, from_backend, pack, unpack
from warpnoise_addon.translations import LANGUAGES

ADDON = Path(warpnoise_addon.__file__).parent
UI = ADDON / "ui"


def _all_errors(base: type = WarpnoiseError) -> Iterator[type]:
    yield base
    for each in base.__subclasses__():
        yield from _all_errors(each)


SHOWN = ("text", "heading", "placeholder", "confirm_text")
CALLS = {"iface": 0, "sentence": 0, "draw_text": 1, "offline": 0, "poll_message_set": 0}
"""Functions that show a text, and which argument it is."""
MESSAGES = (
    "Message",
    "BadJsonError",
    "NoPictureError",
    "NotThePicture",
    "Unreachable",
    *(each.__name__ for each in _all_errors()),
)
"""What is made of an English text, wherever it is in the add-on; with values it has a template."""
MESSAGE_ARGUMENTS = ("cancel_text",)
NOT_WORDS = {"", "https://server"}


@pytest.fixture(scope="module")
def texts() -> set[str]:
    warpnoise_addon.register()
    try:
        return {text for text in (*_of_classes(), *_of_sources(), *_of_messages()) if text not in NOT_WORDS}
    finally:
        warpnoise_addon.unregister()


def _of_classes() -> Iterator[str]:
    for cls in registration.classes():
        rna = cls.bl_rna
        if issubclass(cls, bpy.types.Operator):  # whose own type has only what all operators have
            rna = getattr(bpy.ops.warpnoise, cls.bl_idname.partition(".")[2]).get_rna_type()
        yield getattr(cls, "bl_label", "")
        if issubclass(cls, bpy.types.Operator):
            yield getattr(cls, "bl_description", "") or cls.__doc__ or ""
        if issubclass(cls, AddPresetBase):  # its properties are Blender's own
            continue
        for prop in rna.properties:
            # Not vars(base): from Python 3.14 annotations are made when they are asked for.
            if any(prop.identifier in getattr(base, "__annotations__", {}) for base in cls.__mro__):
                yield prop.name
                yield prop.description
                for item in getattr(prop, "enum_items", ()):
                    yield item.name
                    yield item.description


def _of_sources() -> Iterator[str]:
    from warpnoise_addon.setup.hardware import BUILDS
    from warpnoise_addon.stylize.check import CheckSession
    from warpnoise_addon.stylize.model_sessions import INSTALLED
    from warpnoise_addon.stylize.status import STAGES

    yield from (CheckSession.done_text, INSTALLED)
    yield from STAGES.values()
    yield from (build.title for build in BUILDS.values())
    for path in UI.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef):
                yield from _shown_in(scope, constants)


def _of_messages() -> Iterator[str]:
    for path in sorted(ADDON.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            told = call.args[:1] if name in MESSAGES else []
            told += call.args[1:2] if name == "Finding" else []
            told += call.args if name == "warn" or (name == "append" and "warnings" in ast.unparse(call.func)) else []
            told += [keyword.value for keyword in call.keywords if keyword.arg in MESSAGE_ARGUMENTS]
            for text in told:
                place = f"{path.relative_to(ADDON)}:{call.lineno}"
                assert not isinstance(text, ast.JoinedStr), f"{place}: an f-string has no template to be translated"
                if isinstance(text, ast.Constant) and isinstance(text.value, str) and any(map(str.isalpha, text.value)):
                    yield text.value


def _shown_in(scope: ast.FunctionDef, constants: dict[str, str]) -> Iterator[str]:
    local: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            local.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(scope):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        plain = any(keyword.arg == "translate" for keyword in node.keywords)
        given = [keyword.value for keyword in node.keywords if keyword.arg in SHOWN and not plain]
        if name in CALLS and len(node.args) > CALLS[name]:
            given.append(node.args[CALLS[name]])
        for value in given:
            for part in ast.walk(value):
                assert not (isinstance(part, ast.JoinedStr) and not plain), f"{scope.name}: {ast.unparse(value)}"
                if isinstance(part, ast.Call) and part is not value:
                    break
                if isinstance(part, ast.Name) and part.id in constants:
                    yield constants[part.id]
                for constant in [part, *(local.get(part.id, ()) if isinstance(part, ast.Name) else ())]:
                    for word in ast.walk(constant) if not isinstance(constant, ast.Call) else ():
                        if isinstance(word, ast.Constant) and isinstance(word.value, str) and _is_text(word.value):
                            yield word.value


def _is_text(value: str) -> bool:
    return any(map(str.isalpha, value)) and not value.isupper() and not value.startswith(("warpnoise.", "WARPNOISE_"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing(language, texts):
    missing = sorted(texts - LANGUAGES[language].keys())
    assert not missing, f"warpnoise_addon/translations/{language}.json lacks:\n" + "\n".join(map(repr, missing))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_left_over(language, texts):
    assert sorted(LANGUAGES[language].keys() - texts) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_same_values(language):
    for text, translated in LANGUAGES[language].items():
        names = [{name for _, name, _, _ in string.Formatter().parse(each) if name} for each in (text, translated)]
        assert names[0] == names[1], text
        assert text.endswith("...") == translated.endswith("..."), text


def test_a_message_is_translated_with_its_values_and_those_within() -> None:
    texts = {
        "{where} has no {things}": "{things} fehlen: {where}",
        "Scene '{name}'": "Szene {name}",
        "a lamp": "Lampe",
    }
    where = Message("Scene '{name}'", name="{braces}")
    message = Message("{where} has no {things}", where=where, things=[Message("a lamp"), "camera"])
    assert message == "Scene '{braces}' has no a lamp, camera"
    assert message.translated(lambda text: texts.get(text, text)) == "Lampe, camera fehlen: Szene {braces}"
    assert Message("50 % of {it}") == "50 % of {it}", "without values braces are as they are"


def test_an_error_keeps_its_template() -> None:
    error = WarpnoiseError("frame {frame} is {state}", frame=3, state="late")
    text = str(error)
    assert isinstance(text, Message) and (text, text.template) == ("frame 3 is late", "frame {frame} is {state}")
    again = unpack("frame 3 is late", pack(["plain", text]))
    assert isinstance(again, Message) and (again, again.template) == (text, text.template)
    assert unpack("plain", pack(["plain", text])) == "plain"


def test_a_message_of_a_second_blender_is_translated_with_those_within() -> None:
    error = WarpnoiseError("{name}: {error}", name=Message("Seed"), error=WarpnoiseError("{things} are {state}",
                           things=[Message("a lamp"), "camera"], state=Message("late")))  # fmt: skip
    text = str(error)
    again = unpack(str.__str__(text), json.loads(json.dumps(pack([text]))))
    texts = {"{name}: {error}": "{error} ({name})", "Seed": "Startwert", "{things} are {state}": "{state}: {things}",
             "a lamp": "Lampe", "late": "zu spät"}  # fmt: skip
    assert again == "Seed: a lamp, camera are late" and isinstance(again, Message)
    assert again.translated(lambda text: texts.get(text, text)) == "zu spät: Lampe, camera (Startwert)"


def test_a_text_of_the_backend_says_in_another_language_that_it_is_the_backends() -> None:
    text = from_backend("the weights are {sour}")
    assert text == "the weights are {sour}"
    translated = text.translated(lambda text: LANGUAGES["de_DE"].get(text, text))
    assert translated.endswith(": the weights are {sour}") and "Backend" in translated


def test_panels_are_in_the_language_of_the_preferences():
    """Where Blender was built with languages: the bpy wheels are not."""
    view = bpy.context.preferences.view
    if "de_DE" not in bpy.app.translations.locales:
        pytest.skip("this Blender has no German")
    warpnoise_addon.register()
    before = view.language, view.use_translate_interface
    try:
        view.language, view.use_translate_interface = "de_DE", True
        assert bpy.app.translations.pgettext_iface("Stylize Animation", "Operator") == "Animation stilisieren"
    finally:
        view.language, view.use_translate_interface = before
        warpnoise_addon.unregister()
