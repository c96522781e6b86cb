"""The default model's network and noise schedule."""

from __future__ import annotations

from diffusers import DDIMScheduler, UNet2DModel
from warpnoise.sdedit.folder_checks import GEOMETRY_CHANNELS

from training.styles import STYLES

NULL_CLASS = len(STYLES)
SIZE_MULTIPLE = 8


def make_unet(channels: tuple[int, ...] = (32, 64, 160, 192), *, planes: int = 3, crop: int = 64) -> UNet2DModel:
    """A small, fully convolutional, class-conditional U-Net on RGB pixels.

    The inputs are the noisy picture; the frame from which SDEdit started, in three channels, which shows the layout
    through the noise (as in SR3, Saharia et al. 2021, and InstructPix2Pix, Brooks et al. 2023); and normals and the
    mask of surfaces, in four channels (`warpnoise.motion.surface_geometry`), which colours do not show.

    Downsampling blocks average instead of using strided convolution. Averaging aliases less, so a picture that moves by
    a pixel gives nearly the same result, moved by a pixel. Without attention, any size that is a multiple of 8 works,
    and the cost is proportional to the area.

    Args:
        planes: the number of channels of a picture, 3 for RGB, or of a latent.
        crop: the size of the training crops, which the folder records. The network takes any size.
    """
    return UNet2DModel(
        sample_size=crop,
        in_channels=2 * planes + GEOMETRY_CHANNELS,
        out_channels=planes,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=("ResnetDownsampleBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        downsample_type="resnet",
        add_attention=False,
        norm_num_groups=8,
        num_class_embeds=NULL_CLASS + 1,
    )


def make_scheduler() -> DDIMScheduler:
    """The first 700 of the 1000 steps of latent diffusion's schedule, in which SDEdit keeps some of the input.

    The noise has as much amplitude as the signal at strength 0.5, and three times as much at 1. Beyond, pictures are
    made from noise alone, for which so small a network lacks the capacity.
    """
    whole, kept, start, end = 1000, 700, 0.00085**0.5, 0.012**0.5
    return DDIMScheduler(
        num_train_timesteps=kept,
        beta_start=start**2,
        beta_end=(start + (end - start) * (kept - 1) / (whole - 1)) ** 2,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=True,
        clip_sample_range=1.0,
        set_alpha_to_one=True,
    )
