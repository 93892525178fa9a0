"""What is proved: certificates, the published form beside ours, and certificates by simulated neurons."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from msgspec.structs import asdict as fields_of

from empirics.measure.certified import Certified
from empirics.record import Number
from reports import figures, figures_bounds
from reports.claim_text import spread
from reports.inline import Content, rich
from reports.numbers import records, together
from reports.page import Block, Prose, Table, figure, note, say, table
from reports.results import Section, Simulated
from reports.text import count, number

_KINDS = ("descent", "flow")
_PREDICTORS = {
    "published": "T f̂, T ĝ (published)",
    "derived": "T f_b, T g_b (lazy limit)",
    "simulated": "E f, E g (simulated)",
}
_CERTIFIED = {
    "simulation": ("by simulation", "initialisation and simulation"),
    "descent": ("lazy bounds, descent", "initialisation alone"),
    "flow": ("lazy bounds, flow", "initialisation alone"),
}
_COUNTED = {"f": "sgn f", "both": "agreement, before f is trained", "g": "agreement, f in hand"}


def certificates(section: Section, key: str) -> Iterator[Block]:
    """Yield the shares and widths that are certified before a network is initialised."""
    proof, shown = section.certificates, section.scatter.f
    required, wanted = proof.required, proof.shares_wanted
    yield Prose("Certificates", "heading", f"{key}-certificates")
    yield say(f"""Before a network is initialised, sgn f(z; T) is proved where |f~b~(z)| exceeds a bound that
        fails with probability at most δ = {number(proof.delta)}; agreement, where both signs are.
        “Descent” holds for any step sizes and momentum, “flow” for gradient flow only. Elsewhere the answer
        is “unknown”, not “different”.""")
    caption = rich(f"""Certified share of the test points; the perturbations are those of seed
        {shown.seed}, m = {count(shown.width)}. Dotted: the published width with constant 1, which
        proves nothing.""")
    numbers = together({"width": proof.widths} | _flat(proof.shares))
    yield from figure(figures_bounds.certified_figure(section, key), caption, "certified", numbers)
    caption = rich("""What the flow bound for f consists of, median over test points, stacked. Where the stack
        is well below the dashed line most signs are proved.""")
    numbers = together({"width": proof.widths, **proof.terms})
    yield from figure(figures_bounds.terms_figure(section, key), caption, "terms", numbers)
    said = {"f": "the sign of f at {} % of the test points", "both": "agreement at {} %"}
    rows = [
        (words.format(number(100 * share)), *(count(required[network][kind][place]) for kind in _KINDS))
        for place, share in enumerate(wanted)
        for network, words in said.items()
    ]
    columns = ("width that certifies", "gradient descent", "gradient flow")
    numbers = together({"share of the points": wanted} | _flat(required))
    yield Table(columns, tuple(rows), name="required", numbers=numbers)
    if any(None in required[network][kind] for network in said for kind in _KINDS):
        yield note("""“—”: no width up to 10^15^ will do, since the initial network, which no width makes
            small, outweighs too many predictions at these times.""")
    yield from _beside(section)


def _flat(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{name}.{kind}": values for name, kinds in groups.items() for kind, values in kinds.items()}


def _beside(section: Section) -> Iterator[Block]:
    beside, proof = section.beside, section.certificates
    widths, wanted, kinds = beside.widths, proof.shares_wanted, (*_KINDS, "limit")
    yield Prose("Published form beside ours", "heading")
    yield say(f"""The published Õ hides constants and logarithms; here its constant is 1, without a logarithm:
        an order of growth, which proves no sign. Ours has every constant, δ = {number(proof.delta)} for
        both networks together. Thresholds on |f̂(z)| and |ĝ(z)|; ours, which are on |f~b~| and |g~b~|, are
        put on that scale point by point; medians over the test points, and in brackets the factor ours /
        published: above 1 ours asks for more, below 1 for less.""")
    rows: list[tuple[Content, ...]] = []
    for name, label in (("f", "(a) |f̂(z)|"), ("g", "(b) |ĝ(z)|")):
        row = beside.networks[name]
        ours = (_times(number, row.ours[kind], row.factors[kind]) for kind in kinds)
        rows.append((label, number(row.size), number(row.published), *ours))
        proved = (percent(row.proved[kind]) for kind in kinds)
        rows.append(("points above it", "", percent(row.met), *proved))
    here = f"m = {count(beside.width)}"
    columns = ("threshold", "median size", "published", f"ours, descent, {here}", f"ours, flow, {here}")
    numbers = records({"network": n} | fields_of(beside.networks[n]) for n in ("f", "g"))
    yield Table((*columns, rich("ours, m = 10^15^")), tuple(rows), name="thresholds", numbers=numbers)
    rows = []
    for place, share in enumerate(wanted):
        ours = (_times(count, widths.ours[kind][place], widths.factors[kind][place]) for kind in _KINDS)
        rows.append((f"agreement at {percent(share)} of the points", count(widths.published), *ours))
    of_data = _flat({"ours": widths.ours, "ours / published": widths.factors})
    published: dict[str, Any] = {"share of the points": wanted, "published": [widths.published] * len(wanted)}
    headings = ("width", rich("published $d^2 (T_f + T_g)^2$"), "ours, descent", "ours, flow")
    yield Table(headings, tuple(rows), name="required-beside", numbers=together({**published, **of_data}))
    yield note("""With an O(1) error of the predicted velocity, which a direct proof needs, the published
        width is too small for every constant on some data (Derivation 12; `perturblearn falsify published`).
        That is about the error; signs may agree all the same.""")


def _times(show: Callable[[float | None], str], value: float | None, factor: float | None) -> str:
    return show(value) + ("" if factor is None else f" (× {number(factor)})")


def percent(share: float | None) -> str:
    """Return a share in percent."""
    return f"{number(None if share is None else 100 * share)} %"


def simulated(section: Section, key: str) -> Iterator[Block]:
    """Yield what independent neurons, simulated, predict and certify far from the lazy regime."""
    far = section.simulated
    yield Prose("Far from lazy: neurons simulated", "heading", f"{key}-simulated")
    if far is None:
        yield say("Not simulated: with {} loss neurons are not independent.", section.setting.loss)
        return
    neurons, width, signs, errors = (
        count(far.num_neurons),
        count(far.width),
        far.sign_match,
        far.error,
    )
    yield say(f"""With the identity loss the neurons of a network are independent at every time and width, so
        {neurons} of them, trained in the same steps, show the law of f(z; T) where the lazy predictions do
        not hold. At m = {width}, {len(far.seeds)} seeds with data and perturbations of their own,
        {far.num_points} test points each. E f(z; T) predicts the trained part, f(z; T) − f(z; 0), as E
        f(z; 0) = 0.""")
    numbers = records(
        {"network": network, "quantity": group, "predictor": name} | fields_of(row)
        for group, found in (("sign_match", signs), ("error", errors))
        for network in ("f", "g")
        for name, row in found[network].items()
    )
    columns = {
        "predictor": lambda name: _PREDICTORS[name],
        "sgn f(z; T) as predicted": lambda name: spread(signs.f[name]),
        "error of the trained part of f": lambda name: spread(errors.f[name]),
        "sgn g(z; T) as predicted": lambda name: spread(signs.g[name]),
        "error of the trained part of g": lambda name: (
            "other scale" if name == "published" else spread(errors.g[name])
        ),
    }
    yield table(list(_PREDICTORS), columns, name="predictors", numbers=numbers)
    yield note(f"""Errors are root mean squares over the points, relative to the trained part. Part of the
        error of E f and E g is sampling: with {neurons} neurons a relative standard error of
        {spread(errors.f["sampling"])} and {spread(errors.g["sampling"])}. ĝ is meant for its sign; its
        scale is not that of g.""")
    caption = rich(f"""Three predictions of the trained part beside the networks at m = {width}: root mean
        square error over the points, relative to the trained part; bars are one standard deviation over
        seeds. The published one for g has another scale and is left out.""")
    yield from figure(figures.predictors_figure(section, key), caption, "predictors", numbers)
    yield from _certified(far, section.certificates.required)


def _counted(totals: Mapping[str, Certified], name: str, kind: str) -> str:
    return count(getattr(totals[kind], name))


def _certified(far: Simulated, required: Mapping[str, Mapping[str, list[Number]]]) -> Iterator[Block]:
    totals, failure, scan = far.totals, far.failure, far.scan
    first = f"certified at m = {count(far.width)}, of {count(totals['simulation'].points)} points"
    columns: dict[Content, Callable[[str], Content]] = {
        first: lambda kind: _CERTIFIED[kind][0],
        **{said: partial(_counted, totals, name) for name, said in _COUNTED.items()},
        "wrong": lambda kind: ", ".join(_counted(totals, f"{name}_wrong", kind) for name in _COUNTED),
        "what is random": lambda kind: _CERTIFIED[kind][1],
    }
    numbers = records({"certificate": kind} | fields_of(row) for kind, row in totals.items())
    yield table(list(_CERTIFIED), columns, name="simulated", numbers=numbers)
    yield note(f"""Each with P(certified and wrong) ≤ δ = {number(far.delta)} at a point, δ/2 for each
        network, over what is random. By simulation one may also say it in two steps: the simulation of a
        network misleads at a point with probability at most {number(far.misled)}; if it does not, the sign
        that it certifies is wrong, over the initialisation alone, with probability at most
        {number(failure.f)} for f and {number(failure.g)} for g (the largest over points and seeds).
        Rounding of the training is not covered.""")
    if scan:
        first = f"certified share by simulation, n = {count(far.num_neurons)}"
        headings = (first, *(f"m = {count(row.width)}" for row in scan))
        rows = [(said, *(percent(getattr(row, name)) for row in scan)) for name, said in _COUNTED.items()]
        yield Table(headings, tuple(rows), name="simulated-widths", numbers=records(scan))
        half = {name: [count(required[name][kind][0]) for kind in _KINDS] for name in ("f", "both")}
        yield note(f"""Data and perturbations of seed {far.seeds[0]}. Lazy bounds need the widths above:
            for half of the points {half["f"][0]} (descent) or {half["f"][1]} (flow) for f, {half["both"][0]}
            or {half["both"][1]} for agreement. A width much above n is out of reach of a simulation.""")
