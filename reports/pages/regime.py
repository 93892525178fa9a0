"""How far networks are from lazy: free neurons, drift, outputs and directions beside their predictions."""

from collections.abc import Iterator, Sequence

from msgspec.structs import asdict as fields_of

from empirics.measure.drift import Displacements, Drift
from reports import figures, figures_bounds, pictures
from reports.claim_text import spread
from reports.drawings import Scatter
from reports.inline import rich
from reports.numbers import Cell, Numbers, picked, records, together
from reports.page import Block, Prose, figure, note, say, table
from reports.results import Section
from reports.text import count, number

_SHARES = ("free_predicted", "free_measured", "flipped")


def of_widths(section: Section, **wanted: Sequence[str]) -> Numbers:
    """Return the means and spreads by width of some quantities, by group."""
    return records(
        {"width": row.width} | {group: picked(getattr(row, group), *names) for group, names in wanted.items()}
        for row in section.by_width
    )


def lists_of(value: Scatter | Displacements) -> dict[str, list[Cell]]:
    """Return the lists of a record by name."""
    return {name: item for name, item in fields_of(value).items() if isinstance(item, list)}


def free(section: Section, key: str) -> Iterator[Block]:
    """Yield how many neurons are free, and from which width on few are."""
    bounds = section.width_bounds
    yield Prose("How wide is wide?", "heading", f"{key}-free")
    caption = rich("""Share of neurons that are free (could change their activation) and that flipped (did),
        mean over test points; bars are one standard deviation over seeds.""")
    numbers = of_widths(section, f=_SHARES, g=_SHARES)
    yield from figure(figures.free_figure(section, key), caption, "free", numbers)
    yield say(
        r"""Width from which at most {} % of the neurons are expected to be free: $m \ge \left(
        \frac{L T \kappa(z)}{s(z) \tan(\pi q/2)} \right)^2$""",
        number(100 * bounds.free_share),
    )
    columns = {
        "network": lambda row: "both (T_f + T_g)" if row.network == "both" else row.network,
        "median test point": lambda row: count(row.from_data_median),
        "every test point": lambda row: count(row.from_data_largest),
        "from norms": lambda row: count(row.from_norms),
    }
    yield table(bounds.rows, columns, name="widths")
    yield note(f"""“From norms” assumes ‖x‖, ‖z‖ ≤ √d; the largest here is {number(section.largest_norm)}
        √d. The published $d^2 (T_f + T_g)^2$ with constant 1 is {count(bounds.published)}; its true
        constant is not known.""")


def drift(section: Section, key: str) -> Iterator[Block]:
    """Yield how far pre-activations moved, in units of their bound."""
    yield Prose("How far pre-activations move", "subheading", f"{key}-drift")
    lazy = (
        r"""In the lazy limit it depends on the initial weights alone: $$\operatorname{sgn}(a_i) \frac{1}{N}
        \sum_n y_n \varphi'(u_i(x_n, 0)) (\langle x_n, z \rangle + 1) / \kappa(z)$$"""
        if section.setting.loss == "identity"
        else "No prediction is drawn: that of the lazy limit is for the identity loss."
    )
    yield say(r"""$(u_i(z, T) - u_i(z, 0)) / (|a_i| L T \kappa(z))$ lies between −1 and 1 for every neuron and
        point; near 0 a neuron stayed where it was drawn. """ + lazy)  # fmt: skip
    moved = {n: section.moved(n) for n in ("f", "g")}
    if not any(moved.values()):
        yield say("Nothing was trained.")
        return
    last = section.drift[-1]
    for network, rows in moved.items():
        caption = rich(f"""Neurons of {network} by how far they moved, seed {last.seed}, {last.points}
            test points. Hatched: those whose activation changed. Dashed: predicted from the initial
            weights.""")
        drawn = figures_bounds.drift_figure(section, key, network)
        yield from figure(drawn, caption, f"drift_{network}", _bins(rows))
    told = ("width", "seed", "points")
    columns = {
        "network": lambda row: row["network"],
        "m": lambda row: count(row["width"]),
        "largest ratio": lambda row: number(row["largest"], 6),
        "beyond 1, more than rounding": lambda row: count(row["outside"]),
        "crossed 0": lambda row: f"{count(sum(row['crossed']))} of {count(sum(row['measured']))}",
        "root mean square of measured − predicted, relative": lambda row: number(row["difference"]),
    }
    every = [
        {"network": n} | picked(row, *told) | fields_of(part)
        for n, rows in moved.items()
        for row, part in rows
    ]
    yield table(every, columns, name="drift")


