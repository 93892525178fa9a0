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
    """Make a report again from its results.json, in any format; nothing is computed.

    Parameters
    ----------
    results
        A results.json, or the folder of a report.
    """
    import jinja2

    from empirics.sweep import disk
    from reports import formats, schema
    from reports.making import places

    def run(_show: Show) -> str:
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
