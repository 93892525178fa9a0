from .counts import (
    NeuronCounts as NeuronCounts,
    accuracy as accuracy,
    agreement as agreement,
    agrees as agrees,
    cosines as cosines,
    count_neurons as count_neurons,
    evaluate as evaluate,
)