def _bins(rows: Sequence[tuple[Drift, Displacements]]) -> Numbers:
    """Return the counts of neurons by how far they moved, a row for each bin of each width."""
    return records(
        {"width": row.width, "from": low, "to": high}
        | {name: values[place] for name, values in lists_of(moved).items()}
        for row, moved in rows
        for place, (low, high) in enumerate(zip(row.edges, row.edges[1:], strict=False))
    )


def outputs(section: Section, key: str) -> Iterator[Block]:
    """Yield the predicted and the measured velocities."""
    yield Prose("Predicted and measured outputs", "heading", f"{key}-outputs")
    if section.setting.loss != "identity":
        yield say(
            """With {} loss the prediction is its own lazy limit (f~lazy~, g~lazy~ below;
            `theory.lazy_predict`, Derivation 11), from the outputs of the untrained network in hand and for
            exactly these steps.""",
            section.setting.loss,
        )
    caption = rich("""Error of the predicted velocity, root mean square over test points relative to the
        prediction’s; bars are one standard deviation over seeds.""")
    numbers = of_widths(section, f=("relative_error",), g=("relative_error",))
    yield from figure(figures.error_figure(section, key), caption, "error", numbers)
    for n in ("f", "g"):
        points = section.scatter[n]
        at = f"m = {count(points.width)}, seed {points.seed}"
        drawn = figures.scatter_figure(section, key, n)
        caption = f"Velocity of {n} at each test point, {at}."
        yield from figure(drawn, caption, f"scatter_{n}", together(lists_of(points)))


def directions(section: Section, key: str) -> Iterator[Block]:
    """Yield where gradients and perturbations point, beside both predicted directions."""
    yield Prose("Direction of the perturbations", "heading", f"{key}-directions")
    caption = rich("""How far the trained part of the input gradient is from the two predicted directions.
        Dashed: 1 − cos(u, ∇f~b~), the wide limit for u.""")
    numbers = of_widths(section, cosines=("trained_paper", "trained_gradient", "between"))
    yield from figure(figures.cosine_figure(section, key), caption, "cosine", numbers)
    columns = {
        "cosine at m": lambda row: count(row.width),
        "trained part of the gradient with u": lambda row: spread(row.cosines.trained_paper),
        rich("with ∇f~b~"): lambda row: spread(row.cosines.trained_gradient),
        rich("u with ∇f~b~"): lambda row: spread(row.cosines.between),
        "perturbation as used with u": lambda row: spread(row.cosines.perturbation_paper),
        rich("as used with ∇f~b~"): lambda row: spread(row.cosines.perturbation_gradient),
        rich("as used with ∇f(·; 0) + T ∇f~b~"): lambda row: spread(row.cosines.perturbation_given_initial),
    }
    by_width = records({"width": row.width, "cosines": row.cosines} for row in section.by_width)
    yield table(section.by_width, columns, name="cosines", numbers=by_width)
    yield note(f"""The perturbation as used contains the gradient of the initial network, which neither u nor
        ∇f~b~ knows of and which fades as T grows. Gradients that were exactly zero:
        {sum(run.zero_gradients for run in section.runs)}.""")
    shown = section.images
    if shown is not None:
        caption = rich(
            """Training images, t r/ε (the perturbation towards class {}), and the two predicted directions, m
            = {}, seed {}. Blue is positive, orange negative; each picture has a scale of its own. Below:
            cosine with the perturbation.""",
            *(section.classes[1], count(shown.width), str(shown.seed)),
        )
        pixels = {  # row by row of the picture
            f"{name} {place}": values
            for name, pictured in shown.pictures.items()
            for place, values in enumerate(pictured, start=1)
        }
        yield from figure(pictures.images_figure(section, key), caption, "images", together(pixels))
