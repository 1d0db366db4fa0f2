"""Double of Pro Santé Connect (test environment), written against OpenID Connect Core and RFC 6749/7636/8705/9207.

Run it with ``python -m navette_sandbox.simulators.psc``; paths, lifetimes and claims from spec/psc.md §2-§6.
"""
