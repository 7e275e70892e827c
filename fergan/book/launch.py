"""Training one generator of a profile outside its notebook: on several GPUs or machines, which a notebook cannot use."""

from pathlib import Path

from fergan.book.profile import Profile, ProfileError
from fergan.cache import cached, current, is_whole, result_folder
from fergan.data.faces import FaceSet
from fergan.gan.training import WEIGHT_CODE, make_fabric, train, training_progress
from fergan.quality.monitor import Monitor


def train_model(profile: Profile, model: str, *, devices: int = 1, num_nodes: int = 1) -> Path | None:
    """Train a generator of a profile's book, where its notebook looks for it.

    Under ``torchrun`` its processes are joined; otherwise as many are started as there are devices.

    Args:
        model: The name of its page in the chapter on generators.
        devices, num_nodes: GPUs (or processes, without GPUs) on each machine, and machines.

    Returns: Path or None; the folder of the finished run; None in every process but the first, which alone has something to
        say.

    Raises:
        ProfileError: The profile trains no such generator.
        FileNotFoundError: The faces have not been cropped yet.
    """
    if model not in profile.models:
        raise ProfileError(f"profile {profile.name} trains no generator {model!r}; it has {', '.join(profile.models)}")
    dataset, config, only = profile.models[model]
    home = f"artifacts/{profile.name}"
    faces = FaceSet.load(current(f"{home}/faces/{dataset}"))
    inputs = {"images": (faces.showing(only) if only else faces).images}
    fabric = make_fabric(config.precision, devices=devices, num_nodes=num_nodes)
    fabric.launch()
    stage = (f"{home}/models/{model}", train, config, inputs)
    folder = result_folder(*stage, WEIGHT_CODE)
    there = is_whole(folder)
    fabric.barrier()  # all have looked before the first one begins
    with training_progress(f"training {model}", config.batch_size, disable=not fabric.is_global_zero) as show:
        running = dict(n_threads=profile.threads, checkpoint_seconds=profile.checkpoint_seconds, fabric=fabric,
                       progress=show)
        if fabric.is_global_zero:  # which alone keeps the result
            monitor = Monitor(inputs["images"], config.seed)
            return cached(*stage, code=WEIGHT_CODE, monitor=monitor, **running)
        if not there:
            train(folder, config, **inputs, **running)
    return None
