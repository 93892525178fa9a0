"""How fast the outputs of wide networks tend to those that are predicted."""

from reports.claim_text import by_seed, interval, listed, numbers_of, spread
from reports.claims.laziness import FLOOR, LAZY_FREE_SHARE, falls, lazy_widths, over_a_decade
from reports.judging import CONFIDENCE, SEEDS, unmeasured
from reports.results import Section
from reports.verdicts import FALSE_ALARM, Claim, verdict


def rate(section: Section, network: str) -> Claim:
    """Judge how fast the velocity of a network tends to its limit, by the lazy widths."""
    widths = lazy_widths(section, network)
    loss = section.setting.loss
    met = None if widths is None else over_a_decade(widths)
    slope, judged = None, unmeasured()
    if widths and met:
        errors = [[run[network].error for run in runs] for runs in by_seed(section, widths)]
        slope, judged = falls(widths, errors)
    relative = section.by_width[-1][network].relative_error
    symbol, predicted = (r"f(z; T_f)", r"f_b(z)") if network == "f" else (r"g(z; T_g)", r"g_b(z)")
    time = "T_f" if network == "f" else "T_g"
    limit = f"{network}_b"
    if loss != "identity":
        limit = f"that of the lazy limit of {loss} loss"
        predicted = rf"\frac{{1}}{{N {time}}} \sum_n \beta_n y_n \Theta(x_n, z)"
    return Claim(
        key=f"rate-{network}",
        evidence="outputs",
        section=section.name,
        statement=(
            f"The velocity of {network} tends to {limit}, with an error that falls at least like 1/√m"
        ),
        formula=rf"\frac{{{symbol} - {network}(z; 0)}}{{{time}}} = {predicted} + O(m^{{-1/2}})",
        source="derived here",
        hypothesis=(
            f"{loss} loss; three lazy widths (expected free share ≤ {LAZY_FREE_SHARE}) over a decade: "
            f"{listed(widths)}"
        ),
        met=met,
        predicted="slope −1/2 or steeper, no part that stays",
        measured=(
            f"slope {interval(slope)}; relative error {spread(relative)} at m = {section.widths[-1]:,}"
        ),
        samples=f"{len(section.seeds)} seeds",
        rule=f"c + A/√m is fitted to the mean errors; t interval, by the jackknife, of the part of c in the "
        f"error at the largest width, over {SEEDS}; holds below {FLOOR:g} ({CONFIDENCE}), fails above (false "
        f"alarm {FALSE_ALARM:g})",
        verdict=verdict(met, judged.holds),
        decision=judged.decision,
        numbers=numbers_of(slope),
    )
