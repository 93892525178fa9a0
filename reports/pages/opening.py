"""The opening of a report: verdicts at a glance, setting and provenance, and the kernel Φ."""

from collections.abc import Iterator, Sequence

from reports import figures
from reports.claim_text import spread
from reports.inline import Content, Part, lines, link, rich
from reports.numbers import picked, records, together
from reports.page import Block, List, Prose, Table, figure, met_of, numbers_of_claims, say, table
from reports.phi_check import PhiCheck
from reports.results import Results, Section
from reports.text import count, number
from reports.verdicts import Claim

_PLURALS = {"holds": "hold", "fails": "fail"}
_MEANINGS = """**holds**: a violation of the size that its rule states was excluded at 95 %. **fails**: the
    claim itself was excluded, with a false alarm of 0.001. **hypothesis not met**: the theory says nothing
    here. **unknown**: these runs cannot tell; the row says what would be enough. Spreads are one standard
    deviation over seeds; brackets are 95 % intervals of a mean over seeds. “Published” and “derived here” say
    where a claim comes from."""


def verdicts(results: Results, claims: Sequence[Claim]) -> Iterator[Block]:
    """Yield one sentence for each data set, the tally, and all claims side by side."""
    sections = results.sections
    by_place = {(claim.section, claim.key): claim for claim in claims}
    for section in sections:
        own = [by_place[section.name, key] for key in ("agreement", "theorem-published")]
        yield Prose(_short(section, *own), "short")
    groups = [("Φ", "phi", None), *((s.name, f"s{n}", s.name) for n, s in enumerate(sections, start=1))]
    tally = tuple((link(label, f"#{key}"), ": ", *_tally(claims, name)) for label, key, name in groups)
    yield List(tally, "tally")
    yield Prose(rich(_MEANINGS), summary="What the verdicts mean")
    rows: list[tuple[Content, ...]] = [
        (c.statement, _cell(c, c.measured, anchors="")) for c in claims if c.section is None
    ]
    for first in claims:
        if first.section == sections[0].name:
            cells = [
                _cell(c, f"predicted {c.predicted}", f"measured {c.measured}", anchors=f"s{n}-")
                for n, c in enumerate((by_place[s.name, first.key] for s in sections), start=1)
            ]
            rows.append(((first.statement, " ", Part("source", first.source)), *cells))
    names = ("Claim and source", *(section.name for section in sections))
    yield Table(names, tuple(rows), name="glance", numbers=numbers_of_claims(claims))
    columns = {
        "over": lambda trend: trend.over,
        "what the published conditions say, constant 1": lambda trend: trend.says,
        "shown by": lambda trend: Part("code", trend.command),
    }
    summary = "Trends over what this report holds fixed, and the commands that vary it"
    yield table(results.trends, columns, name="trends", summary=summary)


def _short(section: Section, predicted: Claim, theorem: Claim) -> Content:
    """Say in one sentence whether f and g agreed, whether it was predicted, what the theorem says."""
    said = {
        None: "cannot be judged here.",
        True: f"predicts agreement where its conditions hold: {theorem.measured}.",
        False: "says nothing here, as its conditions are not met.",
    }
    measured, widest = spread(section.by_width[-1].agreement.measured), count(section.widths[-1])
    return rich(
        f"""**{{}}**: *f* and *g* agree at **{measured}** of the test points at m = {widest}. Before any
        training {{}} was predicted. The published theorem, with its hidden constants set to 1, {{}}""",
        *(section.name, predicted.predicted, said[theorem.met]),
    )


def _tally(claims: Sequence[Claim], section: str | None) -> Iterator[Content]:
    own = [claim.verdict for claim in claims if claim.section == section]
    for verdict in ("holds", "fails", "hypothesis not met", "unknown"):
        found = own.count(verdict)
        if found:
            yield Part(
                "tallied", f"{found} {_PLURALS.get(verdict, verdict) if found > 1 else verdict}", verdict
            )
            yield " "


def _cell(claim: Claim, *said: str, anchors: str) -> Content:
    leads = (
        link("rule", f"#{anchors}claim-{claim.key}"),
        ", ",
        link("evidence", f"#{anchors}{claim.evidence}"),
    )
    how = (f"hypothesis {met_of(claim)}; ", *leads)
    return Part("badge", str(claim.verdict)), " ", lines(*said, claim.samples, claim.decision, how)


