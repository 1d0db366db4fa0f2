"""Compares all that was played on a sandbox with what the national services received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from navette_sandbox.scenarios.stage import Played
from navette_sandbox.verify.deliveries import Check, Delivered, DmpDocument, MailboxEntry, Verification
from navette_sandbox.verify.versions import Story, StoryVerification, split


@dataclass(frozen=True)
class Verdict:
    """Every check, and what was found by report."""

    checks: list[Check]
    delivered: dict[str, Delivered]


def verdict(
    played: Sequence[Played],
    documents: Sequence[DmpDocument],
    mails: Sequence[MailboxEntry],
    registry: Sequence[Mapping[str, Any]],
) -> Verdict:
    """`registry`: what the DMP holds now, as its double tells."""
    parts = split(documents, mails, {one.study_uid for one in played if one.turn is not None})
    plain = Verification([one.signed() for one in played if one.turn is None], parts.documents, parts.mails)
    stories = [Story(one.signed(), one.turn) for one in played if one.turn is not None]
    turned = StoryVerification(stories, parts, registry)
    return Verdict(plain.checks + turned.checks, plain.delivered | turned.delivered)
