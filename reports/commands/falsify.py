"""`perturblearn falsify`: a search for data at which an inequality fails."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from reports.options import Run
from reports.terminal import Show


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Falsify:
    """Options of `perturblearn falsify`.

    Parameters
    ----------
    constant
        C of the published width; a factor of the other inequalities.
    margin
        Largest mean error allowed, > 0; published only.
    seed
        Seed of the search, >= 0.
    error_probability
        Probability of a false claim, in (0, 1).
    evaluations
        Candidates tried.
    max_dim
        Largest d tried.
    max_samples
        Largest N tried.
    max_width
        Largest m tried.
    out
        A .py file, written if there is a counter-example.
    """

    constant: float = 1.0
    margin: float = 1.0
    seed: int = 0
    error_probability: float = 1e-3
    evaluations: int = 200
    max_dim: int = 24
    max_samples: int = 4
    max_width: int = 4096
    out: Path = Path("counter_example.py")


def falsify(
    inequality: Literal["published", "displacement", "free-share", "margin"],
    /,
    *,
    options: Falsify = Falsify(),
) -> Run:
    """Search for data, times and widths at which an inequality about trained networks fails.

    What is found is made small, measured again, and written as a Python file that reproduces it.

    Parameters
    ----------
    inequality
        published: an O(1) error at the published width; the others are derived here.
    """
    from empirics import falsify as search
    from empirics.sweep import disk

    makers = {
        "displacement": search.displacement_bound,
        "free-share": search.free_share_law,
        "margin": search.margin_theorem,
    }

    def run(_show: Show) -> str:
        if options.out.suffix != ".py":
            msg = f"out must end in .py, got {str(options.out)!r}"
            raise ValueError(msg)
        disk.check_output(options.out)
        found = search.falsify(
            search.published_form(constant=options.constant, margin=options.margin)
            if inequality == "published"
            else makers[inequality](factor=options.constant),
            seed=options.seed,
            budget=search.Budget(
                evaluations=options.evaluations,
                max_dim=options.max_dim,
                max_samples=options.max_samples,
                max_width=options.max_width,
            ),
            error_probability=options.error_probability,
        )
        if found.verdict != "violated":
            return str(found)
        search.write_counter_example(found, options.out)
        return f"{found}\ncounter-example: {options.out}"

    return run
