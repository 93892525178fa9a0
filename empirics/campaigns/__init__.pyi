from .files import (
    AnyPart as AnyPart,
    Campaign as Campaign,
    Panel as Panel,
    Point as Point,
    Reading as Reading,
    campaign as campaign,
    readings as readings,
)
