"""Command line: ``python -m fergan book|run|where|picture|toc``."""

import argparse
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Reading a notebook imports jsonschema, which spends a second on a grammar for web addresses that no notebook needs;
# it does without where the grammar is not installed.
sys.modules.setdefault("rfc3987_syntax", None)


@contextmanager
def _locked(path: Path, kind: int, refusal: str) -> Iterator[None]:
    """Hold a lock on a file, shared or exclusive, or leave with `refusal` where another process is in the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(refusal)
        yield


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Be the only one who makes this profile's book.

    A killed workflow can leave a page running that still writes. Each page holds a shared lock of its own, so that a
    new workflow can see whether one is left.
    """
    busy = f"another run is still writing to {home}; wait for it, or end it, and try again"
    with _locked(home / ".lock", fcntl.LOCK_EX, busy):
        with _locked(home / ".jobs", fcntl.LOCK_EX, busy):
            pass
        yield


def _workflow(profile: str, first: str, data: str, cores: str) -> int:
    """Run Snakemake, `first` before the rest; its own lock is stale by now, because ours was free."""
    command = [
        sys.executable, "-m", "snakemake", "--cores", cores, "--rerun-incomplete", "--nolock", "--keep-going",
        "--scheduler", "greedy", "--quiet", "rules", "host", "reason",
        "--prioritize", f"artifacts/{profile}/{first}",
        "--config", f"profile={profile}", *([f"data={data}"] if data else []),
    ]
    workflow = subprocess.Popen(command, cwd=ROOT)
    while True:
        try:
            return workflow.wait()
        except KeyboardInterrupt:
            continue  # the terminal told the workflow and its pages too: let them save their work


def book(arguments: argparse.Namespace) -> None:
    """Execute what is not up to date, then build and check the book."""
    from fergan.book import BookError, build_book
    from fergan.pages import longest_training
    from fergan.preflight import check_plan
    from fergan.profiles import ProfileError, load_profile

    data = str(Path(arguments.data).expanduser().resolve()) if arguments.data else ""
    try:
        profile = load_profile(ROOT / "profiles" / f"{arguments.profile}.yaml", data=data)
        check_plan(profile)
    except ProfileError as error:
        sys.exit(str(error))
    with _alone(ROOT / "artifacts" / profile.name):
        code = _workflow(profile.name, longest_training(profile), data, arguments.cores)
        if code:
            sys.exit("the workflow stopped; what is finished is kept, and the same command goes on from there")
        building = "the book of another profile is being built; wait for it and try again"
        with _locked(ROOT / "_build" / ".lock", fcntl.LOCK_EX, building):  # the pages are laid out in one place
            try:
                index = build_book(profile, ROOT)
            except BookError as error:
                sys.exit(str(error))
    print(f"the book: {index}")


def run(arguments: argparse.Namespace) -> None:
    """Run one notebook with parameters."""
    import nbformat

    from fergan.notebooks import NotebookError, notebook_parameters, parse_assignments, run_notebook

    path = Path(arguments.notebook)
    if not path.suffix:
        path = ROOT / "notebooks" / f"{path}.ipynb"
    try:
        given = json.loads(arguments.parameters)
        if arguments.assignments:
            declared = notebook_parameters(nbformat.read(path, as_version=4), path.name)
            given |= parse_assignments(arguments.assignments, declared)
        output = Path(arguments.output or ROOT / "artifacts" / "runs" / path.name)
        labels = dict(page=arguments.page, title=arguments.title, note=arguments.note)
        with _locked(Path(arguments.lock), fcntl.LOCK_SH, "another run is starting") if arguments.lock else nullcontext():
            print(run_notebook(path, output, given, **labels))
    except (NotebookError, FileNotFoundError) as error:
        sys.exit(str(error))


def where(arguments: argparse.Namespace) -> None:
    """Print the folder of a profile's built book."""
    from fergan.book import html_folder

    print(html_folder(arguments.profile, ROOT))


def picture(arguments: argparse.Namespace) -> None:
    """Draw the README's picture from a finished book."""
    from fergan.overview import draw_overview
    from fergan.profiles import load_profile

    profile = load_profile(ROOT / "profiles" / f"{arguments.profile}.yaml", data=arguments.data)
    draw_overview(profile, ROOT / "artifacts" / profile.name, ROOT / "book" / "_static" / "overview.png")


def toc(arguments: argparse.Namespace) -> None:
    """Write the table of contents of the demo."""
    from fergan.book import write_table_of_contents
    from fergan.profiles import load_profile

    write_table_of_contents(load_profile(ROOT / "profiles" / "demo.yaml"), ROOT / "_toc.yml")


def main() -> None:
    """Read the command line and carry out its command."""
    parser = argparse.ArgumentParser(prog="python -m fergan", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("book", help="execute what is not up to date and build the book")
    command.add_argument("--profile", default="demo", help="a file of profiles/, without .yaml")
    command.add_argument("--data", default="", help="folder of the photographs")
    command.add_argument("--cores", default="all", help="processor cores to use")
    command.set_defaults(function=book)
    command = commands.add_parser("run", help="run one notebook with parameters")
    command.add_argument("notebook", help="for example 04_emotions")
    command.add_argument("assignments", nargs="*", help="for example experiment=1 n_folds=5")
    command.add_argument("--parameters", default="{}", help="parameters as JSON")
    command.add_argument("--output", default="", help="the executed copy")
    command.add_argument("--lock", default="", help="a lock file to share with the other pages of a workflow")
    command.add_argument("--page", default="", help="the page's label in the book")
    command.add_argument("--title", default="", help="the page's heading")
    command.add_argument("--note", default="", help="a notice under the heading")
    command.set_defaults(function=run)
    command = commands.add_parser("where", help="print the folder of the built book")
    command.add_argument("--profile", default="demo", help="a file of profiles/, without .yaml")
    command.set_defaults(function=where)
    command = commands.add_parser("picture", help="draw the README's picture from a finished book")
    command.add_argument("--profile", default="demo", help="a file of profiles/, without .yaml")
    command.add_argument("--data", default="", help="folder of the photographs")
    command.set_defaults(function=picture)
    command = commands.add_parser("toc", help="write _toc.yml")
    command.set_defaults(function=toc)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
