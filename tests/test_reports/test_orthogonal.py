"""Pages of nearly orthogonal samples: what is counted, what a verdict rests on, and that each can fail."""

import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure
from msgspec import structs

from empirics.campaigns import Reading
from empirics.campaigns.orthogonal import Part
from empirics.orthogonal import OrthogonalConfig, run_orthogonal
from reports import svg
from reports.claims.orthogonal import examined as examined_in_hand, published
from reports.claims.orthogonal.rows import OrthogonalRow, Run
from reports.claims.orthogonal.signs import networks, trained
from reports.orthogonal.build import build
from reports.orthogonal.page import page_of
from reports.runs import Provenance, rows_of
from reports.shown import ranged
from reports.statistics import Spread
from reports.text import many
from tests.test_reports.made_up_orthogonal import examined

SMALL = Part(kind="published", name="L2", sweeps=("N_adv",), scale=100, seeds=10)
ORTHOGONALITY = Part(
    kind="study",
    name="orthogonality",
    seeds=9,
    options={"dim": 50, "ratios": [0.04, 0.2, 1.0], "slopes": [0.1, 0.5]},
)
TURNING = Part(kind="study", name="turning", seeds=10, options={"dim": 30, "counts": [2, 10, 40]})

PARTS = pytest.mark.parametrize(
    "part", [SMALL, ORTHOGONALITY, TURNING], ids=["published", "orthogonality", "turning"]
)


def _row(part, config, **changes):
    """Return a made-up result: a converged network with the limit's signs, half of the samples right."""
    row = {"hash": part.hash_of(config), **config.to_json(), "status": "done"}
    for name in ("f", "g"):
        row |= {f"converged_{name}": True, f"signs_{name}": 0.999, f"multipliers_{name}": "holds"}
        row |= {f"orthogonal_{name}": "fails", f"orthogonal_rows_{name}": "holds", f"points_{name}": 1000}
    right = (config.num_train + (config.seed % 2) * (config.num_train % 2)) // 2
    row |= {"accuracy_g": right / config.num_train, "accuracy_f": 1.0, "attack_cosine": 0.995}
    row |= {"accuracy_mean_g": row["accuracy_g"], "accuracy_limit_g": row["accuracy_g"]}
    row |= {"attack_least": 0.994, "kink_bound": 0.993, "attack_bound": 0.99}
    row |= {"turning": 0.5, "turning_limit": 0.5, "cosine_f": 1.0, "agreement": 0.5}
    row |= changes
    for name in ("f", "g"):  # no exception is within the tolerance of training
        share = row[f"signs_{name}"]
        row.setdefault(f"firm_{name}", 0 if share is None else round((1 - share) * row[f"points_{name}"]))
    return row


def _built(part, change=lambda point, config: {}):
    rows = [_row(part, c, **change(p, c)) for p in part.points() for c in p.configs]
    versions = {"record": 1}, {"record": 1, "numpy": "later"}
    return _of_rows(part, rows, provenance=Provenance(versions=versions))


def _of_rows(part, rows, **more):
    return build(part, rows_of(rows, OrthogonalRow), **more)


def _claim(results, words):
    (found,) = [claim for claim in results.claims if words in claim.statement]
    return found


def _as_published(point, config):
    """Return accuracies at the published value, one sample more or less by seed."""
    if point.series == "control":
        return {}
    step = (config.seed % 3 - 1) / config.num_train
    return {
        "accuracy_g": min(1.0, round(SMALL.reading(point).value * config.num_train) / config.num_train + step)
    }


def test_published_values_are_beside_our_ranges_without_a_verdict():
    """Points share seeds, so that nothing of known probability can be said of how many lie within."""
    near, far = _built(SMALL, _as_published), _built(SMALL)  # far: half of the samples right everywhere
    within, beyond = (_claim(results, "Published accuracies of g within") for results in (near, far))
    assert within.verdict is beyond.verdict is None
    assert within.measured.startswith("8 of 8 (0 published values are above our range); one more seed: 6.55")
    assert beyond.measured.startswith("0 of 8 (8 published values are above our range)")
    assert _claim(far, "Means over our seeds").verdict == "fails"
    assert [p.metrics["accuracy_g"].inside for p in far.panels[0].points][-1] is True  # control


