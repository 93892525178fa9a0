"""The page of a sweep: its results, and how they are drawn."""

__all__: list[str] = []
