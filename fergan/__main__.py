"""Command line: ``python -m fergan book|check-data|estimate|train|run|serve|pictures|where|toc``."""

import argparse
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fergan.book.profile_schema import Profile

ROOT = Path(__file__).parent.parent

# Reading a notebook imports jsonschema, which spends a second on a grammar for web addresses that no notebook needs;
# it does without where the grammar is not installed.
sys.modules.setdefault("rfc3987_syntax", None)


@contextmanager
def _locked(path: Path, kind: int, refusal: str) -> Iterator[None]:
    """Hold a lock on a file, shared or exclusive, or leave with `refusal` where another process is in the way."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        sys.exit(f"{path} may not be written ({(error.strerror or str(error)).lower()}); the results of a run go there")
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


def _profile(arguments: argparse.Namespace) -> "Profile":
    """Load the profile that the command line names, or leave with what is wrong with it."""
    from fergan.book.profiles import ProfileError, load_profile

    data = str(Path(arguments.data).expanduser().resolve()) if arguments.data else ""
    try:
        return load_profile(ROOT / "profiles" / f"{arguments.profile}.yaml", data=data)
    except ProfileError as error:
        sys.exit(str(error))


def _say(*lines: str) -> None:
    """Print at once, also into a file or pipe: the workflow that follows writes past this process."""
    for line in lines:
        print(line, flush=True)


def _n_cores(cores: str) -> int:
    return int(cores) if cores.isdigit() else 0


def book(arguments: argparse.Namespace) -> None:
    """Execute what is not up to date, then build and check the book."""
    from fergan.book.build import BookError, build_book
    from fergan.book.estimates import estimate, estimate_lines, is_long
    from fergan.book.network_pages import longest_training
    from fergan.book.preflight import check_plan
    from fergan.book.profiles import ProfileError
    from fergan.book.site.truth import forget_stale_pages

    profile = _profile(arguments)
    home = ROOT / "artifacts" / profile.name
    try:
        checked = check_plan(profile)
    except ProfileError as error:
        sys.exit(str(error))
    _say(*profile.absences.lines(), *(f"warning: {warning}" for warning in checked.warnings))
    with _alone(home):
        checked.save(home / "check-data.json")
        if is_long(profile, home, checked.n_photographs):
            _say("probing this machine, which takes about a minute")
            _say(*estimate_lines(estimate(profile, home, checked.n_photographs, _n_cores(arguments.cores))))
        _say(*forget_stale_pages(profile, ROOT))
        code = _workflow(profile.name, longest_training(profile), profile.data, arguments.cores)
        if code:
            sys.exit("the workflow stopped; what is finished is kept, and the same command goes on from there")
        building = "the book of another profile is being built; wait for it and try again"
        with _locked(ROOT / "_build" / ".lock", fcntl.LOCK_EX, building):  # the pages are laid out in one place
            try:
                index = build_book(profile, ROOT)
            except BookError as error:
                sys.exit(str(error))
    print(f"the book: {index}")


def check_data(arguments: argparse.Namespace) -> None:
    """Print what the photographs of a profile are; leave with status 1 where an experiment cannot be what it claims."""
    from fergan.book.preflight import check_data as check

    profile = _profile(arguments)
    checked = check(profile)
    path = ROOT / "artifacts" / profile.name / "check-data.json"
    _say(*checked.lines())
    try:
        checked.save(path)
    except OSError as error:
        _say(f"{path} may not be written ({(error.strerror or str(error)).lower()}), so that this report is not kept")
    else:
        _say(f"the same as JSON: {path}")
    sys.exit(1 if checked.faults else 0)


def estimate(arguments: argparse.Namespace) -> None:
    """Print about how long each stage that is left will take."""
    from fergan.book.estimates import estimate as measure
    from fergan.book.estimates import estimate_lines, unfinished_pages
    from fergan.book.preflight import check_plan
    from fergan.book.profiles import ProfileError

    profile = _profile(arguments)
    try:
        checked = check_plan(profile)
    except ProfileError as error:
        sys.exit(str(error))
    home = ROOT / "artifacts" / profile.name
    _say(*profile.absences.lines())
    if unfinished_pages(profile, home):
        _say("probing this machine, which takes about a minute")
    _say(*estimate_lines(measure(profile, home, checked.n_photographs, _n_cores(arguments.cores))))


def train(arguments: argparse.Namespace) -> None:
    """Train one generator of a profile, on several devices or machines; its page then shows this run."""
    from fergan.book.launch import train_model
    from fergan.book.profiles import ProfileError

    profile = _profile(arguments)
    home = ROOT / "artifacts" / profile.name
    try:
        finished = train_model(profile, arguments.model, home, devices=arguments.devices, num_nodes=arguments.num_nodes)
    except (ProfileError, FileNotFoundError, FloatingPointError, OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; what is trained is kept, and the same command goes on from there")
    if finished:
        _say(str(finished.folder))


def run(arguments: argparse.Namespace) -> None:
    """Run one notebook with parameters."""
    import nbformat

    from fergan.book.notebooks import NotebookError, notebook_parameters, parse_assignments, run_notebook

    path = Path(arguments.notebook)
    if not path.suffix:
        path = ROOT / "notebooks" / f"{path}.ipynb"
    try:
        given = json.loads(arguments.parameters)
        if arguments.assignments:
            declared = notebook_parameters(nbformat.read(path, as_version=4), path.name)
            given |= parse_assignments(arguments.assignments, declared)
        output = Path(arguments.output or ROOT / "artifacts" / "runs" / path.name)
        labels = dict(page=arguments.page, title=arguments.title, notes=arguments.note, stages=arguments.stages)
        with _locked(Path(arguments.lock), fcntl.LOCK_SH, "another run is starting") if arguments.lock else nullcontext():
            print(run_notebook(path, output, given, **labels))
    except (NotebookError, FileNotFoundError) as error:
        sys.exit(str(error))


def where(arguments: argparse.Namespace) -> None:
    """Print the folder of a profile's built book."""
    from fergan.book.build import html_folder

    print(html_folder(arguments.profile, ROOT))