@pytest.mark.parametrize(("scale", "seeds", "expected"), [(20, 10, "holds"), (20, 2, "unknown")])
def test_means_hold_only_if_a_difference_would_have_been_seen(scale, seeds, expected):
    part = structs.replace(SMALL, scale=scale, seeds=seeds)
    found = _claim(_built(part, _as_published), "Means over our seeds")
    assert found.verdict == expected
    assert found.measured.startswith("0 of 8 beyond")
    if expected == "unknown":
        assert found.decision == "not decided: 2 seeds; 9 are asked for"


def test_without_a_published_value_nothing_is_compared():
    results = _built(structs.replace(SMALL, name="Linf"))
    assert _claim(results, "Means over our seeds").verdict == "hypothesis not met"
    assert not [claim for claim in results.claims if "within the range" in claim.statement]


def test_a_control_that_knows_labels_fails():
    assert _claim(_built(structs.replace(SMALL, scale=20)), "Without an attack").verdict == "holds"
    # Half of 80 samples a seed are right: nothing against chance; eight seeds say nothing of outliers.
    assert _claim(_built(SMALL), "Without an attack").verdict == "holds"
    few = _claim(_built(structs.replace(SMALL, seeds=8)), "Without an attack")
    assert few.verdict == "unknown"
    assert "0.5 of 640 right over all points; 0.5 ± 0 over 8 seeds" in few.measured
    assert few.decision == "not decided: 8 seeds; 9 are asked for"
    leaking = _built(SMALL, lambda p, c: {"accuracy_g": 0.8} if p.series == "control" and p.x == 100 else {})
    # 80 of 100 right: two-sided probability 1e-9.
    assert _claim(leaking, "Without an attack").verdict == "fails"


@pytest.mark.parametrize(("share", "expected"), [(1.0, "holds"), (0.5, "unknown"), (0.0, "fails")])
def test_learning_is_judged_against_chance(share, expected):
    results = _built(SMALL, lambda p, c: {"accuracy_g": share} if p.series == "adversarial" else {})
    assert _claim(results, "g learns natural labels").verdict == expected


@pytest.mark.parametrize(("shift", "expected"), [(0.0, "holds"), (0.2, "fails")])
@pytest.mark.parametrize(
    ("column", "words"), [("mean", "linear mean map"), ("limit", "is that of the limit")]
)
def test_predictions_of_accuracy_can_fail(column, words, shift, expected):
    results = _built(SMALL, lambda p, c: {f"accuracy_{column}_g": 0.5 + shift, "accuracy_g": 0.5})
    assert _claim(results, words).verdict == expected


@pytest.mark.parametrize(
    ("seeds", "errors", "expected"),
    [
        (10, (0.0,), "holds"),
        (2, (0.0,), "unknown"),  # two seeds that agree: nothing is known of their deviation
        (10, (0.0, 0.08), "unknown"),  # mean .04, deviation .042: from −.023 to .103
        (10, (0.16, 0.2), "fails"),
        (1, (0.0,), "unknown"),
    ],
)
def test_predictions_of_accuracy_are_judged_over_seeds(seeds, errors, expected):
    results = _built(
        structs.replace(SMALL, seeds=seeds),
        lambda p, c: {"accuracy_limit_g": 0.5 + errors[c.seed % len(errors)], "accuracy_g": 0.5},
    )
    assert _claim(results, "is that of the limit").verdict == expected


def test_points_of_one_seed_are_one_error():
    # One of ten seeds is off by .2 at all of its points: no more than one error of ten is.
    def change(point, config):
        return {"accuracy_limit_g": 0.5 + 0.2 * (config.seed == 0), "accuracy_g": 0.5}

    found = _of_rows(SMALL, [_row(SMALL, c, **change(p, c)) for p in SMALL.points() for c in p.configs])
    assert "error 0.02 ± 0.06 over 10 seeds" in _claim(found, "is that of the limit").measured
    assert _claim(found, "is that of the limit").numbers["mean_error"] == pytest.approx(0.02)
    assert _claim(found, "is that of the limit").verdict == "unknown"


def _signs_claim(share, points):
    results = _built(
        ORTHOGONALITY,
        lambda p, c: {"signs_f": share if c.seed == 3 and p.x == 1 else 1.0, "points_f": points},
    )
    return _claim(results, "λ > 0 and the sign pattern, the signs")


