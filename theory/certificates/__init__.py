"""What is decided about trained networks: where a sign or an agreement is proved, and what it takes.

`lazy`: wide networks, `apriori`: before training, `independent`: from simulated neurons, far from lazy,
`inverse`: the width, time or ε that certifies a share of points, `published`: the published form beside ours.
"""

from theory.certificates.apriori import AprioriCertificate, certify_agreement_a_priori
from theory.certificates.independent import (
    IndependentCertificate,
    certify_independent,
    truncation_risk,
    upper_mean,
)
from theory.certificates.inverse import certified_share, required_epsilon, required_time, required_width
from theory.certificates.lazy import (
    Agreement,
    AgreementCertificate,
    Certificate,
    certify,
    certify_agreement,
    certify_network,
)
from theory.certificates.published import PublishedComparison, compare_published

__all__ = [
    "Agreement",
    "AgreementCertificate",
    "AprioriCertificate",
    "Certificate",
    "IndependentCertificate",
    "PublishedComparison",
    "certified_share",
    "certify",
    "certify_agreement",
    "certify_agreement_a_priori",
    "certify_independent",
    "certify_network",
    "compare_published",
    "required_epsilon",
    "required_time",
    "required_width",
    "truncation_risk",
    "upper_mean",
]
