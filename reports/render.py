"""The page of a report, made from results alone."""

import re

from reports import glossary, results, text
from reports.claims import phi, shown, theorem, with_details
from reports.inline import rich
from reports.page import Group, Page, Section, fold
from reports.pages import hypotheses, opening, setting
from theory.validation import check_kind

_TITLE = "Learning from adversarial perturbations: theory against experiment"
_LEAD = rich("""A network *f* is trained on clean data, a second one, *g*, on adversarial perturbations of *f*
    with labels of their own. The theory of wide two-layer (leaky-)ReLU networks says when their signs
    agree.""")
_FOOTER = rich(
    """Theory: S. Kumano, H. Kera, T. Yamasaki, *Wide two-layer networks can learn from adversarial
    perturbations*, NeurIPS 2024 ({}). “Derived here”: `theory/derivations` of perturblearn.""",
    glossary.WIDE,
)


def render(found: results.Results) -> str:
    """Return the HTML page of a report.

    Parameters
    ----------
    found : Results

    Returns
    -------
    str
        Works offline: no script, font, image or style from elsewhere.  The same results give the same
        text; nothing is computed here beyond formatting.

    Examples
    --------
    >>> from empirics import ExperimentConfig, ShiftedGaussianData
    >>> from reports import Series, build, render
    >>> data = ShiftedGaussianData(dim=3, num_train=8, num_test=6)
    >>> made = Series(base=ExperimentConfig(data=data, width=1), widths=(16, 64, 256), seeds=(0, 1))
    >>> "</html>" in render(build(made).results)
    True
    """
    check_kind("found", found, results.Results, "the results of a report, such as Report.read(path).results")
    return page(found).html()


def page(found: results.Results) -> Page:
    """Return the page of a report as blocks, from its results."""
    found = text.legible(found)
    of_phi = (claim for claim in found.claims if claim.section is None)
    of_kernel = (
        Group("In closed form", (*of_phi, fold("Derivations", *phi.derived(found.phi)))),
        Group("Against its definition", tuple(with_details(phi.shown(found.phi))), phi.EVIDENCE),
    )
    sections = [
        Section("", tuple(opening.verdicts(found)), "verdicts"),
        Section(phi.TITLE, of_kernel, "phi"),
    ]
    for place, section in enumerate(found.sections, start=1):
        key = f"s{place}"
        blocks = (
            *shown(section, found.claims, key),
            hypotheses.feasible(section, key),
            hypotheses.prior(section, key),
            *setting.means(section),
        )
        file = re.sub(r"[^a-z0-9]+", "-", section.name.lower()).strip("-") or key  # of files to save
        sections.append(Section(section.name, blocks, key, anchors=f"{key}-", file=file))
    sections.append(
        Section(
            "Setting and provenance",
            (*setting.setting(found), theorem.varied(found.trends), *setting.provenance(found)),
            "setting",
        )
    )
    made = Page(_TITLE, _LEAD, tuple(sections), note=partial_note(found), footer=_FOOTER)
    return glossary.with_symbols(made)


def partial_note(found: results.Results) -> str:
    """Return what a report that was interrupted says of itself; empty for a whole one."""
    partial = found.partial
    if partial is None:
        return ""
    parts = [
        f"{item.name}: widths {_listed(item.widths)} of {_listed(item.planned_widths)}, "
        f"{len(item.seeds)} of {len(item.planned_seeds)} seeds"
        for item in partial.sections
    ]
    parts += [f"{name}: nothing" for name in partial.missing]
    return (
        f"Partial report: interrupted after {partial.done} of {partial.planned} runs. In it are "
        + "; ".join(parts)
        + ". Every claim is judged on these alone, as in a report that asked for no more."
    )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(text.count, numbers))