@pytest.mark.parametrize(
    ("wrong", "points", "expected"),
    [
        (0, 10, "unknown"),  # nothing is seen of a tenth of all points
        (1, 10, "unknown"),  # 90 %, and a network with a share of .99 does so with probability .1
        (5, 10, "fails"),  # 2.4e-8
        (3, 99, "unknown"),
        (1, 100, "holds"),
        (2, 100, "fails"),
        (11, 1000, "fails"),
    ],
)
def test_few_test_points_do_not_refute(wrong, points, expected):
    found = _signs_claim(1 - wrong / points, points)
    assert found.verdict == expected
    assert ("few or within the tolerance" in found.measured) == (wrong > 0 and expected == "unknown")
    assert ("fewer than 100 such points" in found.measured) == (points < 100)


def test_exceptions_that_the_tolerance_explains_do_not_refute():
    for firm, expected in ((10, "unknown"), (11, "fails")):
        change = {"signs_f": 0.9, "points_f": 1000, "firm_f": firm}
        results = _built(ORTHOGONALITY, lambda p, c, change=change: change)
        assert _claim(results, "λ > 0 and the sign pattern, the signs").verdict == expected


def test_no_predicted_sign_is_no_evidence():
    results = _built(ORTHOGONALITY, lambda p, c: {"signs_f": None, "signs_g": None})
    assert _claim(results, "λ > 0 and the sign pattern, the signs").verdict == "unknown"


def test_networks_of_the_three_verdicts_add_up():
    words = ("holds", "fails", "unknown")
    results = _built(ORTHOGONALITY, lambda p, c: {"multipliers_f": words[c.seed % 3]})
    counts = [row.trained for row in results.networks if row.condition == "multipliers"]
    assert len(counts) == 3
    assert min(counts) > 0
    assert f" of {sum(counts)} networks; " in _claim(results, "Training was long enough").measured


def test_the_median_residual_is_the_average_of_two():
    rows = [
        _row(
            ORTHOGONALITY, config, stationarity_f=0.01 * (config.seed + 1), slackness_f=0.0, converged_g=None
        )
        for config in ORTHOGONALITY.points()[0].configs[:2]
    ]
    results = _of_rows(ORTHOGONALITY, rows)
    assert "; median residual 0.015" in _claim(results, "Training was long enough").measured


def test_the_base_of_several_sweeps_and_controls_of_epsilon_count_once():
    part = Part(kind="published", name="L2", scale=100, seeds=10)
    results = _built(part)
    # 7 + 6 + 8 + 9 points, of which the base is one in all four; without an attack ε does not act.
    assert " of 27 (" in _claim(results, "Published accuracies of g within").measured
    assert "× 19 points" in _claim(results, "Without an attack").rule
    learned = [c for c in results.claims if "g learns natural labels" in c.statement]
    assert len(learned) == 2  # at the base and at the end of the sweep over N
    (epsilon,) = [panel for panel in results.panels if panel.sweep == "eps"]
    assert epsilon.published["control"].count == 1
    assert epsilon.published["adversarial"].count == 9


@pytest.mark.parametrize(("ours", "expected"), [(1.0, "holds"), (0.8, "fails")])
def test_a_share_without_a_deviation_has_an_error_too(monkeypatch, ours, expected):
    # All seeds alike have no deviation.  200 of 200 and a published 980 of 1000: four binomial deviations of
    # the latter are less than .02, but the Wilson intervals of both meet; that of 160 of 200 is apart.
    monkeypatch.setattr(Part, "reading", lambda _, point: Reading(0.98, 0.0))
    results = _built(structs.replace(SMALL, scale=50), lambda p, c: {"accuracy_g": ours})
    assert _claim(results, "Means over our seeds").verdict == expected


