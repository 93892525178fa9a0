"""`perturblearn explore`: an interactive page about samples on a plane."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from reports.options import Classes, Files, Run
from reports.terminal import Show


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Explore(Files):
    """Options of `perturblearn explore`.

    Parameters
    ----------
    data
        Samples to start from: a file of `report` with two features, or gaussian or shifted-gaussian in two
        dimensions (default: two clusters).
    classes
        With --data: two classes A,B: A becomes +1, B becomes -1.
    out
        The page, an .html file.
    """

    data: str | None = None
    classes: Classes | None = None
    out: Path = Path("explore.html")


def explore(*, options: Explore = Explore()) -> Run:
    """Write an interactive page: samples to drag on a plane, and where g agrees with f.

    The page works offline. It computes the predictions for infinitely wide networks, and where agreement is
    certified at a width, as samples, training times, the size of perturbations, depth and slope are changed;
    nothing is trained.
    """
    from empirics.sweep import disk
    from reports import explore as made_by, formats, presets, terminal, text

    def run(_show: Show) -> str:
        out = options.out
        given: dict[str, Any] = dict(options.asked)
        if options.classes is not None:
            given["classes"] = presets.two_names(options.classes)
        if out.suffix != ".html":
            msg = f"out must end in .html, got {str(out)!r}"
            raise ValueError(msg)
        if given and options.data is None:
            msg = f"{' and '.join(name.replace('_', '-') for name in given)} must come with --data, got none"
            raise ValueError(msg)
        disk.check_output(out)
        data, kept = None, ""
        if options.data is not None:
            data = made_by.planar(presets.source(options.data, **given))
            terminal.notify(data)
            if len(data.X) > made_by.MOST:
                kept = f"samples: {made_by.MOST} of {text.count(len(data.X))}, drawn at random\n"
        formats.write(out.parent, {out.name: formats.plain(made_by.page(data)).encode()})
        return f"{kept}page:    {out}"

    return run
