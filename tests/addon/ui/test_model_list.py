"""The list of models: what a backend says of them, the choice, a download with its progress, cancel and license."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.backend.answers import check
from warpnoise_addon.errors import BackendError
from warpnoise_addon.stylize import model_facts, state
from warpnoise_addon.stylize.model_sessions import ModelSession, download_model
from warpnoise_addon.stylize.request import BackendChoice
from warpnoise_addon.ui import draw_settings, model_list, model_operators

from ..fake_python import write_fake_python

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python")
TURBO = "someone/turbo"
HALF = "/models/half.gguf"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bpy.ops.wm.read_factory_settings(use_empty=False)
    monkeypatch.setenv("WARPNOISE_PYTHON", str(write_fake_python(tmp_path, "good")))
    monkeypatch.setattr(model_facts, "listing", {})
    monkeypatch.setattr(model_facts, "offers", {})
    monkeypatch.setattr(model_operators, "offline", lambda so: "")
    warpnoise_addon.register()
    yield bpy.context.scene
    warpnoise_addon.unregister()


def rows() -> list[str]:
    return [row.name for row in bpy.context.window_manager.warpnoise_models]


def test_installed_models_come_first_and_a_click_chooses_one(scene):
    assert bpy.ops.warpnoise.list_models() == {"FINISHED"}
    manager = bpy.context.window_manager
    assert rows() == ["default", "/models/sd15", "/models/broken", HALF, TURBO]
    assert manager.warpnoise_models_index == 0, "the scene's model"
    for index, model in ((1, "/models/sd15"), (2, "/models/sd15"), (3, "/models/sd15"), (0, "default")):
        manager.warpnoise_models_index = index
        assert scene.warpnoise.model == model, "only a model that is there and works can be used"
    assert model_list.size_and_license(model_list.listed(TURBO)) == "6.9 GB, openrail++"


def test_a_base_is_named_for_a_file_that_needs_one_and_for_no_other(scene):
    bpy.ops.warpnoise.list_models()
    assert [model_facts.needs_base(name) for name in rows()] == [False, False, False, True, False]
    with pytest.raises(RuntimeError, match="there is no such folder"):
        bpy.ops.warpnoise.set_base(model=HALF, base="/nowhere")
    assert model_facts.needs_base(HALF) and scene.warpnoise.model == "default"
    assert bpy.ops.warpnoise.set_base(model=HALF, base=TURBO) == {"FINISHED"}
    assert not model_facts.needs_base(HALF) and scene.warpnoise.model == HALF


def test_settings_that_a_model_does_not_take_are_hidden(scene):
    bpy.ops.warpnoise.list_models()
    assert draw_settings.takes("/models/sd15") == {"prompt", "strength", "loras"}
    assert draw_settings.takes("/elsewhere/model") is None, "all settings are shown until the backend has said it"


@pytest.mark.slow
def test_a_download_is_followed_to_its_end_and_its_model_is_used(scene):
    bpy.ops.warpnoise.list_models()
    assert bpy.ops.warpnoise.download_model(model=TURBO, license="openrail++") == {"FINISHED"}
    assert scene.warpnoise.model == TURBO and model_facts.find_model(TURBO)["source"] == "hub"
    assert state.last.stage == "done"
    assert bpy.ops.warpnoise.remove_model(model=TURBO) == {"FINISHED"}
    assert model_facts.find_model(TURBO) is None


@pytest.mark.slow
def test_a_model_that_is_not_in_the_list_is_offered_by_the_hub_and_downloaded(scene):
    assert bpy.ops.warpnoise.offer_model(model="someone/control") == {"FINISHED"}
    offer = model_facts.offers["someone/control"]
    assert (offer["name"], offer["license"], offer["memory"]) == ("someone/control", "mit", 10**9)
    assert bpy.ops.warpnoise.download_model(model="someone/control", license="mit") == {"FINISHED"}
    assert [control.path for control in scene.warpnoise.controls] == ["someone/control"]
    assert scene.warpnoise.model == "default", "a ControlNet is no model"


def test_only_names_of_the_hub_get_a_download_button():
    for name, offered in (
        ("someone/turbo-1.0", True),
        ("default", False),
        ("/models/sd15", False),
        ("//models/sd15", False),
        ("a/b/c", False),
    ):
        assert (model_list.HUB_ID.fullmatch(name) is not None) == offered


def test_without_the_license_nothing_is_downloaded(scene):
    with pytest.raises(RuntimeError, match="agree to it first"):
        bpy.ops.warpnoise.download_model(model=TURBO, license="other")
    assert scene.warpnoise.model == "default"


def test_without_online_access_nothing_is_asked(scene, monkeypatch):
    monkeypatch.setattr(model_operators, "offline", lambda so: "online access is off")
    for ask in (bpy.ops.warpnoise.offer_model, bpy.ops.warpnoise.download_model):
        with pytest.raises(RuntimeError, match="Online access is off"):
            ask(model=TURBO)
    assert state.pool.current is None


def test_a_cancelled_download_reports_that_its_part_stays(scene):
    choice = BackendChoice(python=os.environ["WARPNOISE_PYTHON"])
    work = partial(download_model, name="someone/slow", agreed="mit")
    session = ModelSession(state.pool, choice, "fetching", work)
    told = []
    tell = session._reporter._tell

    def cancel_at_half(status):
        told.append(status)
        if status.share and status.share >= 0.5:
            session.cancel()
        tell(status)

    session._reporter._tell = cancel_at_half
    session.start()
    session.wait()
    assert session.status.stage == "cancelled" and "stays" in session.status.error
    assert next(status.amount for status in told if status.amount) == "0.0 MB / 8.0 GB"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"installed": [], "suggested": {}},
        {"installed": [{"name": "a"}], "suggested": []},
        {"installed": [{"name": "a", "title": "a", "size": -1}], "suggested": []},
        {"installed": [], "suggested": [{"name": "a", "title": "a", "size": 1, "license": 5}]},
        {"installed": [{"name": "a", "title": "a", "size": 1, "takes": "all"}], "suggested": []},
    ],
)
def test_lists_of_another_shape_are_refused(answer):
    with pytest.raises(BackendError, match=r"answer is not a (list of models|model)"):
        check("list of models", answer)


def test_nothing_of_the_list_is_in_the_file(scene, tmp_path):
    bpy.ops.warpnoise.list_models()
    path = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    assert b"/models/broken" not in path.read_bytes()
