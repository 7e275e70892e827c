"""A preview of the book that follows its prose: what is saved in ``book/`` shows in the browser at once.

Nothing is executed. The pages of notebooks are those of the last ``make book``.
"""

import subprocess
import sys
from pathlib import Path

from fergan.book.build import prepare_sources
from fergan.book.fresh import Book
from fergan.book.profile import Profile
from fergan.files import atomic_path


def write_settings(root: Path, toc: Path, folder: Path) -> None:
    """Lay out a folder that Sphinx itself can build: the book's settings as ``conf.py``, its contents, and its sources.

    The sources are a link, so that what is edited is what is built.
    """
    from jupyter_book.config import get_final_config

    contents = {"external_toc_path": toc.name, "latex_individualpages": False}
    settings, _ = get_final_config(user_yaml=root / "_config.yml", sourcedir=root, cli_config=contents)
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "book"
    if not link.is_symlink():
        link.symlink_to(root / "book", target_is_directory=True)
    (folder / toc.name).write_bytes(toc.read_bytes())
    with atomic_path(folder / "conf.py") as temporary:
        temporary.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()), encoding="utf-8")


def preview(profile: Profile, root: Path, port: int = 8000) -> int:
    """Build the preview, open a server for it, and build again what changes; return the server's exit status."""
    toc = prepare_sources(Book(profile))
    folder = root / "_build" / "preview"
    write_settings(root, toc, folder / "source")
    command = [sys.executable, "-m", "sphinx_autobuild", str(folder / "source"), str(folder / "html"),
               "--watch", str(root / "book"), "--host", "127.0.0.1", "--port", str(port), "-q"]
    try:
        return subprocess.run(command, cwd=root).returncode
    except KeyboardInterrupt:
        return 0
