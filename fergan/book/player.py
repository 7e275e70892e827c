"""A filmstrip that plays: one HTML element with its pictures inside, for a page that may be read without a network.

The frames lie below each other in one picture, of which the page shows one frame at a time. Without scripts the last frame
stays; on paper the element is left out, as a figure beside it shows the same.
"""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from IPython.display import HTML
from PIL import Image

__all__ = ["LARGEST", "play_filmstrip"]

#: Bytes of one element; a page with it still opens at once on a telephone.
LARGEST = 300_000

_STYLE = """
.film-player { max-width: 46rem; margin: 0 0 1rem; color: inherit; font-size: 0.9rem; }
.film-player .film { background-repeat: no-repeat; width: 100%; border-radius: 3px; }
.film-player .controls { display: flex; align-items: center; gap: 0.75rem; padding: 0.5rem 0 0; }
.film-player .controls[hidden] { display: none; }
.film-player button { min-width: 5em; min-height: 2.2rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid currentColor; border-radius: 4px; cursor: pointer; }
.film-player input { flex: 1; min-width: 4rem; min-height: 2.2rem; margin: 0; accent-color: #0072b2; }
.film-player :is(button, input):focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
.film-player output { min-width: 6.5em; text-align: right; font-variant-numeric: tabular-nums; }
@media print { .film-player { display: none; } }
"""

# Written once per element: whichever runs first sets up every player that is there and not yet set up.
_SCRIPT = """
document.querySelectorAll('.film-player:not([data-ready])').forEach(player => {
  player.dataset.ready = '';
  const [film, button, slider, text] = ['.film', 'button', 'input', 'output'].map(name => player.querySelector(name));
  const steps = JSON.parse(player.dataset.steps), last = steps.length - 1;
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = 'Play'; };
  const show = frame => {
    slider.value = frame;
    film.style.backgroundPositionY = last ? 100 * frame / last + '%' : '0';
    text.textContent = 'step ' + steps[frame].toLocaleString('en');
    slider.setAttribute('aria-valuetext', text.textContent);
  };
  const next = () => { show(+slider.value + 1); if (+slider.value >= last) stop(); };
  const play = () => {
    if (+slider.value >= last) show(0);
    button.textContent = 'Pause';
    timer = setInterval(next, +player.dataset.milliseconds);
  };
  button.onclick = () => timer ? stop() : play();
  slider.oninput = () => { stop(); show(+slider.value); };
  player.querySelector('.controls').hidden = false;
  show(last);
  // It plays once by itself when it first comes into sight, unless the reader has asked for less motion.
  if (last && !matchMedia('(prefers-reduced-motion: reduce)').matches)
    new IntersectionObserver((entries, watch) => {
      if (entries.some(entry => entry.isIntersecting)) { watch.disconnect(); if (!timer) play(); }
    }, {threshold: 0.6}).observe(film);
});
"""


def play_filmstrip(
    steps: Sequence[int], frames: np.ndarray, label: str, n_columns: int = 8, milliseconds: int = 500
) -> HTML:
    """Return an element that plays the same faces over training.

    Parameters
    ----------
    steps : sequence of n_frames int
        Training step of each frame.
    frames : ndarray of shape (n_frames, n_faces, 64, 64, 3), dtype uint8
    label : str
        What it shows, for those who hear the page instead of seeing it.
    n_columns : int
        Faces in a row.
    milliseconds : int
        How long a frame stays.

    Raises
    ------
    ValueError
        Steps and frames do not fit together, or they do not fit into `LARGEST` bytes.
    """
    steps, frames = [int(step) for step in steps], np.asarray(frames)
    if frames.ndim != 5 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(f"frames are {frames.dtype} of shape {frames.shape}; expected uint8 (n_frames, n, 64, 64, 3)")
    if len(steps) != len(frames):
        raise ValueError(f"there are {len(steps)} steps and {len(frames)} frames; expected one step per frame")
    sheet = np.concatenate([_lay_out(frame, n_columns) for frame in frames])
    height, width = sheet.shape[0] // len(frames), sheet.shape[1]
    for quality in (75, 60, 40, 20, 10):
        html = _element(steps, _webp(sheet, quality), f"aspect-ratio: {width} / {height}", escape(label), milliseconds)
        if len(html.encode()) < LARGEST:
            return HTML(html)
    raise ValueError(f"{len(frames)} frames of {frames.shape[1]} faces need more than {LARGEST:,} bytes; show fewer")


def _lay_out(images: np.ndarray, n_columns: int, gap: int = 2) -> np.ndarray:
    """Lay n images out row by row on white; the gap also keeps a scaled frame from showing a line of its neighbour."""
    n, height, width, _ = images.shape
    n_columns = min(n_columns, n)
    n_rows = -(-n // n_columns)
    tiles = np.full((n_rows * n_columns, height + gap, width + gap, 3), 255, np.uint8)
    tiles[:n, :height, :width] = images
    rows = tiles.reshape(n_rows, n_columns, *tiles.shape[1:]).swapaxes(1, 2)
    return rows.reshape(n_rows * (height + gap), n_columns * (width + gap), 3)


def _webp(sheet: np.ndarray, quality: int) -> str:
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", quality=quality, method=6)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _element(steps: list[int], picture: str, shape: str, label: str, milliseconds: int) -> str:
    last = len(steps) - 1
    return f"""<div class="film-player" role="group" aria-label="{label}"
data-steps="{steps}" data-milliseconds="{milliseconds}">
<style>{_STYLE}</style>
<div class="film" role="img" aria-label="{label}" style="{shape}; background-size: 100% {100 * len(steps)}%;
background-position-y: 100%; background-image: url(data:image/webp;base64,{picture})"></div>
<div class="controls" hidden><button type="button">Play</button>
<input type="range" min="0" max="{last}" value="{last}" aria-label="training step">
<output aria-live="off">step {steps[-1]:,}</output></div>
<script>{_SCRIPT}</script>
</div>"""
