"""Claims about sweeps: each file a family, with what shows it on the page."""

__all__: list[str] = []