def test_signs_count_each_converged_network_once():
    config = OrthogonalConfig(dim=5, num_train=2, num_adv=2, epsilon=1.0)
    configs = [replace(config, num_adv=count) for count in (2, 3)]  # one f, two g
    configs += [replace(config, g="limit"), replace(config, seed=1)]  # the same f again; another, and its g
    others = {
        "limit": {"converged_g": None},
        1: {"signs_g": 0.5, "converged_f": False, "multipliers_f": "fails"},
    }
    lines = [_row(ORTHOGONALITY, c, **others.get(c.g, others.get(c.seed, {}))) for c in configs]
    runs = [Run(*pair) for pair in zip(configs, rows_of(lines, OrthogonalRow).values(), strict=True)]
    assert len(trained(runs)) == 5
    found = {(row.condition, row.verdict): row for row in networks(runs)}
    system = found["multipliers", "holds"]
    assert (system.trained, system.converged, len(system.shares), system.agree) == (4, 4, 4, 3)
    assert (system.elsewhere, min(system.shares)) == (1, 0.5)
    assert found["multipliers", "fails"].trained == 1
    assert found["multipliers", "fails"].converged == 0
    assert found["orthogonal", "holds"].trained == 0


def test_one_network_that_ends_elsewhere_fails_the_claim():
    words = "λ > 0 and the sign pattern, the signs"
    assert _claim(_built(ORTHOGONALITY), words).verdict == "holds"
    one = _built(ORTHOGONALITY, lambda p, c: {"signs_f": 0.9 if c.seed == 3 and p.x == 1 else 0.999})
    assert _claim(one, words).verdict == "fails"
    assert "2 end elsewhere" in _claim(one, words).measured  # two slopes
    # Survivors alone do not hold: of 9 seeds one has converged networks.
    few = _built(ORTHOGONALITY, lambda p, c: dict.fromkeys(("converged_f", "converged_g"), c.seed == 0))
    found = _claim(few, words)
    assert (found.verdict, found.decision) == (
        "unknown",
        "not decided: a share of networks with wrong signs of 0.889 in 9 seeds may be chance",
    )
    less = _claim(_built(structs.replace(ORTHOGONALITY, seeds=8)), words)
    assert (less.verdict, less.decision) == (
        "unknown",
        "not decided: a share of networks with wrong signs of 0 in 8 seeds; 9 would be enough",
    )
    none = _built(ORTHOGONALITY, lambda p, c: {"converged_f": False, "converged_g": False})
    assert _claim(none, words).verdict == "unknown"
    assert _claim(none, "p_max").verdict == "hypothesis not met"


def test_one_network_that_did_not_converge_is_told_as_our_training():
    words = "Training was long enough"
    residual = {f"{m}_{name}": 0.009 for m in ("stationarity", "slackness") for name in ("f", "g")}
    assert _claim(_built(ORTHOGONALITY, lambda p, c: residual), words).verdict == "holds"

    def one(point, config):
        return residual | ({"converged_f": False} if config.seed == 3 and point.x == 1 else {})

    part = structs.replace(ORTHOGONALITY, options={**ORTHOGONALITY.options, "max_steps": 70})
    found = _claim(_built(part, one), words)
    # A short training refutes no paper.
    assert (found.verdict, found.source) == ("hypothesis not met", "our training")
    # 2 slopes, 3 sizes, 9 seeds, 2 networks.
    assert found.measured == (
        "106 of 108 networks; median residual 0.009; max_steps is 70, raise it by --set max_steps=..."
    )
    assert _claim(_built(ORTHOGONALITY), words).measured.endswith("residual —")  # unknown residuals
    assert _claim(_of_rows(ORTHOGONALITY, []), words).verdict == "unknown"


def test_the_decay_is_judged_slope_by_slope():
    words = "The prediction fails only beyond"

    def change(limit, below):
        return lambda p, c: {
            "multipliers_f": "holds" if p.x <= limit else "fails",
            "signs_f": 0.5 if p.x >= below else 1.0,
        }

    assert _claim(_built(ORTHOGONALITY, change(0.2, 1.0)), words).verdict == "holds"
    assert _claim(_built(ORTHOGONALITY, change(0.2, 0.2)), words).verdict == "fails"
    assert _claim(_built(ORTHOGONALITY, change(0.0, 0.2)), words).verdict == "hypothesis not met"


