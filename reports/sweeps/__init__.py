"""The page of a sweep: its results as one JSON value (`reproduction`), what they say, and how it is drawn."""
