"""Command line: ``python -m fergan book|check-data|run|train|prune|write``."""

import argparse
import errno
import sys
from contextlib import ExitStack
from pathlib import Path

from fergan.files import ROOT, UserError, locked

# What a command needs is imported in it, so that each starts as fast as it can.

# Reading a notebook imports jsonschema, which takes a second for a grammar of web addresses that it can do without.
sys.modules.setdefault("rfc3987_syntax", None)

_OPTIONS = {
    "--profile": ("demo", "a file of profiles/"), "--data": ("", "folder of the photographs"),
    "--cores": ("all", "processor cores to use"), "--output": ("", "the executed copy"),
    "--devices": (1, "GPUs, or processes where there is none, on each machine"), "--num-nodes": (1, "machines"),
}
_BUSY = "another run is still writing to {}; wait for it, or end it, and try again"


def _profile(arguments: argparse.Namespace):
    """Load the profile that the command line names, by name or as a file."""
    from fergan.book.checks import load_profile

    data = str(Path(arguments.data).expanduser().resolve()) if arguments.data else ""
    name = Path(arguments.profile).name.removesuffix(".yaml")
    return load_profile(ROOT / "profiles" / f"{name}.yaml", data=data)


def _say(*lines: str) -> None:
    """Print at once, also into a file or pipe."""
    print(*lines, sep="\n", flush=True)


def book(arguments: argparse.Namespace) -> None:
    """Make the pages that are not of the present state, then build and check the book."""
    from fergan.book.build import build_book
    from fergan.book.checks import check_plan
    from fergan.book.fresh import Book
    from fergan.book.kernels import SITE_LIBRARIES, serving

    profile = _profile(arguments)
    made, checked, server = Book(profile), check_plan(profile), {}
    with locked(made.home / ".lock", _BUSY.format(made.home)), ExitStack() as open_to_the_end:
        for line in checked.lines_before_work():
            _say(line)
        made.bring_up_to_date(arguments.cores, _say, begun=lambda: server.update(
            open_to_the_end.enter_context(serving(SITE_LIBRARIES))))
        with locked(ROOT / "_build" / ".lock", "the book of another profile is being built; wait for it and try again"):
            _say(f"every page is of the present state; the book: {build_book(made, server)}")


def check_data(arguments: argparse.Namespace) -> None:
    """Print what the photographs of a profile are; leave with status 1 where an experiment cannot be what it claims."""
    from fergan.book.checks import check_data as check

    checked = check(_profile(arguments))
    _say(*checked.lines())
    sys.exit(1 if checked.faults else 0)


def page(arguments: argparse.Namespace) -> None:
    """Make one page of a profile's book; the workflow calls this."""
    from fergan.book.fresh import SIGN, Book

    try:
        made = Book(_profile(arguments))
        _say(f"{SIGN}begun: {arguments.page}")
        seconds = made.make(made.pages[arguments.page], lambda line: _say(f"{SIGN}doing: {arguments.page} {line}"))
        _say(f"{SIGN}{arguments.page}: {seconds:.0f} s")
    except UserError as error:
        _say(f"{SIGN}failed: {arguments.page}")
        sys.exit("\n".join(f"{SIGN}fault: {line}" for line in str(error).splitlines()))


def run(arguments: argparse.Namespace) -> None:
    """Run one page with parameters changed; the book stays as it is."""
    from fergan.book.pages import pages_of
    from fergan.book.run import find_page, run_by_hand

    chosen = find_page(pages_of(_profile(arguments)), arguments.page)
    output = Path(arguments.output or ROOT / "artifacts" / "runs" / f"{chosen.id}.ipynb")
    _say(str(run_by_hand(chosen, arguments.assignments, output)))


def train(arguments: argparse.Namespace) -> None:
    """Train one generator of a profile, on several devices or machines; its page then shows this run."""
    from fergan.book.run import train_model

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
    with locked(made.home / ".lock", _BUSY.format(made.home)):
        _say(*made.prune())


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

    def command(function, *words: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(function.__name__.replace("_", "-"), help=function.__doc__)
        for word in (*words, "--profile", "--data"):
            if word in _OPTIONS:
                default, said = _OPTIONS[word]
                sub.add_argument(word, type=type(default), default=default, help=said)
            else:
                sub.add_argument(word)
        sub.set_defaults(function=function)
        return sub

    command(book, "--cores")
    command(page, "page")
    command(run, "page", "--output").add_argument("assignments", nargs="*", help="n_folds=5 or training.epochs=5")
    command(train, "model", "--devices", "--num-nodes")
    for function in (check_data, prune, write):
        command(function)
    arguments = parser.parse_args()
    try:
        arguments.function(arguments)
    except UserError as error:
        sys.exit(str(error))
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
            raise
        sys.exit(f"{error.filename or 'a file'} may not be written ({error.strerror.lower()}); make room or give yourself "
                 "the right to, or work on a copy of the project")


if __name__ == "__main__":
    main()
