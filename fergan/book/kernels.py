"""Pages, kernels and Sphinx that start at once: a process that has imported their libraries forks them.

Importing PyTorch, scikit-learn and seaborn takes most pages longer than what they do with them. Only libraries are imported
beforehand: code of this project may change while a book is made, and a page must use what it finds.

    python -m fergan.book.kernels serve LISTENING_SOCKET LIBRARY ...
    python -m fergan.book.kernels start MODULE WORD ...     run a module: `fergan` for a page, `KERNEL` for its kernel
"""

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

_ROOT = Path(__file__).parents[2]  # not from `fergan.files`, which imports more than a process needs that only waits

_LOOK = 2.0  # seconds between two looks whether the parent still lives

#: Where the server listens; without one a page starts a kernel of its own.
ADDRESS = "FERGAN_KERNELS"

#: What a page takes for its kernel.
KERNEL = "ipykernel_launcher"

#: What most pages import, and what those that train, or look for faces, do: two seconds more.
COMMON_LIBRARIES = (
    "IPython.display", "cv2", "ipykernel.debugger", "ipykernel.kernelapp", "ipywidgets", "jinja2", "matplotlib.pyplot",
    "matplotlib_inline.backend_inline", "pandas", "papermill", "pyarrow.parquet", "pydantic", "safetensors.torch",
    "scipy.ndimage", "scipy.stats", "seaborn", "sklearn.decomposition", "sklearn.metrics", "sklearn.model_selection",
    "sklearn.svm", "torch", "yaml",
)
LIBRARIES = (*COMMON_LIBRARIES, "facenet_pytorch", "lightning_fabric", "lightning_fabric.loggers",
             "tensorboard.summary.writer.event_file_writer", "torchmetrics.functional")

#: What Sphinx imports for the book.
SITE_LIBRARIES = (
    "jupyter_book.cli.main", "jupyter_book.sphinx", "myst_nb.sphinx_ext", "pydata_sphinx_theme", "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx", "sphinx.ext.napoleon", "sphinx_book_theme", "sphinx_comments", "sphinx_copybutton",
    "sphinx_design", "sphinx_exercise", "sphinx_external_toc", "sphinx_jupyterbook_latex", "sphinx_multitoc_numbering",
    "sphinx_thebe", "sphinx_togglebutton", "sphinxcontrib.bibtex",
)

# Freed memory is kept for the next image or batch: asking the system for it anew each time costs rendering a fifth.
_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "2000000000"}

#: The user's settings that could change what a page computes or shows; all others (GPUs, proxies, FERGAN_*, ...) are kept.
_FOREIGN = ("JUPYTER", "IPYTHON", "PYTHON", "MPL", "MATPLOTLIB", "SNAKEMAKE", "PAPERMILL")


