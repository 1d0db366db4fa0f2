"""Words shared by all outcomes of deliveries."""

from navette_contracts.parsing import OpenEnum


class WhoMustAct(OpenEnum):
    """Who can unblock what went wrong."""

    NOBODY = "nobody"
    SECRETARY = "secretary"
    RADIOLOGIST = "radiologist"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    OTHER = "other"


class ErrorClass(OpenEnum):
    """How a delivery ended without success."""

    PERMANENT = "permanent"
    """Refused; sending the same again would be refused again."""
    EXHAUSTED = "exhausted"
    """Tried until the give-up time."""
    CANCELLED = "cancelled"
    """Stopped by us before it went."""
    OTHER = "other"
