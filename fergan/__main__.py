"""Command line: ``python -m fergan book|check-data|run|train|prune|serve|pictures|where|write``."""

import argparse
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from fergan.files import ROOT, UserError

if TYPE_CHECKING:
    from fergan.book.profile import Profile

# What a command needs is imported in it, so that each starts as fast as it can.

# Reading a notebook imports jsonschema, which spends a second on a grammar for web addresses that no notebook needs; it
# does without where the grammar is not installed.
sys.modules.setdefault("rfc3987_syntax", None)


@contextmanager
def _locked(path: Path, kind: int, refusal: str) -> Iterator[None]:
    """Hold a lock on a file, shared or exclusive, or leave with `refusal` where another process is in the way."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        sys.exit(f"{path} {_not_writable(error)}; the results of a run go there")
    with open(path, "w") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(refusal)
        yield


def _not_writable(error: OSError) -> str:
    return f"may not be written ({(error.strerror or str(error)).lower()})"


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Be the only one who makes this profile's book.

    A killed workflow can leave a page running that still writes. Each page holds a shared lock of its own, so that a new
    workflow can see whether one is left.
    """
    busy = f"another run is still writing to {home}; wait for it, or end it, and try again"
    with _locked(home / ".lock", fcntl.LOCK_EX, busy):
        with _locked(home / ".jobs", fcntl.LOCK_EX, busy):
            pass
        yield


def _workflow(profile: "Profile", cores: str) -> int:
    """Run Snakemake on the pages that are not done; its own lock is stale by now, because ours was free."""
    command = [
        sys.executable, "-m", "snakemake", "--cores", cores, "--rerun-triggers", "mtime", "--rerun-incomplete", "--nolock",
        "--keep-going", "--scheduler", "greedy", "--quiet", "rules", "host", "reason", "progress",
        "--config", f"profile={profile.name}",
    ]
    # By a variable: Snakemake reads the values of --config as YAML, and a folder may be called "Study 3: pilot".
    workflow = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"FERGAN_PHOTOGRAPHS": profile.data})
    while True:
        try:
            return workflow.wait()
        except KeyboardInterrupt:
            continue  # the terminal told the workflow and its pages too: let them save their work


def _profile(arguments: argparse.Namespace) -> "Profile":
    """Load the profile that the command line names, by name or as a file."""
    from fergan.book.checks import load_profile

    data = str(Path(arguments.data).expanduser().resolve()) if arguments.data else ""
    name = Path(arguments.profile).name.removesuffix(".yaml")
    return load_profile(ROOT / "profiles" / f"{name}.yaml", data=data)


def _say(*lines: str) -> None:
    """Print at once, also into a file or pipe: the workflow that follows writes past this process."""
    for line in lines:
        print(line, flush=True)


def book(arguments: argparse.Namespace) -> None:
    """Make the pages that are not of the present state, then build and check the book."""
    from fergan.book.build import build_book
    from fergan.book.checks import check_plan
    from fergan.book.fresh import Book

    profile = _profile(arguments)
    made, checked = Book(profile), check_plan(profile)
    with _alone(made.home):
        checked.save(made.home / "check-data.json")
        plan = made.plan()
        _say(*checked.lines_before_work(), *made.announce(plan))
        if plan and _workflow(profile, arguments.cores):
            sys.exit("the workflow stopped; what is finished is kept, and the same command goes on from there")
        building = "the book of another profile is being built; wait for it and try again"
        with _locked(ROOT / "_build" / ".lock", fcntl.LOCK_EX, building):  # the pages are laid out in one place
            _say(f"the book: {build_book(made)}")


def check_data(arguments: argparse.Namespace) -> None:
    """Print what the photographs of a profile are; leave with status 1 where an experiment cannot be what it claims."""
    from fergan.book.checks import check_data as check

    checked = check(_profile(arguments))
    path = ROOT / "artifacts" / checked.profile.name / "check-data.json"
    _say(*checked.lines())
    try:
        checked.save(path)
        _say(f"the same as JSON: {path}")
    except OSError as error:
        _say(f"{path} {_not_writable(error)}, so that this report is not kept")
    sys.exit(1 if checked.faults else 0)


