"""Networks in the reader's browser: what is exported, and that a page computes what PyTorch does."""

import functools
import http.server
import threading

import cv2
import numpy as np
import pytest
import torch
from test_browser import barriers

from fergan.book import build
from fergan.data.cropping import crop_face
from fergan.experiments.export import Drawer, Reader, leading_directions, linear_heads
from fergan.gan.networks import Discriminator, Generator, initialize_weights
from fergan.gan.runs import Run
from fergan.gan.sampling import load_discriminator, load_generator


def test_heads_are_ridge_machines_of_what_is_known():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 5)), (rng.random((40, 3)) > 0.5).astype(float)
    Y[:10, 1], Y[:, 2] = np.nan, 1
    weights, intercepts = linear_heads(X, Y)
    for head, rows in ((0, slice(0, 40)), (1, slice(10, 40))):  # normal equations
        A, t = X[rows] - X[rows].mean(0), 2 * Y[rows, head] - 1
        w = np.linalg.solve(A.T @ A + X[rows].var(0).sum() * np.eye(5), A.T @ (t - t.mean()))
        np.testing.assert_allclose(weights[head], w)
        assert intercepts[head] == pytest.approx(t.mean() - X[rows].mean(0) @ w)
    assert not weights[2].any() and intercepts[2] == 0


def test_places_add_up_to_scores_and_directions_move_the_first_layer_most():
    for network in (discriminator := Discriminator(4), generator := Generator(20, 4)):
        initialize_weights(network)
    face = torch.randint(0, 256, (64, 64, 3)).float()
    weights = np.random.default_rng(0).normal(size=(3, discriminator.n_features))
    _, scores, places, *_ = Reader(discriminator, weights, np.arange(3.0))(face)
    features = discriminator.eval().hidden(face.byte()[None]).detach().flatten().numpy()
    np.testing.assert_allclose(scores, weights @ features + np.arange(3), rtol=5e-3, atol=5e-3)
    torch.testing.assert_close(places.sum((1, 2)) + torch.arange(3.0), scores)
    first, *_, last = leading_directions(generator, 20) @ generator.project[0].weight.detach().flatten(1).numpy()
    assert np.linalg.norm(first) > np.linalg.norm(last)


@pytest.fixture(params=["file", "http"])
def page(request, built, browser_page):
    """The page with its networks running, opened from a folder or from a server."""
    html, address = built / "html", (built / "html").as_uri()
    if not (html / "_static" / "networks" / "runtime.js").is_file():
        pytest.skip("npm could not be asked for the runtime")
    if request.param == "http":
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=html)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        request.addfinalizer(server.shutdown)
        address = f"http://127.0.0.1:{server.server_port}"
    browser_page.goto(f"{address}/book/executed/06d_networks/live.html")
    browser_page.locator(".networks .start").press("Enter")
    browser_page.locator(".networks .rooms").wait_for()
    return browser_page


def asked(page, call, **values):
    return page.evaluate(f"async ({{{', '.join(values)}}}) => {{const it = document.querySelector('.networks').networks; {call}}}", values)


@pytest.mark.book
def test_a_page_computes_what_pytorch_does(page, checkout):
    artifacts = checkout / "artifacts" / "quick"
    home = next((artifacts / "networks" / "live").glob("*/heads.json")).parent
    run = Run.load(next((artifacts / "models" / "rafd-frontal").glob("*/finished.json")).parent)
    reader = Reader(load_discriminator(run), np.load(home / "weights.npy"), np.load(home / "intercepts.npy"))
    for face in np.random.default_rng(0).integers(0, 256, (10, 64, 64, 3)):
        scores = asked(page, "return [...(await it.read(Float32Array.from(face))).scores.data]", face=face.ravel().tolist())
        np.testing.assert_allclose(scores, reader(torch.as_tensor(face).float())[1], atol=1e-4)
    noise = torch.randn(1, 100)
    drawn = asked(page, "return [...await it.generate(Float32Array.from(noise))]", noise=noise[0].tolist())
    np.testing.assert_allclose(drawn, Drawer(load_generator(run))(noise).flatten(), atol=0.02)  # of 255


@pytest.mark.book
def test_a_photograph_is_cropped_as_the_package_does_and_stays_here(page, tmp_path):
    photograph = np.random.default_rng(1).integers(0, 256, (90, 120, 4)).astype(np.uint8)
    for left, top, side in ((-10, 5, 96), (30, 20, 64), (40, 30, 50), (20, 60, 77)):
        found = asked(page, "return [...it.crop({data, width: 120, height: 90}, left, top, side)]",
                      data=photograph.ravel().tolist(), left=left, top=top, side=side)
        crop = crop_face(photograph[..., :3], (left, top, left + side, top + side), 0)
        assert np.abs(np.reshape(found, crop.shape) - crop).max() <= 1
    cv2.imwrite(str(tmp_path / "own.png"), photograph)
    page.locator(".networks .file").set_input_files(tmp_path / "own.png")
    page.locator(".networks .whole").press("ArrowLeft")
    assert page.locator(".networks .cut").is_visible() and not page.troubles


@pytest.mark.book
def test_controls_change_the_face_by_keyboard_and_a_telephone_holds_them(page):
    picture = "canvas => canvas.toDataURL()"
    before = page.locator(".shown").evaluate(picture)
    page.locator(".direction").first.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('.shown').toDataURL() !== before", arg=before)
    page.locator(".go").press("Enter")
    page.wait_for_function("+document.querySelector('.walk').value > 0.05")
    assert not list(barriers(page))
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")
    assert page.locator(".told").text_content().startswith("The classifier says") and not page.troubles


@pytest.mark.book
def test_where_networks_cannot_run_the_page_says_so_and_its_figures_stand(built, browser, browser_page, tmp_path, monkeypatch, capsys):
    address = (built / "html" / "book" / "executed" / "06d_networks" / "live.html").as_uri()
    without = browser.new_context(java_script_enabled=False)
    without.new_page().goto(address)
    browser_page.route("**/runtime.js", lambda route: route.abort())
    browser_page.goto(address)
    browser_page.locator(".networks .start").press("Enter")
    browser_page.locator(".networks .state", has_text="cannot run here (runtime.js is not there)").wait_for()
    for page, said in ((without.pages[0], "The networks need scripts."), (browser_page, "The networks cannot run here")):
        assert page.locator(".networks .state").text_content().startswith(said) and not page.locator(".networks .rooms").is_visible()
        heights = [figure.bounding_box()["height"] for figure in page.locator("figure img").all()]
        assert len(heights) >= 2 and min(heights) > 50
    assert not without.pages[0].locator(".networks .start").is_visible()
    without.close()
    # Where npm is missing the build goes on and says what is.
    monkeypatch.setattr(build, "runtime_script", lambda: build.subprocess.run(["no-such-npm"]))
    (tmp_path / "home" / "abc").mkdir(parents=True)
    (tmp_path / "home" / "current.json").write_text('{"key": "abc"}')
    (tmp_path / "home" / "abc" / "reader.js").write_text("x")
    build.publish_networks(tmp_path / "html", tmp_path / "home")
    assert "npm gave no" in capsys.readouterr().err and (tmp_path / "html" / "_static" / "networks" / "reader.js").is_file()
