"""The pages of a profile's book: which notebook makes each, with which parameters, from what.

This, with `fergan.book.network_pages` and `fergan.book.experiment_pages`, is the one place that knows how stages follow one another;
the Snakefile executes it and the table of contents lists it. Stages meet only through files under ``artifacts/<profile>/``:
each page waits for the stamps of earlier stages and leaves one of its own.
"""

from collections.abc import Iterator
from dataclasses import replace

from fergan.book.experiment_pages import experiment_pages, listed
from fergan.book.network_pages import network_pages, quality_pages
from fergan.book.page import Page, faces_stamp, stamp_of
from fergan.book.profile_schema import Profile

__all__ = ["pages_of"]


def pages_of(profile: Profile) -> list[Page]:
    """Return every page of the profile's book, in reading order."""
    pages = [page for make in (network_pages, experiment_pages, quality_pages) for page in make(profile)]
    pages.append(_results_page(profile, pages))
    pages.append(_claims_page(profile, pages))
    pages.append(_groups_page(profile))
    by_stamp = {page.stamp: page for page in pages if page.stamp}
    return [
        replace(page, parameters=_places(profile, page) | page.parameters, notes=tuple(_notes(profile, page, by_stamp)))
        for page in pages
    ]


def _places(profile: Profile, page: Page) -> dict[str, str | int]:
    """Return the parameters that every notebook has; the rendered faces' reads and leaves nothing."""
    home = f"../artifacts/{profile.name}"  # as seen from notebooks/
    return {"seed": profile.seed} | ({} if page.notebook == "00_faces" else {"artifacts": home, "output": home})


def _stamps_behind(page: Page, by_stamp: dict[str, Page]) -> set[str]:
    """Return the page's stamp and those of every page that it depends on, directly or not."""
    return {page.stamp}.union(*(_stamps_behind(by_stamp[stamp], by_stamp) for stamp in page.inputs))


def _notes(profile: Profile, page: Page, by_stamp: dict[str, Page]) -> Iterator[tuple[str, str]]:
    """Yield what a reader must know of the faces behind a page."""
    if profile.rendered:
        yield "Rendered faces", (
            "The faces on this page were rendered by this project's own code: they are stand-ins, and no number here is a "
            "result on photographs."
        )
    absences = profile.absences
    behind = _stamps_behind(page, by_stamp) if absences.replaced else set()
    for name, by in absences.replaced.items():
        if faces_stamp(name) in behind:
            yield "Another set of faces", (
                f"The photographs of {name} were not there when this page was made: {by} took their place. Where the page "
                f"says {name}, read {by}, also where it sets a number beside the paper's."
            )
    if page.name in ("summary", "results", "verdicts") and absences.left_out:
        without = {name: ", ".join(absences.experiments_without(name)) for name in absences.left_out}
        sets = "; ".join(f"{name} ({experiments})" if experiments else name for name, experiments in without.items())
        yield "Left out: no data", f"The photographs of these sets were not there, and what needs them is left out: {sets}."


def _results_page(profile: Profile, pages: list[Page]) -> Page:
    """Return the page across all chapters; it waits for the faces, the generators and every result."""
    before = [page.stamp for page in pages if page.stamp.startswith(("faces/", "models/", "results/"))]
    parameters = dict(
        profile=profile.name, rendered=profile.rendered,
        datasets=",".join(profile.datasets),
        emotion_experiments=",".join(str(e.experiment) for e in profile.emotion_experiments),
        au_experiments=",".join(str(e.experiment) for e in profile.au_experiments),
        emotions_left_out=listed(profile.absences.emotion_experiments),
        aus_left_out=listed(profile.absences.au_experiments),
    )
    return Page("07_results", "results", "The paper's numbers beside ours", parameters, tuple(before))


def _claims_page(profile: Profile, pages: list[Page]) -> Page:
    """Return the page that judges every claim of the paper by the results; it waits for all of them."""
    before = [page.stamp for page in pages if page.stamp.startswith(("models/", "results/"))]
    parameters = dict(
        rendered=profile.rendered, replaced=",".join(profile.absences.replaced),
        emotion_experiments=",".join(str(e.experiment) for e in profile.emotion_experiments),
        au_experiments=",".join(str(e.experiment) for e in profile.au_experiments),
        chapters=",".join(dict.fromkeys(page.notebook for page in pages)),
    )
    return Page("07b_claims", "verdicts", "What the paper says, what we found", parameters, tuple(before))


def _groups_page(profile: Profile) -> Page:
    """Return the page that compares groups of people, on faces that say who their people are: the rendered ones."""
    known = [e for e in profile.emotion_experiments if profile.datasets[e.target].source == "rendered"]
    stamps = [stamp_of("04_emotions", f"experiment-{e.experiment}") for e in known]
    stamps += dict.fromkeys(faces_stamp(e.target) for e in known)
    parameters = dict(experiments=",".join(str(e.experiment) for e in known))
    return Page("07c_groups", "people", "Whom does it recognise worse?", parameters, tuple(stamps))
