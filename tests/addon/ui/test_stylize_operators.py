"""The operators in a Blender in the background, where they block: arguments, errors, what they leave in the scene."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon import compat
from warpnoise_addon.stylize import state
from warpnoise_addon.stylize.backends import BackendPool
from warpnoise_addon.stylize.request import BackendChoice
from warpnoise_addon.ui import image_editor

from ..fake_python import write_fake_python
from ..result_files import frames_of, write_result

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python")


@pytest.fixture
def scene():
    """The default scene, small and quick to render, with the add-on registered."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    scene.frame_end = 2
    warpnoise_addon.register()
    yield scene
    warpnoise_addon.unregister()


@pytest.fixture
def backend(tmp_path, monkeypatch):
    """Makes WARPNOISE_PYTHON a fake backend in a mode."""

    def use(mode: str) -> Path:
        program = write_fake_python(tmp_path, mode)
        monkeypatch.setenv("WARPNOISE_PYTHON", str(program))
        return program

    return use


def sent(job: Path) -> dict:
    """The settings that the backend was given."""
    return json.loads((job / "request.json").read_text())["settings"]


@pytest.mark.slow
def test_the_scenes_properties_and_arguments_over_them(scene, backend, tmp_path):
    backend("good")
    settings = scene.warpnoise
    settings.output = str(tmp_path / "job")
    settings.strength, settings.style = 0.3, "ink"
    settings.use_steps, settings.steps = True, 12
    settings.use_guidance, settings.guidance = True, 2.5
    settings.use_texture, settings.texture = True, 0.15
    settings.range, settings.frame_start, settings.frame_end, settings.frame_step = "CUSTOM", 3, 6, 2
    assert bpy.ops.warpnoise.stylize(style="pastel", seed=9, progress="NONE") == {"FINISHED"}
    got = sent(tmp_path / "job")
    assert (got["strength"], got["steps"], got["guidance"], got["texture"]) == (0.3, 12, 2.5, 0.15)
    assert isinstance(got["steps"], int)
    assert (got["style"], got["seed"], got["model"]) == ("pastel", 9, "default")
    assert sorted(p.name for p in frames_of(tmp_path / "job").glob("*.png")) == ["0003.png", "0005.png"]
    assert (settings.style, settings.seed) == ("ink", 0)  # arguments are not remembered
    assert bpy.ops.warpnoise.stylize(frames="1", progress="NONE") == {"FINISHED"}
    assert sent(tmp_path / "job")["style"] == "ink"
    settings.use_steps = settings.use_guidance = settings.use_texture = False
    assert bpy.ops.warpnoise.stylize(frames="1", progress="NONE") == {"FINISHED"}
    got = sent(tmp_path / "job")
    assert [got[name] for name in ("steps", "guidance", "texture")] == [None] * 3, "the model's own"


def test_how_the_model_shares_the_memory(scene, backend, tmp_path):
    backend("good")
    scene.warpnoise.output = str(tmp_path / "job")
    assert bpy.ops.warpnoise.stylize(frames="1", quantize="8bit", tiling="on", progress="NONE") == {"FINISHED"}
    request = json.loads((tmp_path / "job" / "request.json").read_text())
    assert (request["quantize"], request["tiling"]) == ("8bit", "on") and "offload" not in request


def test_the_result_is_in_the_compositor_and_nothing_else_is_left(scene, backend, tmp_path):
    backend("good")
    images = {image.name for image in bpy.data.images}
    frame, engine, path = scene.frame_current, scene.render.engine, scene.render.filepath
    bpy.ops.warpnoise.stylize(output=str(tmp_path / "job"), progress="NONE")
    nodes = compat.stored_compositor_tree(scene).nodes
    assert sum(compat.is_stylized_node(node) for node in nodes) == 1
    assert (scene.frame_current, scene.render.engine, scene.render.filepath) == (frame, engine, path)
    assert len(scene.view_layers) == 1
    new = {image.name for image in bpy.data.images} - images
    assert new == {"Stylized job"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "words"),
    [("dies", "ended in the middle"), ("broken", "did not start"), ("old", "too old"), ("fails", "sour")],
)
def test_a_failure_leaves_the_scene_as_it_was(scene, backend, tmp_path, mode, words):
    backend(mode)
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.warpnoise.stylize(output=str(tmp_path / "job"), progress="NONE")
    assert compat.stored_compositor_tree(scene) is None
    assert len(bpy.data.node_groups) == 0
    assert state.last.stage == "failed" and state.last.exit_status in (5, 6)
    # And the next run can do better.
    backend("good")
    assert bpy.ops.warpnoise.stylize(output=str(tmp_path / "job"), progress="NONE") == {"FINISHED"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"frames": "1-2,x"}, "'x' is neither"),
        ({"frames": "9:1"}, "empty"),
        ({"model": "/nowhere/model"}, "does not exist"),
        ({"output": __file__}, "is a file"),
        ({"color_folder": "/nowhere/frames"}, "/nowhere/frames"),
    ],
)
def test_bad_arguments(scene, backend, tmp_path, arguments, words):
    backend("good")
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.warpnoise.stylize(**({"output": str(tmp_path / "job"), "progress": "NONE"} | arguments))
    assert state.last.exit_status in (2, 3)


