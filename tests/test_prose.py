"""The prose: its examples and solutions run, and say what they print."""

import doctest
import re
from pathlib import Path

import pytest

from fergan.files import write_json
from fergan.gan import TrainConfig
from fergan.gan.networks import Discriminator, Generator, initialize_weights
from fergan.gan.runs import save_weights

BOOK = Path(__file__).parent.parent / "book"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run, whose networks have not learnt anything."""
    folder = tmp_path_factory.mktemp("run")
    networks = Generator(latent_dim=20, width=4), Discriminator(width=8)
    for network in networks:
        initialize_weights(network, std=0.2, seed=1)
    save_weights(folder, *networks)
    parameters = TrainConfig(latent_dim=20, width=8, generator_width=4).model_dump()
    write_json(folder / "config.json", {"parameters": parameters, "images": "", "version": 3})
    write_json(folder / "finished.json", {"steps": 1})
    return str(folder)


@pytest.mark.parametrize("page", ["code", "exercises"])
def test_examples_say_what_they_print(page, run):
    text = re.sub("^```.*$", "", (BOOK / f"{page}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {"run": run}, page, f"{page}.md", 0)
    said = []
    failed, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=said.append)
    assert tried > 8 and not failed, "".join(said)


def test_a_third_of_the_exercises_are_python():
    text = (BOOK / "exercises.md").read_text(encoding="utf-8")
    solutions = re.findall(r"^(`{3,4})\{solution\} (\S+)\n(.*?)^\1$", text, re.MULTILINE | re.DOTALL)
    assert len(solutions) == text.count("{exercise}") and 3 * sum(">>>" in body for *_, body in solutions) >= len(solutions)
