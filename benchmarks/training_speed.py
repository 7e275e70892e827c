"""How much faster is the training step than others? Same networks, batch and faces, one process, taken in turn.

The plain step is what a tutorial writes: float32, contiguous tensors, Adam without fusing, the discriminator's gradients
computed in the generator's update as well, faces normalised one by one as a data loader does. The loop of pytorch/examples
(dcgan/main.py) has the same step with a sigmoid and BCELoss, and reads JPEG files in two worker processes. Prints a line for
each; the ratio is what counts, because a machine's absolute speed drifts. On a GPU a further line gives the ratio to a plain
step whose faces are normalised on the GPU already, and another the share of the measured peak of matrix products.
"""

import argparse
import io
import statistics
import time

import numpy as np
import torch
from PIL import Image
from record import record
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

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


class Pictures(Dataset):
    """The faces as JPEG files, read as pytorch/examples reads a folder of them."""

    def __init__(self, images, n):
        self.files, self.n = [], n
        for image in images:
            file = io.BytesIO()
            Image.fromarray(image).save(file, "jpeg")
            self.files.append(file.getvalue())
        self.transform = transforms.Compose([transforms.Resize(64), transforms.CenterCrop(64), transforms.ToTensor(),
                                             transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

    def __len__(self):
        return self.n

    def __getitem__(self, row):
        with Image.open(io.BytesIO(self.files[row % len(self.files)])) as image:
            return self.transform(image.convert("RGB"))


def examples_step(networks, optimizers, batches, config):
    """One step of the loop in pytorch/examples, with what it prints."""
    generator, discriminator = networks
    device, loss = next(generator.parameters()).device, nn.BCELoss()
    discriminator.zero_grad()
    real = next(batches).to(device)
    label = torch.full((len(real),), 1.0, device=device)
    output = discriminator(real).sigmoid()
    of_real = loss(output, label)
    of_real.backward()
    shown = [output.mean().item()]
    generated = generator(torch.randn(len(real), config.latent_dim, device=device))
    output = discriminator(generated.detach()).sigmoid()
    of_generated = loss(output, label.fill_(0.0))
    of_generated.backward()
    shown += [output.mean().item(), (of_real + of_generated).item()]
    optimizers[1].step()
    generator.zero_grad()
    output = discriminator(generated).sigmoid()
    of_generator = loss(output, label.fill_(1.0))
    of_generator.backward()
    optimizers[0].step()
    return [*shown, of_generator.item(), output.mean().item()]


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


def parsed():
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=0, help="steps of each round; 0 takes 3, on a GPU 50")
    return parser.parse_args()


def ways(config, fabric):
    """Return the steps that are compared, by name; "ready" is the plain one with faces that are on the device already."""
    device = fabric.device
    images = np.random.default_rng(0).integers(0, 256, (config.batch_size, 64, 64, 3), dtype=np.uint8)

    def peer(**options):
        networks = Generator(config.latent_dim, config.width), Discriminator(config.width)
        for network in networks:
            initialize_weights(network)
            network.to(device)
        return networks, [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), **options) for net in networks]

    networks, optimizers = peer(fused=False)
    of_examples = peer()
    batches = iter(DataLoader(Pictures(images, config.batch_size * 1000), config.batch_size, shuffle=True, num_workers=2))
    state, data, ready = TrainingState(config, fabric), torch.from_numpy(images).to(device), normalised(images).to(device)
    random = torch.Generator().manual_seed(0)

    def ours():
        noise = torch.randn(config.batch_size, config.latent_dim, generator=random).to(device, non_blocking=True)
        return train_step(state, to_float(data), noise, config, fabric, random)

    return {"plain": lambda: plain_step(networks, optimizers, normalised(images).to(device), config), "ours": ours,
            "examples": lambda: examples_step(*of_examples, batches, config),
            "ready": lambda: plain_step(networks, optimizers, ready, config)}


def main():
    arguments = parsed()
    torch.set_num_threads(arguments.threads)
    fabric = make_fabric("auto")
    device = fabric.device
    n = arguments.steps or (50 if device.type == "cuda" else 3)
    config = TrainConfig(preset="radford2015", width=arguments.width, batch_size=arguments.batch)
    steps = ways(config, fabric)
    compared = [steps[name] for name in ("plain", "ours", "examples")]
    for step in compared * 3:  # warm up
        step()
    times = [[seconds(step, device, n) for step in compared] for _ in range(arguments.rounds)]
    ratios = [a / b for a, b, _ in times]
    rates = [arguments.batch / statistics.median(column) for column in zip(*times, strict=True)]
    precision = "bfloat16" if "bf16" in fabric.strategy.precision.precision else "float32"
    print(
        f"training step, width {config.width}, batch {config.batch_size}, {device}, {precision}: "
        f"{rates[1]:.0f} against {rates[0]:.0f} images/s, ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds)"
    )
    print(f"  against the loop of pytorch/examples, {rates[2]:.0f} images/s: ratio {rates[1] / rates[2]:.2f}")
    step = f"training step, width {config.width}, batch {config.batch_size}, {precision}"
    task = "training on a GPU" if device.type == "cuda" else "training"
    sizes = dict(task=task, width=config.width, batch=config.batch_size)
    record(step, rates[1], "faces/s", peer="plain loop", theirs=rates[0], more_is_better=True, wanted=2.5, **sizes)
    record(step, rates[1], "faces/s", peer="pytorch/examples", theirs=rates[2], more_is_better=True, **sizes)
    if device.type == "cuda":
        times = [(seconds(steps["ready"], device, n), seconds(steps["ours"], device, n)) for _ in range(arguments.rounds)]
        print(f"  with faces ready on the GPU: ratio {statistics.median(a / b for a, b in times):.2f}")
        with FlopCounterMode(display=False) as counter:
            steps["ours"]()
        work = counter.get_total_flops() / arguments.batch * rates[1]
        peak = matrix_peak(device, getattr(torch, precision))
        print(f"  {work / 1e12:.1f} TFLOP/s of {peak / 1e12:.0f} measured in a matrix product: {work / peak:.0%}")


if __name__ == "__main__":
    main()
