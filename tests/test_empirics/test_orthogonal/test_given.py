"""Data in hand: verdicts with numbers, whatever the data; those of the theory, and no crash."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from empirics.data import Dataset, FileData
from empirics.orthogonal import (
    MOST_SAMPLES,
    OrthogonalConfig,
    epsilon_for,
    examine,
    load_given,
    run_orthogonal,
)
from theory.orthogonal import multipliers, orthogonality

N, D, Q = 6, 400, 30
LABELS = np.array([1.0, -1, 1, -1, 1, -1])


def _normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def _examined(X, y, **fields):
    Z = np.random.default_rng(1).standard_normal((Q, X.shape[1]))
    data = Dataset("own", X, y, Z, np.sign(Z[:, 0]), ("-1", "1"), "none")
    base = {"dim": X.shape[1], "num_train": len(X), "num_adv": len(X), "num_test": Q, "base": "natural"}
    fields = {"epsilon": epsilon_for(X, fields.get("norm", "L2")), "max_steps": 60, **fields}
    config = OrthogonalConfig(**base, **fields)
    return examine(data, config, num_seeds=2), run_orthogonal(config, data)


def test_numbers_are_those_of_the_theory():
    X = _normal(N, D)
    found, outcome = _examined(X, LABELS)
    known, condition = multipliers(X, LABELS, negative_slope=0.5), orthogonality(X, negative_slope=0.5)
    assert found.conditions["published"] == (condition.lhs, condition.rhs, "fails")
    assert found.conditions["derived"] == (condition.row_lhs, condition.row_rhs, "holds")
    assert found.multipliers.least == known.values.min()
    assert found.multipliers.least_over_low == known.values.min() * 2 * condition.R_max**2
    assert found.multipliers.verdict == "holds"
    assert found.limit["accuracy"] == 1.0
    assert found.data.counts == (3, 3)
    assert found.sizes["N_allowed"] == "none"  # the left side is a third of the right one even at N = 1
    assert outcome.record["signs_f"] >= 0.9


def test_the_largest_n_allowed_is_allowed_and_the_next_is_not():
    # Unit rows with inner products .001, whatever N: γ³/(3N) > .001 up to N = 5 at γ = .25.
    def rows(count):
        X = np.sqrt(0.999) * np.eye(count, 50)
        X[:, -1] = np.sqrt(0.001)
        return X

    found, _ = _examined(rows(3), LABELS[:3], negative_slope=0.25)
    assert found.sizes["N_allowed"] == 5
    for count, expected in ((5, "holds"), (6, "fails")):
        assert orthogonality(rows(count), negative_slope=0.25).verdict.value == expected
    assert _examined(np.eye(3, 50), LABELS[:3])[0].sizes["N_allowed"] == "any"
    assert _examined(np.zeros((3, 50)), LABELS[:3])[0].sizes["N_allowed"] == "none"


def test_what_is_not_proved_of_multipliers_is_not_counted():
    singular, _ = _examined(_normal(40, 5), np.tile([1.0, -1], 20))
    names = ("least", "largest", "least_over_low", "num_not_positive", "num_unproved")
    assert [getattr(singular.multipliers, name) for name in names] == [None] * 5
    # Close to parallel with unequal norms: the longer one is beyond its margin without help.
    X = np.array([[1.0, 0.0], [2.0, 0.5]])
    known = multipliers(X, np.ones(2), negative_slope=0.9)
    found, _ = _examined(X, np.ones(2), negative_slope=0.9)
    assert found.multipliers.num_not_positive == (known.upper <= 0).sum() == 1
    assert found.multipliers.num_unproved == 0


def test_without_an_attack_no_perturbed_set_is_judged():
    found, _ = _examined(_normal(N, D), LABELS, attack="none")
    assert set(found.conditions) == {"published", "derived"}
    assert found.signs is None


def test_the_clean_system_is_solved_once(monkeypatch):
    module = sys.modules["theory.orthogonal.transfer"]  # the package has a function of that name
    solved, real = [], module.solve_multipliers
    monkeypatch.setattr(module, "solve_multipliers", lambda X, y, **k: solved.append(X) or real(X, y, **k))
    _examined(_normal(N, D), LABELS)
    assert len(solved) == 2  # the perturbed sets of two seeds


def test_points_without_a_predicted_sign_are_not_compared():
    # Supports apart from those of the samples: the limit is 0 there, whatever f is.
    X, Z = np.eye(4, 12), np.eye(4, 12, k=4)
    data = Dataset("own", X, LABELS[:4], Z, LABELS[:4], ("-1", "1"), "none")
    base = {"dim": 12, "num_train": 4, "num_adv": 4, "num_test": 4, "base": "natural", "epsilon": 0.1}
    config = OrthogonalConfig(**base, negative_slope=0.9, attack="limit")
    record = run_orthogonal(config, data).record
    assert record["orthogonal_f"] == "holds"
    assert record["points_f"] == record["points_g"] == record["firm_f"] == 0
    assert all(np.isnan(record[name]) for name in ("signs_f", "signs_g", "agreement"))
    # One point with a sign, however small: it alone is compared.
    Z = Z + 1e-9 * np.eye(4, 12) * np.array([[1.0], [0], [0], [0]])
    record = run_orthogonal(config, replace(data, X_test=Z)).record
    assert record["points_f"] == 1
    assert record["signs_f"] in {0.0, 1.0}
    assert record["firm_f"] == 0  # a network within the tolerance may have either


def test_an_array_without_rows_is_refused_in_one_line(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, X=np.array(3.0), y=np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match=r"X in own.npz must have shape \(n, d\) .*, got \(\)"):
        load_given(FileData(path=str(path)))


def test_a_kept_sign_is_implied_by_the_sign_condition_and_no_lost_one_is():
    found, _ = _examined(_normal(N, D), LABELS)
    for seed in found.signs.seeds:
        assert seed.kept["holds"] >= seed.condition["holds"]
        assert sum(seed.kept.values()) == Q
    # The condition suffices and is not necessary: more points keep their sign than meet it.
    totals = {
        what: sum(getattr(seed, what)["holds"] for seed in found.signs.seeds)
        for what in ("condition", "kept")
    }
    assert 0 < totals["condition"] < totals["kept"]


@pytest.mark.parametrize("norm", ["Linf", "L0"])
def test_other_norms_have_their_own_radius(norm):
    X = _normal(N, D)
    expected = 0.1 if norm == "L0" else np.linalg.norm(X, axis=1).min() / 2 / np.sqrt(D)
    assert epsilon_for(X, norm) == pytest.approx(expected, rel=1e-5)
    found, _ = _examined(X, LABELS, norm=norm)
    assert found.signs.n == Q


def _zero_row():
    X = _normal(N, D)
    X[2] = 0
    return X, LABELS


def _duplicate():
    X = _normal(N, D)
    X[1] = X[0]
    return X, LABELS


@pytest.mark.parametrize(
    ("make", "published", "system", "reason"),
    [
        (_zero_row, "fails", "fails", "samples 2 are 0"),
        (lambda: (np.zeros((N, D)), LABELS), "fails", "fails", "6 of 6"),
        (lambda: (_normal(N, D), np.ones(N)), "fails", "holds", None),
        (_duplicate, "fails", "fails", "equal to others with the other label"),
        (lambda: (_normal(40, 5), np.tile([1.0, -1], 20)), "fails", "unknown", "singular"),
        (lambda: (1e160 * _normal(N, D), LABELS), "unknown", "holds", None),
        (lambda: (1.5e308 * np.sign(_normal(N, D)), LABELS), "unknown", "unknown", "range"),
        (lambda: (_normal(1, D), np.ones(1)), "holds", "holds", None),
    ],
    ids=["zero row", "zeros", "one class", "duplicate", "N > 2d", "huge", "largest", "one sample"],
)
def test_bad_data_gets_a_verdict_with_numbers(make, published, system, reason):
    found, outcome = _examined(*make())
    assert found.conditions["published"][2] == published
    assert found.multipliers.verdict == system
    assert reason is None or any(reason in text for text in found.multipliers.reasons)
    assert outcome.error is None or outcome.error.startswith(
        ("ValueError", "FloatingPoint", "Overflow", "LinAlg")
    )
    if system != "holds" and found.signs is not None:
        for seed in found.signs.seeds:  # without two proved limits nothing is known
            assert seed.kept["unknown"] == seed.condition["unknown"] == Q


def test_a_file_of_one_class_is_loaded(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("".join(f"{row[0]},{row[1]},1\n" for row in _normal(10, 2)), encoding="utf-8")
    data = load_given(FileData(path=str(path), standardise="none"), num_train=4)
    assert data.X.shape == (4, 2)
    assert set(data.y) == set(data.y_test) == {1.0}
    path.write_text("1,2,a\n2,3,a\n4,4,a\n", encoding="utf-8")
    with pytest.raises(ValueError, match="classes must be two"):
        load_given(FileData(path=str(path)))


def test_named_classes_decide_the_sign_of_one_class(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("1,2,b\n2,3,b\n3,4,b\n3,5,b\n", encoding="utf-8")
    data = load_given(FileData(path=str(path), classes=("a", "b"), standardise="none"))
    assert set(data.y) == {-1.0}
    assert data.classes == ("b", "a")


def test_a_file_of_two_classes_is_that_of_its_source(tmp_path):
    path = tmp_path / "own.csv"
    rows = [f"{a},{b},{1 if index % 2 else -1}\n" for index, (a, b) in enumerate(_normal(12, 2))]
    path.write_text("".join(rows), encoding="utf-8")
    source = FileData(path=str(path), standardise="none")
    assert (load_given(source).X == source.load(0).X).all()
    assert (source.load(0).X[:3] == load_given(source, num_train=3).X).all()


def test_more_samples_than_are_looked_at_are_refused(tmp_path):
    path = tmp_path / "own.npz"
    count = 2 * MOST_SAMPLES
    np.savez(path, X=_normal(count, 2), y=np.tile([1.0, -1.0], MOST_SAMPLES))
    source = FileData(path=str(path), standardise="none")
    with pytest.raises(ValueError, match=f"num_train must be at most {MOST_SAMPLES}, .* got 2800 samples"):
        load_given(source)
    assert len(load_given(source, num_train=5).X) == 5


def test_sizes_must_agree():
    found = {"dim": 3, "num_train": 2, "num_adv": 2, "num_test": 4, "base": "natural", "epsilon": 1.0}
    data = Dataset("own", _normal(2, 3), LABELS[:2], _normal(5, 3), np.ones(5), ("-1", "1"), "none")
    config = OrthogonalConfig(**found)
    with pytest.raises(ValueError, match=r"num_train, dim, num_test = \(2, 3, 4\), got \(2, 3, 5\)"):
        examine(data, config, num_seeds=1)
    examine(data, replace(config, num_test=5), num_seeds=1)
