"""Strict double of the INSi teleservice: search by traits (WS_INS2) and with the carte Vitale (WS_INS1).

Run it with ``python -m navette_sandbox.simulators.insi``; rules from spec/ins.md §2 and §3.
"""
