"""Everything that is measured on networks.

Counts of signs and neurons are here; accounts of whole experiments are in modules of their own: `certified`,
`simulated`, `drift` and `diagnosis`.
"""

from empirics.measure.counts import (
    NeuronCounts,
    accuracy,
    agreement,
    agrees,
    cosines,
    count_neurons,
    evaluate,
)

__all__ = ["NeuronCounts", "accuracy", "agreement", "agrees", "cosines", "count_neurons", "evaluate"]
