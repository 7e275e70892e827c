"""A Sphinx extension: pages without requests to other hosts, whose captions lead to how they were made.

The book's ``_config.yml`` names it. MathJax comes with the package ``sphinx-mathjax-offline``, whose own extension
copies more than twice what the pages can ask for.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment

_MATHJAX = find_spec("sphinx-mathjax-offline")
_UNUSED_MATHJAX = shutil.ignore_patterns("*svg*", "*full*", "mml", "mml-*", "tex-chtml.js", "core.js", "liteDOM.js")


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the extension; Sphinx calls this."""
    app.connect("config-inited", _use_own_mathjax, priority=100)  # before all others
    app.connect("env-get-updated", _pages_that_cite_others, priority=900)  # after figures have got their numbers
    app.connect("doctree-resolved", _link_captions)
    app.connect("build-finished", _copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _use_own_mathjax(app: "Sphinx", config: "Config") -> None:
    if _MATHJAX is None:
        raise ExtensionError("sphinx-mathjax-offline is missing; run: pip install -r requirements.txt")
    config.mathjax_path = "mathjax/tex-mml-chtml.js"
    config.nb_ipywidgets_js = {}  # no page has a widget that would need a kernel


def _copy_mathjax(app: "Sphinx", error: Exception | None) -> None:
    if error is None:
        source = Path(_MATHJAX.origin).parent / "static" / "mathjax"
        shutil.copytree(source, Path(app.outdir) / "_static" / "mathjax", ignore=_UNUSED_MATHJAX, dirs_exist_ok=True)


def _pages_that_cite_others(app: "Sphinx", env: "BuildEnvironment") -> list[str]:
    """Return the pages that cite figures by number, to be written anew, where a number or a label is another than before.

    Sphinx does not know of the dependence, and an unchanged text would keep the numbers of an earlier build.
    """
    def cites(node: nodes.Node) -> bool:
        return isinstance(node, pending_xref) and node["reftype"] == "numref"

    labels = env.get_domain("std").anonlabels
    now = repr((sorted(env.toc_fignumbers.items()), sorted(labels.items())))
    if now == getattr(env, "fergan_numbers", ""):
        return []
    env.fergan_numbers = now
    return [name for name in env.found_docs if any(env.get_doctree(name).findall(cites))]


def _link_captions(app: "Sphinx", doctree: nodes.document, page: str) -> None:
    """Let the caption of every figure and table link to the box that says how its page was made."""
    def is_caption(node: nodes.Node) -> bool:
        return isinstance(node, nodes.caption) or (isinstance(node, nodes.title) and isinstance(node.parent, nodes.table))

    boxes = [name for node in doctree.findall(nodes.Admonition) for name in node["ids"] if name.endswith("-made")]
    for caption in list(doctree.findall(is_caption)) if boxes else ():
        caption += nodes.reference("", "how made", refid=boxes[0], internal=True, classes=["how-made"],
                                   reftitle="How this was made")
