"""How much faster is the training step than a plain one? Same networks, batch and faces, one process, taken in turn.

The plain step is what a tutorial writes: float32, contiguous tensors, Adam without fusing, the discriminator's gradients
computed in the generator's update as well, faces normalised one by one as a data loader does. Prints one line; the ratio
is what counts, because a machine's absolute speed drifts. On a GPU a second line gives the ratio to a plain step whose faces
are normalised on the GPU already, and a third the share of the measured peak of matrix products that the step reaches.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fergan.gan import TrainConfig
from fergan.gan.networks import Discriminator, Generator, initialize_weights, to_float
from fergan.gan.step import TrainingState, train_step
from fergan.gan.training import make_fabric


def normalised(images):
    """Return faces as a data loader does, one by one."""
    return torch.stack([torch.from_numpy(image).permute(2, 0, 1).contiguous().float().div(127.5).sub(1) for image in images])


def plain_step(networks, optimizers, real, config):
    """One step as a tutorial writes it."""
    generator, discriminator = networks
    device = next(generator.parameters()).device
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(len(real), device=device), torch.zeros(len(real), device=device)
    generated = generator(torch.randn(len(real), config.latent_dim, device=device))
    discriminator.zero_grad()
    loss_real = loss(discriminator(real), ones)
    loss_real.backward()
    loss_generated = loss(discriminator(generated.detach()), zeros)
    loss_generated.backward()
    optimizers[1].step()
    generator.zero_grad()
    loss_g = loss(discriminator(generated), ones)
    loss_g.backward()
    optimizers[0].step()
    return loss_real.item() + loss_generated.item(), loss_g.item()


def seconds(step, device, n):
    """Return the seconds of one of n steps."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(n):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / n


def matrix_peak(device, dtype, side=8192):
    """Return the FLOP/s of one large matrix product."""
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds(lambda: a @ b, device, 3)
    return 2 * side**3 / min(seconds(lambda: a @ b, device, 10) for _ in range(5))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=0, help="steps of each round; 0 takes 3, on a GPU 50")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    fabric = make_fabric("auto")
    device = fabric.device
    n = arguments.steps or (50 if device.type == "cuda" else 3)
    config = TrainConfig(preset="radford2015", width=arguments.width, batch_size=arguments.batch)
    images = np.random.default_rng(0).integers(0, 256, (arguments.batch, 64, 64, 3), dtype=np.uint8)

    networks = Generator(config.latent_dim, config.width), Discriminator(config.width)
    for network in networks:
        initialize_weights(network)
        network.to(device)
    optimizers = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999), fused=False) for network in networks]
    state, data = TrainingState(config, fabric), torch.from_numpy(images).to(device)
    random = torch.Generator().manual_seed(0)

    def ours():
        noise = torch.randn(arguments.batch, config.latent_dim, generator=random).to(device, non_blocking=True)
        return train_step(state, to_float(data), noise, config, fabric, random)

    def plain():
        return plain_step(networks, optimizers, normalised(images).to(device), config)

    ready = normalised(images).to(device)

    def plain_ready():
        return plain_step(networks, optimizers, ready, config)

    for _ in range(3):  # warm up
        ours(), plain()
    times = [(seconds(plain, device, n), seconds(ours, device, n)) for _ in range(arguments.rounds)]
    ratios = [a / b for a, b in times]
    rates = [arguments.batch / statistics.median(column) for column in zip(*times, strict=True)]
    precision = "bfloat16" if "bf16" in fabric.strategy.precision.precision else "float32"
    print(
        f"training step, width {config.width}, batch {config.batch_size}, {device}, {precision}: "
        f"{rates[1]:.0f} against {rates[0]:.0f} images/s, ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds)"
    )
    if device.type == "cuda":
        times = [(seconds(plain_ready, device, n), seconds(ours, device, n)) for _ in range(arguments.rounds)]
        print(f"  with faces ready on the GPU: ratio {statistics.median(a / b for a, b in times):.2f}")
        with FlopCounterMode(display=False) as counter:
            ours()
        work = counter.get_total_flops() / arguments.batch * rates[1]
        peak = matrix_peak(device, getattr(torch, precision))
        print(f"  {work / 1e12:.1f} TFLOP/s of {peak / 1e12:.0f} measured in a matrix product: {work / peak:.0%}")


if __name__ == "__main__":
    main()
