"""`perturblearn index`: a page that lists what other commands wrote."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from reports.options import Folders, Run
from reports.terminal import Show


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Index:
    """Options of `perturblearn index`.

    Parameters
    ----------
    out
        The page, an .html file.
    """

    out: Path = Path("index.html")


def index(folders: Folders, /, *, options: Index = Index()) -> Run:
    """Write a page that lists reports, sweeps, plans and studies of orthogonal samples, with links.

    Parameters
    ----------
    folders
        Folders of reports, sweeps, plans or orthogonal studies, or folders of such folders.
    """
    from empirics.sweep import disk
    from reports import formats, listing

    def run(_show: Show) -> str:
        if options.out.suffix != ".html":
            msg = f"out must end in .html, got {str(options.out)!r}"
            raise ValueError(msg)
        disk.check_output(options.out)
        page = listing.index_page(folders, options.out)
        formats.write(options.out.parent, {options.out.name: page.encode()})
        return f"page:    {options.out}"

    return run
