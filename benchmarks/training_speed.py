"""How much faster is the training step than a plain one? Same networks, batch and faces, one process, taken in turn.

The plain step is what a tutorial writes: float32, contiguous tensors, Adam without fusing, the discriminator's gradients
computed in the generator's update as well, faces normalised on the way. Prints one line; the ratio is what counts, because
a machine's absolute speed drifts.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from torch import nn

from fergan.dcgan import Discriminator, Generator, initialize_weights, to_float
from fergan.runs import make_config
from fergan.training import _noise, _State, _train_step, training_device, training_dtype


def plain_step(networks, optimizers, images, config):
    """One step as a tutorial writes it."""
    generator, discriminator = networks
    device = next(generator.parameters()).device
    real = torch.stack([torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1 for image in images]).to(device)
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(len(real), device=device), torch.zeros(len(real), device=device)
    generated = generator(torch.randn(len(real), config.latent_dim, device=device))
    discriminator.zero_grad()
    loss_d = loss(discriminator(real), ones) + loss(discriminator(generated.detach()), zeros)
    loss_d.backward()
    optimizers[1].step()
    generator.zero_grad()
    loss_g = loss(discriminator(generated), ones)
    loss_g.backward()
    optimizers[0].step()
    return loss_d.item(), loss_g.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = training_device()
    config = make_config("radford2015", width=arguments.width, batch_size=arguments.batch)
    images = np.random.default_rng(0).integers(0, 256, (arguments.batch, 64, 64, 3), dtype=np.uint8)

    networks = Generator(config.latent_dim, config.width).to(device), Discriminator(config.width).to(device)
    for network in networks:
        initialize_weights(network)
    optimizers = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999), fused=False) for network in networks]
    state, data = _State(config, device), torch.from_numpy(images).to(device)

    def ours():
        noise = _noise(arguments.batch, config, 0, device)
        return _train_step(state, to_float(data, device), noise, training_dtype(device), 0.0)

    def plain():
        return plain_step(networks, optimizers, images, config)

    def seconds(step, n=3):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(n):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / n

    ours(), plain()  # warm up
    times = [(seconds(plain), seconds(ours)) for _ in range(arguments.rounds)]
    ratios = [a / b for a, b in times]
    rates = [arguments.batch / statistics.median(column) for column in zip(*times, strict=True)]
    print(
        f"training step, width {config.width}, batch {config.batch_size}, {device}, {training_dtype(device)}: "
        f"{rates[1]:.0f} against {rates[0]:.0f} images/s, ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds)"
    )


if __name__ == "__main__":
    main()