def setting(results: Results) -> Iterator[Block]:
    """Yield what was trained on what, and by which program."""
    sections, origin = results.sections, results.provenance
    yield say(r"""$f(x) = \sum_{i=1}^{m} a_i \, \varphi(\langle w_i, x \rangle + b_i)$ with $\varphi(s) =
        \max(s, \gamma s)$, initialised with $w_i \sim N(0, I/d)$, $b_i \sim N(0, 1)$, $a_i \sim N(0, 1/m)$;
        *w* and *b* are trained, *a* is frozen. Perturbations are $r_n = \varepsilon \, t_n \nabla f(x_n) /
        \|\nabla f(x_n)\|$ with target labels *t~n~*; *g* starts from an independent initialisation and sees
        *r~n~* alone in scenario (a), *x~n~ + r~n~* in scenario (b).""")
    said = {
        "classes −1, +1": lambda s: f"{s.classes[0]}, {s.classes[1]}",
        "features": lambda s: s.preparation,
        "d, N, test points": lambda s: f"{s.setting.dim}, {s.setting.N}, {s.num_test}",
        "slope γ, loss": lambda s: f"{number(s.setting.negative_slope)}, {s.setting.loss}",
        "scenario, ε": lambda s: f"({s.setting.scenario}), {number(s.setting.epsilon, 4)}",
        "targets": lambda s: s.config.targets,
        rich("flow times T~f~, T~g~"): lambda s: ", ".join(
            number(T, 4) for T in (s.setting.T_f, s.setting.T_g)
        ),
        "descent steps, momentum": lambda s: f"{s.config.num_steps}, {number(s.config.momentum)}",
        "precision of networks": lambda s: s.config.precision,
        "widths m": lambda s: ", ".join(map(count, s.widths)),
        "seeds": lambda s: (
            f"{s.seeds[0]}–{s.seeds[-1]} ({len(s.seeds)}): data or split, both initialisations, "
            "targets; at different widths the same data"
        ),
    }
    rows = tuple((name, *map(show, sections)) for name, show in said.items())
    numbers = records(picked(s, "name", "setting", "config") for s in sections)
    yield Table(("Data", *(section.name for section in sections)), rows, name="setting", numbers=numbers)
    machine = origin.machine
    facts: dict[str, Content] = {
        "command": Part("code", origin.command),
        "revision": origin.revision or "not in a checkout",
        "versions": ", ".join(f"{name} {version}" for name, version in origin.versions.items() if version),
        "machine": f"{machine.system}, {machine.threads} threads, {machine.device}; "
        f"{count(origin.seconds)} s",
        "numbers": rich("`results.json` beside this page, schema version {}", str(results.schema_version)),
    }
    yield Table((), tuple(facts.items()), keys=("command", *("",) * (len(facts) - 1)))


def kernel(phi: PhiCheck, claims: Sequence[Claim]) -> Iterator[Block]:
    """Yield the definition of Φ, its claims, its derivation, and what it was checked against."""
    yield say(r"""$\Phi(x, z) = E[\varphi'(\langle v, x \rangle + a) \, \varphi'(\langle v, z \rangle + a)]$
        with $v \sim N(0, I/d)$, $a \sim N(0, 1)$: every prediction on this page is a sum over training
        samples weighted by Φ.""")
    yield from (claim for claim in claims if claim.section is None)
    for route, steps in phi.routes.items():
        checked = {True: Part("check", "✓ checked"), False: Part("check", "✗ does not hold")}
        items = [(s.statement, " ", checked[s.holds], Part("display", s.latex)) for s in steps]
        summary = f"Derivation, route “{route}”: {len(steps)} steps carried out by computer algebra"
        yield List(tuple(items), "steps", summary)
    yield Prose("Checked against its definition", "heading", "phi-evidence")
    drawn = [
        {"kind": "closed form", "negative_slope": curve.negative_slope, "rho": rho, "value": value}
        for curve in phi.curves
        for rho, value in zip(curve.rho, curve.closed_form, strict=True)
    ]
    drawn += [
        {"kind": "quadrature"} | picked(row, "negative_slope", "rho") | {"value": row.quadrature}
        for row in phi.quadrature
    ]
    caption = rich(f"""Φ against the correlation of the two pre-activations. Circles: adaptive quadrature of
        the definition; largest difference {number(phi.largest_difference)}.""")
    yield from figure(figures.phi_figure(phi), caption, "phi", records(drawn))
    sampled = phi.monte_carlo
    caption = rich(f"""Monte Carlo ({count(sampled.num_draws)} draws, γ = {sampled.negative_slope})
        minus closed form; bars are one standard error. All pairs share their draws.""")
    pairs = together(picked(sampled, "exact", "mean", "standard_error"))
    yield from figure(figures.monte_carlo_figure(phi), caption, "monte-carlo", pairs)