def page(arguments: argparse.Namespace) -> None:
    """Make one page of a profile's book where it is not of the present state; the workflow calls this."""
    from fergan.book.fresh import Book

    made = Book(_profile(arguments))
    with _locked(Path(arguments.lock), fcntl.LOCK_SH, "another run is starting") if arguments.lock else nullcontext():
        executed = made.make(made.pages[arguments.page])
    _say(f"{arguments.page}: {'made' if executed else 'unchanged'}")


def run(arguments: argparse.Namespace) -> None:
    """Run one page with parameters changed; the book stays as it is."""
    from fergan.book.pages import pages_of
    from fergan.book.run import find_page, notebook_parameters, parse_assignments, read_notebook, run_by_hand

    chosen = find_page(pages_of(_profile(arguments)), arguments.page)
    declared = notebook_parameters(read_notebook(chosen.notebook), chosen.notebook)
    given = parse_assignments(arguments.assignments, declared, chosen.notebook)
    output = Path(arguments.output or ROOT / "artifacts" / "runs" / f"{chosen.id}.ipynb")
    _say(str(run_by_hand(chosen, given, output)))


def train(arguments: argparse.Namespace) -> None:
    """Train one generator of a profile, on several devices or machines; its page then shows this run."""
    from fergan.book.launch import train_model

    profile = _profile(arguments)
    try:
        folder = train_model(profile, arguments.model, devices=arguments.devices, num_nodes=arguments.num_nodes)
    except (FloatingPointError, OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; what is trained is kept, and the same command goes on from there")
    if folder:
        _say(str(folder))


def prune(arguments: argparse.Namespace) -> None:
    """Delete the results that the book of a profile no longer uses."""
    from fergan.book.fresh import Book

    made = Book(_profile(arguments))
    with _alone(made.home):
        _say(*made.prune())


def where(arguments: argparse.Namespace) -> None:
    """Print the folder of a profile's built book."""
    from fergan.book.build import html_folder

    print(html_folder(arguments.profile))


def serve(arguments: argparse.Namespace) -> None:
    """Show the book in the browser, and build its prose again whenever a file of it is saved."""
    from fergan.book.preview import preview

    profile = _profile(arguments)
    try:
        sys.exit(preview(profile, ROOT, arguments.port))
    except UserError as error:
        sys.exit(f"{error}\nthe preview shows what `make book` has made; make the book first")


def pictures(arguments: argparse.Namespace) -> None:
    """Draw the README's pictures from a finished book (needs Chromium)."""
    from fergan.book.preview import draw_pictures

    _say(*map(str, draw_pictures(_profile(arguments), ROOT / "book" / "pictures")))


def write(arguments: argparse.Namespace) -> None:
    """Write ``_toc.yml`` and the parameter cells of the notebooks from the profile and the configs."""
    from fergan.book.build import write_parameter_cells, write_table_of_contents

    profile = _profile(arguments)
    write_table_of_contents(profile, ROOT / "_toc.yml")
    write_parameter_cells(profile)


def main() -> None:
    """Read the command line and carry out its command; what a user can mend ends it with a message alone."""
    parser = argparse.ArgumentParser(prog="python -m fergan", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(function, *words: str, **numbers: int) -> argparse.ArgumentParser:
        sub = commands.add_parser(function.__name__.replace("_", "-"), help=function.__doc__)
        for word in words:
            sub.add_argument(word)
        for name, default in numbers.items():
            sub.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
        sub.add_argument("--profile", default="demo", help="a file of profiles/")
        sub.add_argument("--data", default="", help="folder of the photographs")
        sub.set_defaults(function=function)
        return sub

    command(book).add_argument("--cores", default="all", help="processor cores to use")
    command(page, "page").add_argument("--lock", default="", help="a lock file to share with the other pages of a workflow")
    changed = command(run, "page")
    changed.add_argument("assignments", nargs="*", help="for example n_folds=5 or training.epochs=5")
    changed.add_argument("--output", default="", help="the executed copy")
    command(train, "model", devices=1, num_nodes=1)
    command(serve, port=8000)
    for function in (check_data, prune, where, pictures, write):
        command(function)
    arguments = parser.parse_args()
    try:
        arguments.function(arguments)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
