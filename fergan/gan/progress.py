"""Progress bars: images per second and time left of a training, also of one that goes on; the trials of a search."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm


@contextmanager
def training_progress(
    title: str, batch_size: int, disable: bool = False
) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """Yield what `fergan.gan.training.train` calls to show how far it is; in all processes but the first, show nothing."""
    with tqdm(desc=title, unit="step", miniters=1, disable=disable) as bar:

        def show(step: int, n_steps: int, losses: dict[str, float]) -> None:
            if bar.total != n_steps:
                # Steps of an earlier run took none of this one's time.
                bar.reset(total=n_steps)
                bar.initial = bar.n = step
            images = (bar.format_dict["rate"] or 0) * batch_size
            shown = {name: f"{loss:.3f}" for name, loss in losses.items()} | {"images/s": f"{images:.0f}"}
            bar.set_postfix(shown, refresh=False)
            bar.update(step - bar.n)

        yield show


@contextmanager
def search_progress(title: str, disable: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield what searches call with a line of text after each trial."""
    with tqdm(desc=title, unit="trial", miniters=1, disable=disable) as bar:

        def show(line: str) -> None:
            bar.set_postfix_str(line, refresh=False)
            bar.update(1)

        yield show
