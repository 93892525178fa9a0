"""The pages of `perturblearn orthogonal`: nearly orthogonal samples beside networks trained there."""

__all__: list[str] = []
