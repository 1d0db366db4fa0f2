"""Who may do what: internal tokens verified, routes that deny by default, calls between services."""

from navette_chassis.auth.guard import TokenRefusedError, UnguardedRouteError, check_routes, public, require
from navette_chassis.auth.principal import Principal, Role

__all__ = [
    "Principal",
    "Role",
    "TokenRefusedError",
    "UnguardedRouteError",
    "check_routes",
    "public",
    "require",
]
