"""A Sphinx extension: pages without requests to other hosts, and prose that shows the numbers of this run.

The book's ``_config.yml`` names it. The scripts that it bundles are fetched beforehand (`fergan.book.site.vendor`); where they
are not there, the pages keep the public addresses that Sphinx and MyST-NB give them.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myst_nb.ext.glue.crossref import PendingGlueReference
from sphinx.addnodes import pending_xref

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment

__all__ = ["STATIC", "setup"]

#: Where the fetched scripts wait to be copied, relative to the project.
STATIC = Path("_build") / "static"

_FIRST, _LAST = 100, 900  # the order among those that listen to the same event; 500 is everybody else's
# Scripts for a server that runs code on the reader's behalf; no page of the book has a button for it.
_UNUSED_SCRIPTS = ("sphinx-thebe", "THEBE_JS_URL")


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the extension; Sphinx calls this."""
    app.connect("config-inited", _use_bundled_scripts, priority=_FIRST)
    app.connect("env-updated", _pages_that_cite_others)
    app.connect("html-page-context", _drop_unused_scripts, priority=_LAST)
    app.connect("html-page-context", _link_captions, priority=_LAST)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _use_bundled_scripts(app: "Sphinx", config: "Config") -> None:
    static = (Path(app.srcdir) / "book").resolve().parent / STATIC  # the preview's sources are a link
    if not (static / "vendor" / "packages.json").is_file():
        return
    config.html_static_path = [*config.html_static_path, str(static)]
    config.mathjax_path = "vendor/mathjax/tex-mml-chtml.js"
    scripts = ("fergan-widgets.js", "vendor/requirejs/require.js", "vendor/html-manager/embed-amd.js")
    config.nb_ipywidgets_js = {script: {} for script in scripts}


def _pages_that_cite_others(app: "Sphinx", env: "BuildEnvironment") -> Iterable[str]:
    """Yield the pages that show another page's numbers, or cite figures by number: they are written anew in every build.

    Sphinx does not know of the dependence, and an unchanged text would keep the numbers of an earlier run.
    """
    def cites(node: Any) -> bool:
        return isinstance(node, PendingGlueReference) or (isinstance(node, pending_xref) and node["reftype"] == "numref")

    for name in env.found_docs:
        if any(env.get_doctree(name).findall(cites)):
            yield name


def _drop_unused_scripts(app: "Sphinx", page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out what a page does not use, and would fetch from elsewhere."""
    def unused(script: Any) -> bool:
        text = f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', {}).get('body', '')}"
        return any(word in text for word in _UNUSED_SCRIPTS)

    if "script_files" in context:
        context["script_files"] = [script for script in context["script_files"] if not unused(script)]
    if "body" in context:
        context["body"] = _THEBE.sub("", context["body"])


def _link_captions(app: "Sphinx", page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let the caption of every figure and table link to the box that says how its page was made."""
    body = context.get("body", "")
    box = _BOX.search(body)
    if box:
        link = f'<a class="how-made" href="#{box.group(1)}" title="How this was made">how made</a>'
        context["body"] = _CAPTION_END.sub(rf"{link}\g<0>", body)


_BOX = re.compile(r'id="([a-z0-9-]+-made)"')
_CAPTION_END = re.compile(r'<a class="headerlink" href="#(?:fig|tab)-')
_THEBE = re.compile(r'<script type="text/x-thebe-config">.*?</script>|<script>kernelName = .*?</script>', re.DOTALL)
