"""What Sphinx does for the built site.

``_config.yml`` names this module as a Sphinx extension. Pages ask no other host for anything (MathJax comes with a package
whose own extension copies more than twice what they can ask for), and captions lead to how they were made.

    python -m fergan.book.site WORD ...     as jupyter-book
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes

from fergan.cache import available_threads

_UNUSED_MATHJAX = shutil.ignore_patterns("*svg*", "*full*", "mml", "mml-*", "tex-chtml.js", "core.js", "liteDOM.js")


def setup(app: Any) -> dict[str, Any]:
    """Connect the extension; Sphinx calls this."""
    app.connect("config-inited", _configure, priority=100)  # before all others
    app.connect("env-get-updated", _pages_that_cite_others, priority=900)  # after figures have got their numbers
    app.connect("doctree-resolved", _link_captions)
    app.connect("build-finished", _copy_mathjax)
    # Scripts for a server that runs code on the reader's behalf: no page of the book has a button for it.
    for event in ("env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        listeners[:] = [one for one in listeners if one.handler.__module__ != "sphinx_thebe"]
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _configure(app: Any, config: Any) -> None:
    config.mathjax_path = "mathjax/tex-mml-chtml.js"
    config.nb_ipywidgets_js = {}  # no page has a widget that would need a kernel
    app.parallel = available_threads()
    for extension in ("sphinx_jupyterbook_latex", "sphinx_multitoc_numbering"):  # which do not say that they may
        app.extensions[extension].parallel_read_safe = True


def _copy_mathjax(app: Any, error: Exception | None) -> None:
    if error is None:
        source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
        shutil.copytree(source, Path(app.outdir) / "_static" / "mathjax", ignore=_UNUSED_MATHJAX, dirs_exist_ok=True)


def _pages_that_cite_others(app: Any, env: Any) -> list[str]:
    """Return the pages that cite by number, to be written anew, where one changed: Sphinx does not know that they depend."""
    def cites(node: nodes.Node) -> bool:
        return node.tagname == "pending_xref" and node["reftype"] == "numref"

    labels = env.get_domain("std").anonlabels
    now = repr((sorted(env.toc_fignumbers.items()), sorted(labels.items())))
    if now == getattr(env, "fergan_numbers", ""):
        return []
    env.fergan_numbers = now
    return [name for name in env.found_docs if any(env.get_doctree(name).findall(cites))]


def _link_captions(app: Any, doctree: nodes.document, page: str) -> None:
    """Let the caption of every figure and table link to the box that says how its page was made."""
    def is_caption(node: nodes.Node) -> bool:
        return isinstance(node, nodes.caption) or (isinstance(node, nodes.title) and isinstance(node.parent, nodes.table))

    boxes = [name for node in doctree.findall(nodes.Admonition) for name in node["ids"] if name.endswith("-made")]
    for caption in list(doctree.findall(is_caption)) if boxes else ():
        caption += nodes.reference("", "how made", refid=boxes[0], internal=True, classes=["how-made"],
                                   reftitle="How this was made")


if __name__ == "__main__":
    # By module: the environment's scripts name the folder that it was made in, which may have been moved.
    from jupyter_book.cli.main import main

    main()