def environment(*, book: bool = False) -> dict[str, str]:
    """Return a kernel's environment: the project's code, none of the user's settings of Jupyter, Python or matplotlib."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    kept |= _MEMORY | {"PYTHONPATH": str(_ROOT), "MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull,
                       "JUPYTER_PREFER_ENV_PATH": "1"}
    kept.pop("FERGAN_BOOK", None)
    return kept | ({"FERGAN_BOOK": "1"} if book else {})


def kernel_spec(folder: Path) -> None:
    """Write into a folder of JUPYTER_PATH that kernels of the name python3 are started by this module."""
    # Whoever ends a kernel interrupts it first, which it would log as an error.
    spec = {"argv": [sys.executable, "-m", __name__, "start", KERNEL, "-f", "{connection_file}",
                     "--IPKernelApp.log_level=CRITICAL"], "display_name": "Python 3", "language": "python"}
    path = folder / "kernels" / "python3" / "kernel.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(spec), encoding="utf-8")


@contextmanager
def serving(libraries: Sequence[str] = LIBRARIES) -> Iterator[dict[str, str]]:
    """Have a server while this lasts; yields what to add to the environment of a page."""
    with TemporaryDirectory(prefix="kernels-") as folder:
        address = f"{folder}/socket"
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(address)
            door.listen(64)  # who comes while the libraries are imported waits
            command = [sys.executable, "-m", __name__, "serve", str(door.fileno()), *libraries]
            # Libraries decide on their threads when they are imported; a page that uses several has a kernel of its own.
            settings = {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # of its debugger: it would warn
            server = subprocess.Popen(command, env=environment(book=True) | settings,
                                      stdin=subprocess.DEVNULL, pass_fds=[door.fileno()])
        try:
            yield {ADDRESS: address}
        finally:
            server.kill()
            server.wait()


def serve(door: str, *libraries: str) -> None:
    """Import the libraries, and fork for each process that connects; returns only in a fork."""
    with socket.socket(fileno=int(door)) as server:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the pages, which pass it on
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a guard ended
        parent = os.getppid()
        server.settimeout(_LOOK)
        for library in libraries:
            with suppress(ImportError):  # the page that needs it says so
                import_module(library)
        gc.freeze()  # a fork that looked for garbage among them would touch, and so copy, all of them
        while True:
            try:
                client, _ = server.accept()
            except TimeoutError:
                if os.getppid() != parent:  # it was killed, and cannot end this
                    sys.exit()
                continue
            if os.fork() == 0:
                server.close()
                return _guard(client)
            client.close()


def _guard(client: socket.socket) -> None:
    """Fork once more, pass signals on, end the fork when its client has gone, and tell the client how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(client, 1, 3)
    with client.makefile() as lines:
        words, folder, environment = json.loads(lines.readline())
    fork = os.fork()
    if fork == 0:
        client.close()
        os.setsid()  # a terminal's Ctrl-C would reach it twice
        for number, file in enumerate(files):
            os.dup2(file, number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[2:] = words
        return

    def pass_signals_on() -> None:
        with suppress(OSError):
            while number := client.recv(1):
                os.kill(fork, number[0])
            os.kill(fork, signal.SIGKILL)

    Thread(target=pass_signals_on, daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
    with suppress(OSError):
        client.sendall(bytes([code & 255]))
    os._exit(0)


def start(*words: str) -> None:
    """Let the server run a module, and pass on signals and how it ended; returns at once where there is no server."""
    server = socket.socket(socket.AF_UNIX)
    try:
        if os.environ.get("OMP_NUM_THREADS", "1") != "1":
            raise ConnectionError("a page with several threads")
        server.connect(os.environ[ADDRESS])
    except (KeyError, OSError):
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: server.sendall(bytes([number])))
    socket.send_fds(server, [b"."], [0, 1, 2])
    if words[0] == KERNEL:
        words += (f"--IPKernelApp.parent_handle={os.getppid()}",)  # which it otherwise reads when it is imported
    server.sendall(json.dumps([words, os.getcwd(), dict(os.environ)]).encode() + b"\n")
    parent = os.getppid()
    server.settimeout(_LOOK)
    while os.getppid() == parent:  # where the parent was killed, the fork ends with this end of the socket
        with suppress(TimeoutError):
            answer = server.recv(1)
            sys.exit(answer[0] if answer else 1)


if __name__ == "__main__":
    # Reading a notebook, and Jupyter Book, import jsonschema: seconds for a grammar of web addresses that neither needs.
    sys.modules.setdefault("rfc3987_syntax", None)
    task, *words = sys.argv[1:]
    serve(*words) if task == "serve" else start(*words)
    _, _, module, *sys.argv[1:] = sys.argv
    import tqdm.auto  # noqa: F401 - before there is a kernel: bars of progress are then text, which a page passes on

    # It imports this project anew.
    for name in [name for name in sys.modules if name.partition(".")[0] == "fergan"]:
        del sys.modules[name]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    # Libraries tidy up and are taken down one by one, which would copy what the fork shares: longer than most pages.
    sys.stdout.flush()
    os._exit(code)
