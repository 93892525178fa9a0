"""The files of campaigns: they stand for the configurations that they always stood for."""

import itertools

import pytest

from empirics.campaigns import orthogonal, wide
from empirics.campaigns.files import SIZES
from empirics.sweep.plain import digest, plain_numbers
from theory.orthogonal.perturbations import NORMS

# Of all points with the fields of their configurations: another digest is another experiment, whose results
# are filed under other names.
DIGESTS = {
    "msg-a": "35acda2ef38a",
    "msg-b": "20d678ece7f2",
    "g-a": "394af3aca803",
    "g-b": "4cb1b39f0bc1",
    "mnist-a": "0ba6698672fe",
    "mnist-b": "df7492d5dbba",
    "fmnist-a": "5c34e620bc83",
    "fmnist-b": "d1d944694e4f",
    "dimension": "e0b8eb5035ff",
    "perturbation-size": "9354f480c2b2",
    "width": "aeae7bb167d1",
    "lazy": "1aa0353d5c98",
    "training-time": "ab313c479765",
    "L2": "4dec6f881fe0",
    "Linf": "5da258c35126",
    "L0": "34ec585f9ad8",
    "turning": "0cc846e3842c",
    "orthogonality": "f0eb9b418a4f",
    "depth": "107ac46ddb3e",
    "balance": "37156113f7b4",
    "transfer": "facb4b4088c6",
    "modules": "27019b005703",
    "pairs": "cbe0606f31af",
    "agreement": "07f0d6fac5bb",
    "floor": "e19d877b9f20",
}


def parts(name):
    if name in wide.BLOCKS:
        return [
            wide.Part(
                kind="published", name=name, seeds=1, solver=solver, size=size, balanced=size == "small"
            )
            for solver, size in itertools.product(("gd", "flow"), SIZES)
        ]
    if name in NORMS:
        return [
            orthogonal.Part(kind="published", name=name, seeds=1, scale=scale, rule=rule)
            for scale, rule in itertools.product((1, 20, 100), orthogonal.RULES)
        ]
    return [(wide if name in wide.STUDIES else orthogonal).Part(kind="study", name=name, seeds=2)]


def test_every_campaign_has_its_digest():
    assert set(DIGESTS) == {*wide.BLOCKS, *wide.STUDIES, *NORMS, *orthogonal.STUDIES}


@pytest.mark.parametrize("name", DIGESTS)
def test_files_stand_for_the_same_configurations_as_ever(name):
    said = [
        [p.sweep, p.series, p.x, [config.to_json() for config in p.configs]]
        for part in parts(name)
        for p in part.points()
    ]
    assert digest(plain_numbers(said))[:12] == DIGESTS[name]
