"""What is asked for: the scene's properties, saved with the file, and under the same names the operator's arguments.

None is animated: one job has one of each. Blender reads the annotations when it registers the classes, so they must
not be postponed: no `annotations` future here. No property has a `search` function: Blender 4.2 crashes at its end
when one was registered and unregistered.
"""

from functools import partial

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..export.options import JobSettings

DEFAULTS = JobSettings()

NOISE_METHODS = (
    ("warped", "Warped", "Carried exactly along the scene's motion: what the style invents stays on the surfaces"),
    ("random", "Random", "New noise in every frame. It flickers. For comparison"),
    ("fixed", "Fixed", "The same noise in every frame. It sticks to the screen. For comparison"),
    ("bilinear", "Bilinear", "The last frame's noise, interpolated. It blurs. For comparison"),
    ("bicubic", "Bicubic", "The last frame's noise, interpolated. It blurs. For comparison"),
    ("nearest", "Nearest", "The last frame's noise, by the nearest pixel. For comparison"),
    ("pyoco-mixed", "PYoCo Mixed", "A part common to all frames and a new part. For comparison"),
    ("pyoco-progressive", "PYoCo Progressive", "A part of the last frame's and a new part. For comparison"),
    ("control-a-video", "Control-A-Video", "New noise where the picture moves. For comparison"),
    ("chained", "Chained Integral", "Integral noise made of the last frame's. It loses the surface. For comparison"),
)

# An operator does not remember them from one call to the next: what is not given is the scene's.
_switch = partial(BoolProperty, default=False, options={"SKIP_SAVE"})
_choice = partial(EnumProperty, options={"SKIP_SAVE"})
_number = partial(FloatProperty, options={"SKIP_SAVE"})
_count = partial(IntProperty, options={"SKIP_SAVE"})
_text = partial(StringProperty, options={"SKIP_SAVE"})
_folder = partial(_text, subtype="DIR_PATH")


class SettingsProperties:
    """``settings`` of job.json, and where things come from and go to."""

    model: _folder(
        name="Model",
        description="`default`, or the folder of a diffusers model: Stable Diffusion 1.5, or a pixel-space model",
        default=DEFAULTS.model,
    )
    style: _text(
        name="Style", description="A style by its name, for models that have named styles. Empty: the model's first"
    )
    prompt: _text(name="Prompt", description="What the frames shall look like, for models that take a prompt")
    negative_prompt: _text(
        name="Negative Prompt", description="What they shall not look like, for models that take a prompt"
    )
    strength: _number(
        name="Strength",
        description="How far the model may go: 0 leaves the render, 1 ignores it",
        default=DEFAULTS.strength,
        min=0.01,
        max=1.0,
        subtype="FACTOR",
    )
    use_steps: _switch(name="Steps", description="Set the number of denoising steps, instead of the model's own")
    steps: _count(
        name="Steps",
        description="Denoising steps of the whole schedule; strength x steps of them run. "
        "More are slower, and finer up to about 50",
        default=20,
        min=1,
        max=10_000,
        soft_max=100,
    )
    use_guidance: _switch(
        name="Guidance",
        description="Set how closely the model follows the prompt or style, instead of the model's own value",
    )
    guidance: _number(
        name="Guidance",
        description="How closely the model follows the prompt or style (classifier-free guidance)",
        default=7.5,
        min=0.0,
        soft_max=20.0,
    )
    use_texture: _switch(
        name="Texture",
        description="Set how much unevenness flat surfaces are given, instead of the model's own value",
    )
    texture: _number(
        name="Texture",
        description="Unevenness that is put on the frames, and moves with the surfaces, for the model to make a "
        "material of, where a model leaves flat surfaces flat",
        default=0.2,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    eta: _number(
        name="Eta",
        description="New noise in each denoising step: 0 is DDIM, 1 is DDPM. It is warped as well",
        default=DEFAULTS.eta,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    seed: _count(
        name="Seed",
        description="Decides the noise, every bit of it: another seed is another brushwork of the same style",
        default=DEFAULTS.seed,
        min=0,
    )
    noise: _choice(
        name="Method",
        description="How the noise goes from frame to frame",
        items=NOISE_METHODS,
        default=DEFAULTS.noise,
    )
    output: _folder(
        name="Folder",
        description="The job folder: passes, frames, results. Empty: //warpnoise/SCENE beside the file, or a "
        "temporary folder while the file is not saved",
    )
    color_folder: _folder(
        name="Frames",
        description="A folder of frames that are rendered already: PNG, JPEG, TIFF or EXR, one file a frame. "
        "Empty: render them",
    )
    passes_folder: _folder(
        name="Passes",
        description="A folder of multilayer EXR files that hold Depth, Vector and Cryptomatte Object. "
        "Empty: render the motion with Cycles, which is quick",
    )
    keep_existing: _switch(
        name="Keep Rendered Frames",
        description="Do not render frames again that an earlier run left in the output folder. "
        "Only right if nothing in the scene has changed since: for other settings of the style",
    )
    connect: _switch(
        name="Connect in Compositor",
        description="Put the result before the compositor's output even if there are nodes of yours. "
        "Otherwise it is only connected where the compositor is untouched",
    )


class WARPNOISE_SceneSettings(SettingsProperties, bpy.types.PropertyGroup):
    """``scene.warpnoise``."""

    range: EnumProperty(
        name="Range",
        description="Which frames",
        items=(
            ("SCENE", "Scene", "The scene's frame range and step"),
            ("CUSTOM", "Custom", "A range of its own"),
        ),
        default="SCENE",
        options=set(),
    )
    frame_start: IntProperty(name="Frame Start", description="The first frame", default=1, options=set())
    frame_end: IntProperty(name="End", description="The last frame", default=24, options=set())
    frame_step: IntProperty(name="Step", description="Every how many frames", default=1, min=1, options=set())
    source: EnumProperty(
        name="Source",
        description="What is stylized",
        items=(
            ("RENDER", "Render", "Render the frames with the scene's engine"),
            ("FRAMES", "Existing Frames", "Take frames that are rendered already from a folder"),
        ),
        default="RENDER",
        options=set(),
    )


def register() -> None:
    bpy.types.Scene.warpnoise = PointerProperty(type=WARPNOISE_SceneSettings, name="Warpnoise")


def unregister() -> None:
    del bpy.types.Scene.warpnoise
