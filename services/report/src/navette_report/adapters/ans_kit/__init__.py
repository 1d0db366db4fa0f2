"""The conformance kit of the ANS as a gate: its schematrons, run on every document before it leaves."""

from navette_report.adapters.ans_kit.gate import AnsKit, KitUnusable, check_usable

__all__ = ["AnsKit", "KitUnusable", "check_usable"]
