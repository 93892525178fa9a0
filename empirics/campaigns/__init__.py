"""Campaigns: published blocks, published sweeps and studies as plans in files, and published readings."""

from empirics.campaigns.campaign import (
    AnyPart,
    Campaign,
    Panel,
    Point,
    Reading,
    campaign,
    readings,
)

__all__ = ["AnyPart", "Campaign", "Panel", "Point", "Reading", "campaign", "readings"]
