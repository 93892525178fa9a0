"""From results to blocks: what each part of a page says, draws and tabulates. Nothing is computed here."""

__all__: list[str] = []
