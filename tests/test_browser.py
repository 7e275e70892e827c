"""The built book in a real browser, opened as a folder: nothing from elsewhere, no errors, usable by everybody."""

import json
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.base import AXE_SCRIPT

pytestmark = pytest.mark.book

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def book(built):
    """The small book as it was built; other tests change the one in its checkout."""
    return built / "html"


def kinds(book):
    """One page of every notebook, and every text."""
    found = {*(book / "book").glob("*.html")}
    for folder in (book / "book" / "executed").iterdir():
        pages = sorted(folder.glob("*.html"), key=lambda path: path.stem == "summary")
        found |= {pages[0], pages[-1]} if pages else set()
    return found


def ready(page, path):
    page.goto(Path(path).as_uri())
    page.locator("main").first.wait_for(state="attached")  # the first page leads on to another
    page.evaluate("document.fonts.ready.then(() => window.MathJax ? MathJax.startup.promise : 1).then(() => 1)")


def too_wide(page, size):
    page.set_viewport_size(size)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # until tables are fitted
    excess = page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")
    tables = page.locator(".pst-scrollable-table-container").evaluate_all(
        "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.innerText.slice(0, 40))")
    return [f"{excess} px wider than {size['width']}, tables: {tables}"] * (excess > 0 or bool(tables))


def barriers(page):
    """What Axe finds serious, in the light, and of contrast in the dark, where nothing else can be different."""
    page.add_style_tag(content="* { transition: none !important }")  # a colour on its way to another has no contrast
    page.evaluate(AXE_SCRIPT)
    for mode, rules in (("light", {}), ("dark", {"runOnly": {"type": "rule", "values": ["color-contrast"]}})):
        page.evaluate(f"Object.assign(document.documentElement.dataset, {{mode: '{mode}', theme: '{mode}'}})")
        options = rules | {"resultTypes": ["violations"], "preload": False}
        for v in page.evaluate("options => axe.run(options).then(found => found.violations)", options):
            if v["impact"] in ("serious", "critical"):
                first = v["nodes"][0]
                yield f"{mode}, {v['id']}: {len(v['nodes'])} times, {first['html'][:160]} {first['failureSummary'][:200]}"


def test_every_page_opens_without_an_error_or_another_host_and_one_of_every_kind_fits_and_is_no_barrier(book, browser_page):
    pages = sorted(path for path in book.rglob("*.html") if "_static" not in path.parts)
    assert len(pages) > 50 and len(kinds(book)) > 30
    troubles = {}
    for path in pages:
        browser_page.set_viewport_size(WIDE)
        ready(browser_page, path)
        broken = browser_page.evaluate("""async () => {
          const images = [...document.images];
          images.forEach(image => image.loading = 'eager');
          await Promise.all(images.map(image => image.decode().catch(() => 0)));
          return images.filter(image => !image.naturalWidth).map(image => image.src); }""")
        unset = browser_page.evaluate("""[...document.querySelectorAll('.math')].filter(x => !x.querySelector('mjx-container')).length""")
        found = [*browser_page.troubles, *(f"no picture: {src[:80]}" for src in broken), *(["an equation is not set"] if unset else [])]
        found += [*too_wide(browser_page, WIDE), *barriers(browser_page), *too_wide(browser_page, NARROW)] if path in kinds(book) else []
        if found:
            troubles[path.name] = found
        browser_page.troubles.clear()
    assert not troubles, json.dumps(troubles, indent=1)


def test_a_fault_is_seen(book, browser_page, tmp_path):
    """The net is not full of holes: each kind of trouble is caught on a page made to have it."""
    bad = tmp_path / "bad.html"
    bad.write_text('<main></main><img src="https://example.org/a.png"><script>console.error("x")</script><script>throw Error("y")</script>'
                   '<script src="gone.js"></script>')
    ready(browser_page, bad)
    text = "\n".join(browser_page.troubles)
    assert all(words in text for words in ("asks another host: https://example.org", "console: x", "error: y", "not loaded: file"))


def test_search_finds_a_word(book, browser_page):
    browser_page.goto((book / "search.html").as_uri() + "?q=jackknife")
    # Results come one after another, and many pages know the word.
    browser_page.locator("#search-results li a", has_text="The method").wait_for()
    assert browser_page.locator("#search-results li a").count() < len(list(book.rglob("*.html")))
    assert not browser_page.troubles


def test_figures_stay_legible_in_the_dark(book, browser_page):
    """Figures are drawn in black: they need a light ground whatever the page's."""
    browser_page.add_init_script("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    ready(browser_page, book / "book" / "executed" / "07_results" / "results.html")
    assert browser_page.evaluate("document.documentElement.dataset.theme") == "dark"
    figures = browser_page.locator("figure img")
    assert figures.count()
    for figure in figures.all():  # what is computed, not what is painted: on a busy machine pictures come late
        style = figure.evaluate("image => (({backgroundColor, filter}) => [backgroundColor, filter])(getComputedStyle(image))")
        assert style == ["rgb(228, 231, 236)", "none"], figure.get_attribute("src")


def test_claims_are_chosen_by_verdict_and_are_cards_on_a_telephone(book, browser_page):
    ready(browser_page, book / "book" / "executed" / "07_results" / "results.html")
    rows, buttons = browser_page.locator("#tab-claims tbody tr"), browser_page.locator(".choose-verdict button")
    assert rows.count() == 54 and buttons.first.text_content() == "all (54)"
    chosen = buttons.filter(has_text="contradicts itself")
    chosen.click()
    shown = browser_page.locator("#tab-claims tbody tr:visible")
    assert f"({shown.count()})" in chosen.text_content() and 0 < shown.count() < 54
    assert chosen.get_attribute("aria-pressed") == "true" and buttons.first.get_attribute("aria-pressed") == "false"
    browser_page.set_viewport_size(NARROW)
    lefts = shown.first.locator("td").evaluate_all("cells => cells.map(cell => cell.getBoundingClientRect().left)")
    assert len(lefts) == 5 and len(set(lefts)) == 1
    assert shown.first.locator("td").nth(2).get_attribute("data-label") == "verdict"


def test_a_page_offers_its_notebook_and_captions_lead_to_how_they_were_made(book, browser_page):
    folder = book / "book" / "executed" / "07_results"
    ready(browser_page, folder / "results.html")
    href = browser_page.locator("a[href$='.ipynb']").first.get_attribute("href")
    assert nbformat.read((folder / href).resolve(), as_version=4).metadata["fergan"]["state"]["parameters"]["artifacts"]
    links = browser_page.locator("a.how-made")
    assert links.count() >= 3
    target = links.first.get_attribute("href").removeprefix("#")
    assert "How this page was made" in browser_page.locator(f"[id='{target}']").first.inner_text()
