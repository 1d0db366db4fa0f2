"""Why something was refused. `check` names the rule for logs and the audit; it never holds a value."""


class LoginRefused(Exception):  # noqa: N818 - a refusal is an outcome, not a malfunction
    """A login did not pass one of its checks (spec/psc.md §3.2, §5.2)."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class LoginCancelled(Exception):  # noqa: N818
    """The person gave up on the provider's page."""


class NotLoggedIn(Exception):  # noqa: N818
    """There is no live session behind the cookie."""


class CsrfRefused(Exception):  # noqa: N818
    """An unsafe request did not prove that our own page made it."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class LogoutTokenRefused(Exception):  # noqa: N818
    """A back-channel logout token did not pass one of its checks."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class AssertionRefused(Exception):  # noqa: N818
    """A service did not prove who it is, or asked for an audience that is not its own."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class ProviderUnavailable(Exception):  # noqa: N818
    """Pro Santé Connect cannot be used now; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderMisconfigured(Exception):  # noqa: N818
    """The discovery document contradicts our settings; `problems` says how, without values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class KeysUnusable(Exception):  # noqa: N818
    """A mounted key file cannot be used. The message names the rule, never the content."""
