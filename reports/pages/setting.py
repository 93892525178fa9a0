"""What a report was made of and by: data, setting, provenance, and the numbers of every run."""

from collections.abc import Iterator

from reports.claim_text import spread
from reports.inline import Content, Part, rich
from reports.numbers import picked, records
from reports.page import Block, Table, fold, say
from reports.results import Results, Section
from reports.text import count, number

_MEANS = {
    "accuracy, train": "accuracy_train",
    "accuracy, test": "accuracy_test",
    "mean τ": "mean_tau",
    "free, law": "free_predicted",
    "free": "free_measured",
    "flipped": "flipped",
    "relative error": "relative_error",
    "sgn as predicted": "sign_match",
}


def setting(results: Results) -> Iterator[Block]:
    """Yield what was trained on what."""
    sections = results.sections
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
    columns = ("Data", *(section.name for section in sections))
    yield fold("Data, networks and training", Table(columns, rows, name="setting", numbers=numbers))


def provenance(results: Results) -> Iterator[Block]:
    """Yield by which program a report was made, and where."""
    origin = results.provenance
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


def means(section: Section) -> Iterator[Block]:
    """Yield all means and spreads by width, and every run."""
    rows = [
        (
            *(count(row.width), network, *(spread(getattr(row[network], name)) for name in _MEANS.values())),
            *(
                spread(getattr(row.agreement, name)) if network == "g" else ""
                for name in ("measured", "predicted")
            ),
        )
        for row in section.by_width
        for network in ("f", "g")
    ]
    columns = ("m", "network", *_MEANS, "agreement", "predicted")
    numbers = records(section.by_width)
    by_width = Table(columns, tuple(rows), name="by-width", numbers=numbers)
    yield fold("All means and spreads by width", by_width)
    told = ("width", "seed", "f", "g", "cosines", "agreement")
    runs = records(picked(run, *told) for run in section.runs)
    yield fold("Numbers of every run", Table((), (), name="runs", numbers=runs))