def serve(arguments: argparse.Namespace) -> None:
    """Show the book in the browser, and build its prose again whenever a file of it is saved."""
    from fergan.book.site.check import BookError
    from fergan.book.site.serve import preview

    try:
        sys.exit(preview(_profile(arguments), ROOT, arguments.port))
    except (BookError, FileNotFoundError) as error:
        sys.exit(f"{error}\nthe preview shows what `make book` has made; make the book first")


def pictures(arguments: argparse.Namespace) -> None:
    """Draw the README's pictures from a finished book."""
    from fergan.book.build import html_folder
    from fergan.book.overview import draw_overview
    from fergan.book.site.pictures import PictureError, take_pictures

    profile = _profile(arguments)
    try:
        for path in take_pictures(html_folder(profile.name, ROOT), ROOT / "book" / "pictures"):
            _say(str(path))
    except PictureError as error:
        sys.exit(str(error))
    draw_overview(profile, ROOT / "artifacts" / profile.name, ROOT / "book" / "pictures" / "overview.png")


def toc(arguments: argparse.Namespace) -> None:
    """Write the table of contents of the demo."""
    from fergan.book.build import write_table_of_contents
    from fergan.book.profiles import load_profile

    write_table_of_contents(load_profile(ROOT / "profiles" / "demo.yaml"), ROOT / "_toc.yml")


def main() -> None:
    """Read the command line and carry out its command."""
    parser = argparse.ArgumentParser(prog="python -m fergan", description=__doc__)
    commands = parser.add_subparsers(required=True)
    profile, data, cores = (argparse.ArgumentParser(add_help=False) for _ in range(3))
    profile.add_argument("--profile", default="demo", help="a file of profiles/, without .yaml")
    data.add_argument("--data", default="", help="folder of the photographs")
    cores.add_argument("--cores", default="all", help="processor cores to use")
    command = commands.add_parser(
        "book", help="execute what is not up to date and build the book", parents=[profile, data, cores]
    )
    command.set_defaults(function=book)
    command = commands.add_parser(
        "check-data", help="look whether the photographs are what they should be", parents=[profile, data]
    )
    command.set_defaults(function=check_data)
    command = commands.add_parser(
        "estimate", help="say about how long the rest of the book will take", parents=[profile, data, cores]
    )
    command.set_defaults(function=estimate)
    command = commands.add_parser(
        "train", help="train one generator outside its notebook, on several GPUs for example", parents=[profile, data]
    )
    command.add_argument("model", help="a generator of the book, for example celeba")
    command.add_argument("--devices", type=int, default=1, help="GPUs, or processes without GPUs, on each machine")
    command.add_argument("--num-nodes", type=int, default=1, help="machines; torchrun says both itself")
    command.set_defaults(function=train)
    command = commands.add_parser("run", help="run one notebook with parameters")
    command.add_argument("notebook", help="for example 04_emotions")
    command.add_argument("assignments", nargs="*", help="for example experiment=1 n_folds=5")
    command.add_argument("--parameters", default="{}", help="parameters as JSON")
    command.add_argument("--output", default="", help="the executed copy")
    command.add_argument("--lock", default="", help="a lock file to share with the other pages of a workflow")
    command.add_argument("--page", default="", help="the page's label in the book")
    command.add_argument("--title", default="", help="the page's heading")
    command.add_argument(
        "--note", nargs=2, action="append", default=[], metavar=("HEADING", "TEXT"), help="a notice at the top"
    )
    command.add_argument("--stages", nargs="*", default=[], help="stamps of earlier stages that the page is made from")
    command.set_defaults(function=run)
    command = commands.add_parser("where", help="print the folder of the built book", parents=[profile])
    command.set_defaults(function=where)
    command = commands.add_parser(
        "serve", help="show the book, and build its prose again as it is saved", parents=[profile, data]
    )
    command.add_argument("--port", type=int, default=8000)
    command.set_defaults(function=serve)
    command = commands.add_parser("pictures", help="draw the README's pictures from a book", parents=[profile, data])
    command.set_defaults(function=pictures)
    command = commands.add_parser("toc", help="write _toc.yml")
    command.set_defaults(function=toc)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