def test_existing_frames_need_a_folder(scene, backend):
    scene.warpnoise.source = "FRAMES"
    with pytest.raises(RuntimeError, match="no folder of frames"):
        bpy.ops.warpnoise.stylize(progress="NONE")


def test_where_results_go(scene, backend, tmp_path):
    from warpnoise_addon.ui.make_request import output_folder

    temporary = output_folder(scene, "")
    assert temporary.name == "Scene" and temporary.parent == output_folder(scene, "").parent
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    assert output_folder(bpy.context.scene, "") == tmp_path / "warpnoise" / "Scene"
    assert output_folder(bpy.context.scene, "//out") == tmp_path / "out"


def test_adding_finished_frames(scene, backend, tmp_path):
    backend("fails")
    with pytest.raises(RuntimeError):
        bpy.ops.warpnoise.stylize(output=str(tmp_path / "job"), progress="NONE")
    assert bpy.ops.warpnoise.add_to_compositor(output=str(tmp_path / "job")) == {"FINISHED"}
    assert len([group for group in bpy.data.node_groups if "warpnoise_job" in group]) == 1
    with pytest.raises(RuntimeError, match=r"job\.json. cannot be read"):
        bpy.ops.warpnoise.add_to_compositor(output=str(tmp_path))


def test_checking_the_backend(scene, backend):
    backend("good")
    assert bpy.ops.warpnoise.check_backend() == {"FINISHED"}
    assert "a fake device" in state.last.device
    backend("new")
    with pytest.raises(RuntimeError, match="too new"):
        bpy.ops.warpnoise.check_backend()


def test_nothing_to_cancel(scene):
    assert not bpy.ops.warpnoise.cancel.poll()


def test_another_file_ends_the_backend(scene, backend):
    backend("good")
    bpy.ops.warpnoise.check_backend()
    process = state.pool.current.process
    bpy.ops.wm.read_homefile(use_empty=True)
    assert state.pool.current is None and not process.alive


def test_properties_are_saved_with_the_file(scene, tmp_path):
    scene.warpnoise.prompt = "an etching"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    assert bpy.context.scene.warpnoise.prompt == "an etching"


def test_a_backend_that_runs_already_is_reached_with_its_token(backend, tmp_path, monkeypatch):
    python = backend("good")
    first, second = BackendPool(), BackendPool()
    try:
        running = first.acquire(BackendChoice(str(python)))
        token_file = tmp_path / "token"
        token_file.write_text(running.client._token + "\n")
        choice = BackendChoice(url=f"http://127.0.0.1:{running.client.address.port}", token_file=str(token_file))
        reached = second.acquire(choice)
        assert reached.process is None and reached.status["version"] == "0.1.0"
        assert second.acquire(choice) is reached
        second.discard()
        assert running.alive  # it is not ours to end
        monkeypatch.setenv("WARPNOISE_TOKEN", "the-variable-wins-over-the-file")
        with pytest.raises(Exception, match="does not accept the token"):
            second.acquire(choice)
    finally:
        first.discard()
        second.discard()


def test_a_preview_shows_the_frame_and_its_render(scene, tmp_path):
    job = tmp_path / "job"
    image = bpy.data.images.new("fixture", 8, 4)
    result = write_result(job, current=False)
    for folder in (job / "color", result / "frames"):
        image.save(filepath=str(folder / "0002.png"))
    assert not bpy.ops.warpnoise.before_after.poll()
    images = len(bpy.data.images)
    for _ in range(2):
        image_editor.show_preview(bpy.context, job, result, 2)
    paths = [Path(bpy.data.images[name].filepath).parent.name for name in (image_editor.AFTER, image_editor.BEFORE)]
    assert paths == ["frames", "color"] and len(bpy.data.images) == images + 2
    editor = bpy.context.window_manager.windows[0].screen.areas[0]
    editor.type = "IMAGE_EDITOR"
    for name in (image_editor.AFTER, image_editor.BEFORE, image_editor.AFTER):
        bpy.ops.warpnoise.before_after()
        assert editor.spaces.active.image.name == name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"preview": 3}, "The shot has no frame 3; it has 1-2"),
        ({"preview": 2, "frames": "1:9:2"}, "no frame 2; it has 1-9:2"),
        ({"preview": 1, "chunk": "1/2"}, "Only, chunk and preview exclude each other"),
    ],
)
def test_frames_that_cannot_be_previewed(scene, backend, tmp_path, arguments, words):
    backend("good")
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.warpnoise.stylize(output=str(tmp_path / "job"), progress="NONE", **arguments)
    assert state.last.exit_status == 2 and not (tmp_path / "job").exists()
