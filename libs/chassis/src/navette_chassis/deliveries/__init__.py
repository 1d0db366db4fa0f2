"""Deliveries: every call to the outside world is a durable work item.

Scheduled inside the unit of work, claimed under a lease, attempted outside any transaction, settled in one.
"""

from navette_chassis.deliveries.endpoints import note
from navette_chassis.deliveries.model import Channel, Delivery, DeliveryState, Outcome, OutcomeKind
from navette_chassis.deliveries.policy import BreakerPolicy, RetryPolicy

__all__ = [
    "BreakerPolicy",
    "Channel",
    "Delivery",
    "DeliveryState",
    "Outcome",
    "OutcomeKind",
    "RetryPolicy",
    "note",
]
