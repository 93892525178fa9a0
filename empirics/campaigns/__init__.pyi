from .files import (
    AnyPart as AnyPart,
    Campaign as Campaign,
    Panel as Panel,
    Point as Point,
    Reading as Reading,
    Sweep as Sweep,
    campaign as campaign,
    readings as readings,
)
