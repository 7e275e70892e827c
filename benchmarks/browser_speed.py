"""How many faces a second does the page on networks draw and read, in Chromium on one core, beside PyTorch on one thread?

Untrained networks of the demo's width, on the page's own element. A face is drawn (noise to pixels), then read and shown
(pixels to scores, places, maps, all painted). The page aims at 60 frames a second of both.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import sync_playwright
from record import record

from fergan.book.build import runtime_script
from fergan.book.plots import networks_explorer
from fergan.experiments.export import Drawer, Reader, write_networks
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.gan.networks import Discriminator, Generator, initialize_weights

WIDTH, N = 24, 300
TIMED = """async n => {
  const it = document.querySelector('.networks').networks, noise = new Float32Array(100).fill(.5);
  const times = [];
  for (const read of [false, true]) {
    const start = performance.now();
    for (let i = 0; i < n; i++) { const face = await it.generate(noise); if (read) await it.look(face); }
    times.push(1000 * n / (performance.now() - start));
  }
  return times;
}"""


def main():
    torch.set_num_threads(1)
    generator, discriminator = Generator(width=WIDTH), Discriminator(WIDTH)
    initialize_weights(generator)
    initialize_weights(discriminator)
    weights = np.random.default_rng(0).normal(size=(22, discriminator.n_features))
    drawer, reader = Drawer(generator), Reader(discriminator, weights, np.zeros(22))
    noise = torch.randn(1, 100)
    with torch.inference_mode():
        plain = []
        for read in (False, True):
            start = time.perf_counter()
            for _ in range(N):
                face = drawer(noise)
                if read:
                    reader(face)
            plain.append(N / (time.perf_counter() - start))
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        page_folder, scripts = Path(place) / "a" / "b" / "c", Path(place) / "_static" / "networks"
        page_folder.mkdir(parents=True)
        scripts.mkdir(parents=True)
        write_networks(scripts, {"drawn": generator}, reader, EMOTIONS, ACTION_UNITS, n_faces=0)
        shutil.copy2(runtime_script(), scripts)
        (page_folder / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{networks_explorer(scripts).data}")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((page_folder / "page.html").as_uri())
        start = time.perf_counter()
        page.click(".start")
        page.locator(".rooms").wait_for()
        begun = time.perf_counter() - start
        there = page.evaluate(TIMED, N)
        browser.close()
        size = sum(path.stat().st_size for path in scripts.glob("*.js")) / 1e6
    print(f"page on networks, width {WIDTH}: started in {begun:.1f} s, {size:.1f} MB, one generator")
    for what, fast, slow in zip(("drawn", "drawn, read and shown"), there, plain, strict=True):
        print(f"{what:>24}: {fast:6.0f} a second in the page, {slow:6.0f} by PyTorch, ratio {fast / slow:.2f}")
        record(f"faces {what} in the page", fast, "faces/s", more_is_better=True, wanted=60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
