"""MLLP: HL7 v2 over TCP, listening and calling (VT message FS CR; spec/hl7v2.md §7)."""

from __future__ import annotations

from navette_chassis.mllp.channel import message_channel
from navette_chassis.mllp.client import Destination, MllpClient, Reply, mllp_client, outcome_of
from navette_chassis.mllp.framing import Frame, FrameDecoder, Malformed, Refusal, frame
from navette_chassis.mllp.intake import DurableIntake, Takes, origin_of
from navette_chassis.mllp.resource import LISTENING_MODES, mllp_listener
from navette_chassis.mllp.server import Listener, ListenerUnavailable, MllpHandler, MllpServer, Peer

__all__ = [
    "LISTENING_MODES",
    "Destination",
    "DurableIntake",
    "Frame",
    "FrameDecoder",
    "Listener",
    "ListenerUnavailable",
    "Malformed",
    "MllpClient",
    "MllpHandler",
    "MllpServer",
    "Peer",
    "Refusal",
    "Reply",
    "Takes",
    "frame",
    "message_channel",
    "mllp_client",
    "mllp_listener",
    "origin_of",
    "outcome_of",
]
