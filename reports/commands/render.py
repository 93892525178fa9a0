"""`perturblearn render`: a report again from its results."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from reports.options import Format, Run
from reports.terminal import Show


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Render:
    """Options of `perturblearn render`.

    Parameters
    ----------
    out
        Output folder (default: that of the results).
    format
        Format of the report; results.json is written beside it; pdf: printed by Chromium.
    """

    out: Path | None = None
    format: Format = "html"


def render(results: Path, /, *, options: Render = Render()) -> Run:
    """Make a report again from its results.json or report.json, in any format; nothing is computed.

    Parameters
    ----------
    results
        A results.json, or the folder of a report, sweep or study of orthogonal samples.
    """
    import jinja2

    from empirics.sweep import disk
    from reports import formats, schema
    from reports.making import places

    def run(_show: Show) -> str:
        if (file := of_runs(results)) is not None:
            return _again(file, options)
        read = schema.read(results)
        file = results / schema.RESULTS if results.is_dir() else results
        folder = file.parent if options.out is None else options.out
        formats.check_output(folder, options.format)
        own = folder / schema.RESULTS
        if options.out is None and own.exists() and not own.samefile(file):
            held = f"{disk.shown(folder)} holds the results of another report"
            msg = f"out must be given: {held} than {file.name}"
            raise ValueError(msg)
        try:
            contents = formats.files(read, options.format)
        except (jinja2.TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
            msg = f"{file} must hold all that the page shows, but {type(error).__name__}: {error}"
            raise schema.SchemaError(msg) from error
        if own.exists() and own.samefile(file) and options.format != "json":
            del contents[schema.RESULTS]  # what one reads from stays as it is
        formats.write(folder, contents)
        return places(folder, contents)

    return run


def of_runs(results: Path) -> Path | None:
    """Return the report.json of a folder without results.json, or that is given; else None."""
    from reports import schema
    from reports.runs import NUMBERS

    file = results / NUMBERS if results.is_dir() else results
    own = file.parent / schema.RESULTS
    return (
        file if file.name == NUMBERS and file.is_file() and not (results.is_dir() and own.exists()) else None
    )


def _again(file: Path, options: Render) -> str:
    """Write the page of a sweep or of orthogonal samples again."""
    from empirics.sweep import disk
    from reports import folders, formats

    folder = file.parent if options.out is None else options.out
    contents = {file.name: file.read_bytes()} | formats.of_page(
        folders.page(folders.read(file.parent)), options.format
    )
    if folder.exists() and folder.samefile(file.parent) and options.format != "json":
        del contents[file.name]  # what one reads from stays as it is
    disk.check_output(*(folder / name for name in contents))
    formats.write(folder, contents)
    pages = [name for name in contents if name.startswith("report.") and name != file.name]
    named = [("page:", name) for name in pages] + [("numbers:", file.name)]
    return "\n".join(f"{label:<8} {folder / name}" for label, name in named)