def test_what_is_not_known_of_some_runs_does_not_hold_for_all():
    def first(point, config):
        return config.seed == 0

    def change(point, config):
        return {} if first(point, config) else {"signs_f": None, "signs_g": None}

    some = _built(ORTHOGONALITY, change)
    found = _claim(some, "λ > 0 and the sign pattern, the signs")
    assert found.verdict == "unknown"
    assert "of 96 no sign is predicted" in found.measured  # 2 slopes, 3 sizes, 8 of 9 seeds, 2 networks
    everywhere = {"multipliers_f": "holds"}
    lacking = _built(ORTHOGONALITY, lambda p, c: everywhere | change(p, c))
    assert _claim(lacking, "The prediction fails only beyond").verdict == "unknown"
    whole = _built(ORTHOGONALITY, lambda p, c: everywhere)
    assert _claim(whole, "The prediction fails only beyond").verdict == "holds"

    def blind(point, config):
        return {"multipliers_f": "holds"} | (
            {} if first(point, config) else {"attack_cosine": None, "attack_least": None}
        )

    for words in ("are those of the closed form", "as near to the closed form as kinks"):
        # Of both kinds of steps the first is claimed, of the published ones not the second.
        for part in (SMALL, TURNING) if "those of" in words else (TURNING,):
            assert _claim(_built(part, lambda p, c: everywhere), words).verdict == "holds"
            assert _claim(_built(part, blind), words).verdict == "unknown"
    assert not [c for c in _built(SMALL).claims if "as near to the closed form" in c.statement]


def _turned(sign, point, config):
    return {"turning": 0.5 + sign * point.x / 200, "turning_limit": 0.5 + 0.001 * config.seed}


@pytest.mark.parametrize(("sign", "expected"), [(1, "holds"), (-1, "fails"), (0, "unknown")])
def test_turning_needs_a_trend_in_all_seeds(sign, expected):
    results = _built(TURNING, lambda p, c: _turned(sign, p, c))
    assert _claim(results, "(trained)").verdict == expected
    fewer = _built(structs.replace(TURNING, seeds=4), lambda p, c: {"turning": 0.5 + sign * p.x / 200})
    assert _claim(fewer, "(trained)").verdict == "unknown"
    few = {
        1: "a share of falling seeds of 0 in 4 seeds; 5 would be enough",
        -1: "a share of falling seeds of 1 in 4 seeds is much for 0.25, but may be chance",
        0: "a share of falling seeds of 0.5 in 4 seeds may be chance",
    }
    assert _claim(fewer, "(trained)").decision == f"not decided: {few[sign]}"
    # The limit stays near .5: up to .2 away, .087 in the mean.
    assert _claim(results, "turns as the limit").verdict == ("holds" if sign == 0 else "fails")
    one = _built(structs.replace(TURNING, seeds=1), lambda p, c: {"turning": 0.5, "turning_limit": 0.5})
    assert _claim(one, "turns as the limit").verdict == "unknown"


def test_runs_without_a_result_are_no_survivors():
    """What holds has to bear them."""

    def verdict(part, words, failed):
        rows = [
            {"hash": part.hash_of(c), **c.to_json(), "status": "failed"}
            if failed(p, c)
            else _row(part, c, turning=p.x / 100, turning_limit=p.x / 100 + 0.001 * c.seed)
            for p in part.points()
            for c in p.configs
        ]
        return _claim(_of_rows(part, rows), words).verdict

    for failed, expected in ((0, "holds"), (1, "unknown")):
        for words in ("turns as the limit", "Training was long enough"):
            found = verdict(TURNING, words, lambda p, c, failed=failed: p.x == 2 and c.seed < failed)
            assert found == expected
    for failed, expected in ((1, "holds"), (4, "unknown")):
        found = verdict(TURNING, "(trained)", lambda p, c, failed=failed: p.x == 2 and c.seed < failed)
        assert found == expected
    for words in ("are those of the closed form", "as near to the closed form as kinks", "sign pattern, the"):
        assert verdict(TURNING, words, lambda p, c: False) == "holds"
        assert verdict(TURNING, words, lambda p, c: c.seed < 4) == "unknown"
    for words in ("Means over our", "that of the linear mean map", "Without an attack", "learns natural"):
        assert verdict(SMALL, words, lambda p, c: c.seed == 0 and p.x == 10_000) == "unknown"


