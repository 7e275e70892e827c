"""Training one set of a profile outside its notebook: on several GPUs or machines, which a notebook cannot use.

The run lands where the notebook looks for it, which then shows it instead of training again.
"""

from pathlib import Path

from fergan.book.network_pages import page_config
from fergan.book.pages import pages_of
from fergan.book.profile_schema import Profile
from fergan.book.profiles import ProfileError
from fergan.cache import cached, is_whole, result_folder
from fergan.data.faces import FaceSet
from fergan.gan.progress import training_progress
from fergan.gan.runs import Run
from fergan.gan.training import WEIGHT_CODE, make_fabric, train
from fergan.quality.monitor import Monitor

__all__ = ["train_model"]


def train_model(profile: Profile, model: str, artifacts: Path, *, devices: int = 1, num_nodes: int = 1) -> Run | None:
    """Train a generator of a profile's book.

    Under ``torchrun`` its processes are joined; otherwise as many are started as there are devices.

    Parameters
    ----------
    profile : Profile
    model : str
        The name of its page in the chapter on generators.
    artifacts : path
        The profile's, with the face sets.
    devices, num_nodes : int
        GPUs (or processes, without GPUs) on each machine, and machines.

    Returns
    -------
    Run or None
        The finished run; None in every process but the first, which alone has something to say.

    Raises
    ------
    ProfileError
        The profile trains no such generator.
    FileNotFoundError
        The faces have not been cropped yet.
    """
    pages = {page.name: page.parameters for page in pages_of(profile) if page.notebook == "02_dcgan" and page.stamp}
    if model not in pages:
        raise ProfileError(f"profile {profile.name} trains no generator {model!r}; it has {', '.join(pages)}")
    parameters = pages[model]
    config = page_config(parameters)
    faces = FaceSet.load(artifacts / "faces" / parameters["dataset"]).showing(parameters["only"])
    fabric = make_fabric(config.precision, devices=devices, num_nodes=num_nodes)
    fabric.launch()
    with training_progress(f"training {model}", config.batch_size, disable=not fabric.is_global_zero) as show:
        home, inputs = artifacts / "models" / model, {"images": faces.images}
        running = dict(n_threads=parameters["threads"], checkpoint_seconds=parameters["checkpoint_seconds"], fabric=fabric,
                       progress=show)
        folder = result_folder(home, train, config, inputs, WEIGHT_CODE)
        there = is_whole(folder)
        fabric.barrier()  # all have looked before the first one begins
        if fabric.is_global_zero:
            monitor = Monitor(faces.images, config.seed)
            return Run.load(cached(home, train, config, inputs, code=WEIGHT_CODE, keep=True, monitor=monitor, **running))
        if not there:
            train(folder, config, **inputs, **running)
    return None
