"""The paper on one page is a route of its own: on the same faces it must find what the package finds."""

import nbformat
import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from fergan.experiments.cross_validation import grouped_folds, random_folds
from fergan.experiments.intervals import mean_over_people
from fergan.files import ROOT
from fergan.gan.networks import Discriminator, Generator
from fergan.svm.kernels import gaussian_kernel, squared_distances

SMALL = dict(n_faces=192, epochs=1, width=4, seed=3)


@pytest.fixture(scope="module")
def page():
    """What the cells of the method leave behind, run at the smallest size; cells that draw or speak are left out."""
    notebook = nbformat.read(ROOT / "notebooks" / "00_one_page.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code" and not cell.metadata.get("tags")]
    assert 10 <= len(cells) <= 14 and max(len(source.splitlines()) for source in cells) <= 15
    names = dict(SMALL)
    for source in cells:
        exec(compile(source, "one page", "exec"), names)
    return names


def same_weights(network, of):
    network.load_state_dict(dict(zip(network.state_dict(), of.state_dict().values(), strict=True)))
    return network.eval()


def test_networks_are_those_of_the_package(page):
    for name, network in (("trained", page["D"]), ("untrained", page["untrained"])):
        discriminator = same_weights(Discriminator(SMALL["width"]), network)
        with torch.no_grad():
            expected = discriminator.hidden(page["faces"]).flatten(1).numpy()
        np.testing.assert_allclose(page["X"][name], expected, atol=1e-5)
    assert not np.allclose(page["X"]["trained"], page["X"]["untrained"], atol=1e-2)
    generator, noise = same_weights(Generator(100, SMALL["width"]), page["G"]), torch.randn(5, 100)
    with torch.no_grad():
        torch.testing.assert_close(page["G"].eval()(noise[:, :, None, None]), generator(noise), atol=1e-5, rtol=0)


def test_folds_and_their_scores_are_those_of_the_package(page):
    emotions, people, X = page["emotions"], page["people"], page["X"]["trained"]
    theirs = {"as published": random_folds(emotions, 5, SMALL["seed"]), "people never seen": grouped_folds(emotions, people, 5, SMALL["seed"])}
    for protocol, folds in theirs.items():
        right = np.zeros(len(emotions))
        for test, (train, here) in zip(folds, page["folds"][protocol], strict=True):
            assert np.array_equal(test, here)
            # The machine that stands on the page chooses gamma from its training faces.
            K = gaussian_kernel(squared_distances(X), 1 / (X.shape[1] * X[train].var()))
            machine = SVC(kernel="precomputed", C=10.0).fit(K[np.ix_(train, train)], emotions[train])
            right[test] = machine.predict(K[np.ix_(test, train)]) == emotions[test]
        assert np.array_equal(right, page["hits"]["trained", protocol])
    overlap = [set(people[train]) & set(people[test]) for train, test in page["folds"]["people never seen"]]
    assert not any(overlap)


def test_interval_is_wider_over_people_than_over_faces(page):
    values = np.unique(page["people"], return_inverse=True)[1] % 2 == 0  # all that people can differ by
    low, high = page["interval"](values)
    ours = mean_over_people(values, page["people"])
    assert (low, high) == pytest.approx((ours["low"], ours["high"]))
    page["people"], people = np.arange(len(values)), page["people"]
    narrow = np.ptp(page["interval"](values))
    page["people"] = people
    assert high - low > 2 * narrow