def test_cosines_of_perturbations_are_judged_twice():
    found = _built(TURNING, lambda p, c: {"attack_cosine": 0.8})
    assert _claim(found, "are those of the closed form").verdict == "fails"
    assert _claim(found, "as near to the closed form as kinks").verdict == "holds"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"attack_least": 0.991}, "holds"),  # below cos θ, above what the distance of f allows
        ({"attack_least": 0.989}, "fails"),
        ({"attack_least": 0.989, "attack_bound": None}, "unknown"),
        ({"attack_least": 0.994, "attack_bound": None}, "holds"),
        ({"kink_bound": None}, "unknown"),
        ({"signs_f": 0.5}, "holds"),  # the derived condition holds
        ({"signs_f": 0.5, "orthogonal_rows_f": "fails"}, "hypothesis not met"),
        ({"multipliers_f": "fails"}, "hypothesis not met"),
    ],
)
def test_kinks_are_judged_by_the_bound_of_each_run(change, expected):
    found = _claim(_built(TURNING, lambda p, c: change), "as near to the closed form as kinks")
    assert found.verdict == expected


@PARTS
def test_without_any_result_all_is_unknown_and_drawn_all_the_same(part):
    results = _of_rows(part, [])
    assert {claim.verdict for claim in results.claims} <= {"unknown", "hypothesis not met"}
    assert results.totals.missing == results.totals.configurations
    _page(results)


