"""What several test files share: one thread, the small book, and a browser."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema's grammar of web addresses, five seconds, which nobody needs
gc.set_threshold(50_000, 20, 100)  # looking for garbage takes a tenth of the tests' time, and finds next to none
os.environ["MPLBACKEND"] = "agg"  # figures need no window
# Several processes share the cores, and threads that wait for a core keep others from it: thirty times as long.
os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).parent.parent
PARTS = ("fergan", "notebooks", "profiles", "book", "Snakefile", "_config.yml", "pyproject.toml", "requirements.txt")


def environment(root):
    """Let Python use the package of a copy of the project."""
    return os.environ | {"PYTHONPATH": str(root), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run_in(root, *words):
    """Run Python on a copy of the project; a book decides itself how many cores a page, and its HTML, may have."""
    surroundings = environment(root) | ({"OMP_NUM_THREADS": ""} if "book" in words else {})
    return subprocess.run([sys.executable, *words], cwd=root, env=surroundings, capture_output=True, text=True)


#: These begin: two on the small book, which one of them makes, and what takes long without it, until the browser can open it.
FIRST = ("test_workflow", "test_stale", "test_training", "test_photographs", "test_svm", "test_step", "test_label_efficiency",
         "test_intervals", "test_human_study", "test_browser", "test_networks_page")


def pytest_collection_modifyitems(items):
    """Begin with what takes long: short ones at the end keep all processes busy until then."""
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder that all processes share: the small book in ``checkout`` and ``copy``, ``html``; FERGAN_BUILT names one."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    folder = Path(os.environ.get("FERGAN_BUILT", folder))
    root, html = folder / "checkout", folder / "html"
    from fergan.files import locked  # which imports NumPy, and that reads how many threads it may have

    with locked(folder / "checkout.lock"):
        if not html.is_dir():
            assert not root.is_dir(), "another process could not build the small book"
            for part in PARTS:
                copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
                ignore = {"ignore": shutil.ignore_patterns("__pycache__", "executed")} if (ROOT / part).is_dir() else {}
                root.mkdir(exist_ok=True)
                copy(ROOT / part, root / part, **ignore)
            done = run_in(root, "-m", "fergan", "book", "--profile", "quick")
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
            shutil.copytree(root, folder / "copy")
            shutil.copytree(root / "_build" / "quick" / "_build" / "html", html)
    return folder


@pytest.fixture(scope="session")
def checkout(built):
    """A copy of the project with the small book built in it."""
    return built / "checkout"


@pytest.fixture(scope="session")
def browser():
    """Chromium of the system, without a window; without one the tests that need it are skipped."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
    if not chromium:
        pytest.skip("there is no Chromium to open pages with (on Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without its sandbox, which needs rights that root in a container has not; it only opens our own pages.
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def browser_page(browser):
    """A fresh page; ``page.troubles`` has a line for all that goes wrong, as a request to another host, which is refused."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(180_000)  # other tests keep the machine busy
    page = context.new_page()
    page.troubles = []

    def refuse_outside(route):
        url = route.request.url
        if url.startswith(("file:", "data:", "blob:", "http://localhost", "http://127.0.0.1")):
            route.continue_()
        else:
            page.troubles.append(f"asks another host: {url}")
            route.abort()

    context.route("**/*", refuse_outside)
    page.on("pageerror", lambda error: page.troubles.append(f"error: {error}"))
    page.on("console", lambda line: page.troubles.append(f"console: {line.text}") if line.type == "error" else None)
    page.on("requestfailed", lambda request: page.troubles.append(f"not loaded: {request.url}"))
    yield page
    context.close()


@pytest.fixture(scope="session")
def unlearnt_run(tmp_path_factory):
    """The folder of a finished run as earlier versions left it, whose networks have not learnt anything."""
    from fergan.files import write_json
    from fergan.gan import TrainConfig
    from fergan.gan.networks import Discriminator, Generator, initialize_weights
    from fergan.gan.runs import save_weights

    folder = tmp_path_factory.mktemp("run")
    networks = Generator(latent_dim=20, width=4), Discriminator(width=8)
    for network in networks:
        initialize_weights(network, std=0.2, seed=1)
    save_weights(folder, *networks)
    parameters = TrainConfig(latent_dim=20, width=8, generator_width=4).model_dump()
    write_json(folder / "config.json", {"parameters": parameters, "images": "", "version": 3})
    write_json(folder / "finished.json", {"steps": 1})
    return folder
