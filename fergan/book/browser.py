"""The page whose networks run in the reader's browser: its element, the runtime, and what is published beside the book."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fergan.book.show import TEMPLATES
from fergan.cache import NoResultError, current
from fergan.files import ROOT, as_script, atomic_path, packed, read_json, rendered

if TYPE_CHECKING:
    from IPython.display import HTML

#: The folder of a built book, below ``_static``, with the scripts of networks and of the runtime.
FOLDER = "networks"

#: The runtime: ONNX's for browsers, under the MIT licence, and its two files that are needed.
RUNTIME, LOADER, WASM = "onnxruntime-web@1.30.0", "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


def networks_explorer(folder: str | Path) -> "HTML":
    """Return the element in which exported networks run; `folder` is a result of `fergan.experiments.export`.

    Without scripts, or where the book has no runtime, it says so, and the page's figures show the same at rest.
    """
    from IPython.display import HTML

    heads = read_json(Path(folder) / "heads.json")
    return HTML(rendered(TEMPLATES / "networks.html.j2", place=f"../../../_static/{FOLDER}/", **heads))


def publish_networks(html: Path, home: str) -> str:
    """Put the exported networks of a profile's book beside its pages, and the runtime; return what is missing, or "".

    `home` is the stage's folder below the project, which need not be there: not every book has the page.
    """
    try:
        folder = current(home)
    except NoResultError:
        return ""
    place = html / "_static" / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    for script in Path(folder).glob("*.js"):
        shutil.copy2(script, place)
    try:
        shutil.copy2(runtime_script(), place)
    except (OSError, subprocess.SubprocessError) as error:
        (place / "runtime.js").unlink(missing_ok=True)
        return f"the page on networks stays at rest: npm gave no {RUNTIME} ({error}); install npm and build again"
    return ""


def runtime_script() -> Path:
    """Return ``runtime.js``, made of npm's package once for all books; OSError or SubprocessError if it fails."""
    script = ROOT / "_build" / "npm" / RUNTIME / "runtime.js"
    if not script.is_file():
        with tempfile.TemporaryDirectory() as work:
            command = [os.environ.get("NPM", "npm"), "pack", RUNTIME, "--silent"]
            subprocess.run(command, cwd=work, check=True, capture_output=True, timeout=300)
            (archive,) = Path(work).glob("*.tgz")
            with tarfile.open(archive) as files:
                loader, wasm = (files.extractfile(f"package/dist/{name}").read() for name in (LOADER, WASM))
        content: dict[str, Any] = {"loader": packed(loader), "wasm": packed(wasm)}
        with atomic_path(script) as temporary:
            temporary.write_text(as_script("runtime", content), encoding="utf-8")
    return script