class _Reader(HTMLParser):
    """Collects tags, and what would be fetched."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links, self.alts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        if found.get("class") != "csv":
            self.links += [found[name] for name in ("href", "src", "xlink:href") if name in found]
        self.alts += [found.get("aria-label")] if tag == "svg" else []


def _page(results):
    page = page_of(results).html()
    reader = _Reader()
    reader.feed(page)
    return page, reader


@PARTS
def test_the_page_is_whole_and_fetches_nothing(part):
    results = _built(part, _as_published if part is SMALL else lambda p, c: {})
    page, reader = _page(results)
    assert reader.tags.count("h1") == 1
    assert not {"script", "link", "img", "iframe"} & set(reader.tags)
    papers = [link for link in reader.links if link.startswith("https://arxiv.org/abs/")]
    inner = [link for link in reader.links if link not in papers]
    assert len(set(papers)) == 2
    assert all(link.startswith("#") for link in inner)
    assert "url(http" not in page
    assert len(set(reader.ids)) == len(reader.ids)
    assert {link[1:] for link in inner} <= set(reader.ids)
    assert reader.tags.count("svg") == 1
    assert all(alt and len(alt) > 20 for alt in reader.alts)
    assert reader.tags.count("figcaption") == reader.tags.count("figure") == 1
    for decision in {claim.decision for claim in results.claims}:
        assert decision.split("<")[0].split(">")[0] in page
    for verdict in {claim.verdict for claim in results.claims}:
        badge = f'class="badge {verdict.replace(" ", "-")}"' if verdict else 'class="card stated"'
        assert badge in page
    assert "nan" not in page.lower().split()


def test_markup_in_a_name_stays_text():
    results = structs.replace(_of_rows(ORTHOGONALITY, []), title="<b>name</b>")
    assert "<b>name" not in _page(results)[0]


def test_the_published_size_and_the_logistic_loss_are_accepted():
    full = Part(kind="published", name="Linf", scale=1, seeds=2)
    # 7 + 6 + 10 + 6 points with 2 seeds, the base in all four sweeps once; the controls do not know of ε.
    assert len(full.configs()) == 2 * (26 + 21)
    assert max(config.dim for config in full.configs()) == 10_000
    logistic = Part(kind="published", name="L2", sweeps=("N_adv",), scale=500, options={"loss": "logistic"})
    record = run_orthogonal(logistic.configs()[0]).record
    assert math.isfinite(record["stationarity_g"])
    assert "logistic" in logistic.title


# Data in hand ----------------------------------------------------------------------------------------------

DATA = Part(
    kind="data",
    name="own",
    seeds=2,
    sizes={"dim": 8, "num_train": 2, "num_test": 10},
    options={"epsilon": 1.0},
)


def _found(kept, condition="holds", perturbed="holds", **multipliers):
    return examined(DATA.configs()[0], kept, (condition, condition, perturbed, perturbed), **multipliers)


def _data_claims(found):
    return _of_rows(DATA, [], examination=found).claims


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([(10, 0, 0), (10, 0, 0)], "holds"),
        ([(10, 0, 0), (9, 1, 0)], "fails"),
        ([(10, 0, 0), (9, 0, 1)], "unknown"),
        ([(9, 1, 0), (0, 0, 10)], "fails"),
    ],
)
def test_kept_signs_hold_only_if_all_are_proved(kept, expected):
    (found,) = [c for c in _data_claims(_found(kept)) if "limit boundary of the set perturbed" in c.statement]
    assert found.verdict == expected
    assert "3" in found.measured


def test_every_kkt_point_is_named_only_where_both_derived_conditions_hold():
    for condition in ("holds", "fails", "unknown"):
        for perturbed in ("holds", "fails", "unknown"):
            made = _data_claims(_found([(10, 0, 0)], condition, perturbed))
            (found,) = [c for c in made if "limit boundary of the set perturbed" in c.statement]
            assert ("every KKT point" in found.statement) == (condition == perturbed == "holds")
            verdicts = [c.verdict for c in made if "condition)" in c.statement or "meet the" in c.statement]
            assert verdicts == [condition] * 2 + [perturbed] * 2


def test_unproved_multipliers_leave_the_reason_alone():
    unknown = {"num_not_positive": None, "num_unproved": None, "verdict": "unknown"}
    found = _found([(0, 0, 10)], least=None, **unknown, reasons=["the samples are linearly dependent"])
    (claim,) = [c for c in _data_claims(found) if "is a KKT point" in c.statement]
    assert claim.measured == "the samples are linearly dependent"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((3, 3, 3), "holds"), ((2, 3, 3), "fails"), ((2, 2, 3), "unknown"), ((0, 0, 3), "unknown")],
)
def test_the_hypothesis_of_long_training_is_about_every_seed(counts, expected):
    assert examined_in_hand.long_enough(*counts).value == expected


@pytest.mark.parametrize(
    ("f", "g", "words"),
    [
        ("holds", "fails", "of those where both limits predict one"),
        ("unknown", "unknown", "of those where neither output is 0, as no limit is known to predict one"),
        (
            "holds",
            "unknown",
            "of those where both limits predict one (where a limit is not known: where the output is not 0)",
        ),
    ],
)
def test_agreement_says_which_points_it_counts(f, g, words):
    results = _built(DATA, lambda p, c: {"multipliers_f": f, "multipliers_g": g})
    rows = examined_in_hand.trained(results.panels[0].points[0]).rows
    assert [
        label.split(", ", 1)[1] for label, _ in rows if label.startswith("test points where f and g")
    ] == [words]


# Words and drawings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ({"mean": 61 / 63.52, "sd": 0.0, "n": 2, "min": 61 / 63.52, "max": 61 / 63.52}, "0.960327 ± 0 "),
        ({"mean": 0.9166, "sd": 0.0083, "n": 10, "min": 0.91234, "max": 0.9412}, "0.917 ± 0.008 "),
        ({"mean": 0.9166, "sd": None, "n": 1, "min": 0.9166, "max": 0.9166}, "0.917 "),
    ],
)
def test_a_mean_lies_in_the_range_printed_beside_it(cell, shown):
    found = ranged(Spread(values={}, **cell))
    assert found.startswith(shown)
    low, high = found[found.index("[") + 1 : -1].split(", ")
    mean = found.split(" ")[0]
    assert float(low) <= float(mean) <= float(high)
    assert len(low) == len(high) == len(mean)


def test_the_axis_of_accuracies_shows_all_that_is_drawn(monkeypatch):
    shown, limits = {}, {}

    def drawing(draw, key, _alt, **_look):
        axes = Figure().subplots()
        draw(axes)
        shown[key] = axes.get_ylim()
        return ""

    monkeypatch.setattr(svg, "drawing", drawing)
    for low in (0.1, 0.5):
        results = _built(
            SMALL, lambda p, c, low=low: {"accuracy_g": low if p.series == "control" and c.seed == 1 else 0.5}
        )
        list(published.sections(results))
        limits[low] = shown["p1"]
    assert limits[0.1][0] < 0.1
    assert limits[0.5][0] == pytest.approx(0.28)
    assert limits[0.5][1] >= 1.03


@pytest.mark.parametrize(("count", "words"), [(0, "0 runs"), (1, "1 run"), (1000, "1,000 runs")])
def test_one_run_is_no_runs(count, words):
    assert many(count, "run") == words
