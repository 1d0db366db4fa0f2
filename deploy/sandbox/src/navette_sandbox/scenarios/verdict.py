"""Compares all that was played on a sandbox with what the national services received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from navette_sandbox.scenarios.stage import Played
from navette_sandbox.verify.cda import read_cda
from navette_sandbox.verify.deliveries import Check, Delivered, DmpDocument, MailboxEntry, Verification, study_of
from navette_sandbox.verify.platform import PlatformVerification, Received
from navette_sandbox.verify.versions import Story, StoryVerification, split


@dataclass(frozen=True)
class PlatformState:
    """What the platform of the hospital received, and what it says it holds."""

    messages: Sequence[Received] = ()
    register: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Verdict:
    """Every check, and what was found by report."""

    checks: list[Check]
    delivered: dict[str, Delivered]
    handed: dict[str, list[Received]]
    """Messages of the reports that go by the platform of the hospital."""


def verdict(
    played: Sequence[Played],
    documents: Sequence[DmpDocument],
    mails: Sequence[MailboxEntry],
    registry: Sequence[Mapping[str, Any]],
    platform: PlatformState = PlatformState(),
) -> Verdict:
    """`registry`: what the DMP holds now, as its double tells."""
    direct = [one for one in played if not one.by_platform]
    parts = split(documents, mails, {one.study_uid for one in direct if one.turn is not None})
    plain = Verification([one.signed() for one in direct if one.turn is None], parts.documents, parts.mails)
    stories = [Story(one.signed(), one.turn) for one in direct if one.turn is not None]
    turned = StoryVerification(stories, parts, registry)
    elsewhere = {study_of(read_cda(one.content)) for one in documents}
    elsewhere |= {
        study_of(cda) for found in (plain, turned) for one in found.delivered.values() for _m, _d, cda in one.mails
    }
    handed = PlatformVerification(
        [(one.signed(), one.turn) for one in played if one.by_platform],
        platform.messages,
        platform.register,
        elsewhere,
    )
    checks = plain.checks + turned.checks + handed.checks
    return Verdict(checks, plain.delivered | turned.delivered, handed.found)
