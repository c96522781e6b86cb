"""How long measuring an autoencoder's decoder takes: the patterns of decoder-aligned noise, once for each VAE.

    python benchmarks/measure_decoder.py [--threads 2]

The autoencoder has the size of SDXL's (83.7 million parameters, 4 channels, 8 px a cell) and random weights. The goal
is 60 seconds on a CPU.
"""

from __future__ import annotations

import argparse
import time

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from warpnoise.sdedit.filter_bank import FilterBank

BLOCKS = (128, 256, 512, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    torch.manual_seed(0)
    vae = AutoencoderKL(
        latent_channels=4,
        block_out_channels=BLOCKS,
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * len(BLOCKS),
        up_block_types=("UpDecoderBlock2D",) * len(BLOCKS),
    ).eval()
    parameters = sum(weights.numel() for weights in vae.parameters()) / 1e6

    def decode(latents: Tensor) -> Tensor:
        # One by one, as Warpnoise decodes.
        return torch.cat([vae.decode(latent[None], return_dict=False)[0] for latent in latents])

    start, used = time.perf_counter(), time.process_time()
    bank = FilterBank.measure(decode, channels=4, cell=2 ** (len(BLOCKS) - 1))
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    print(f"{parameters:.1f} million parameters, {torch.get_num_threads()} threads: {wall:.1f} s, {cpu:.1f} s of CPU")
    print(f"equivariant share of the mean response {bank.energy:.3f}")


if __name__ == "__main__":
    main()
