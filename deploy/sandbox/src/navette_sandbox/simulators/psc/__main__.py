"""``python -m navette_sandbox.simulators.psc --port N --control-port M --pki DIR --state DIR [--data FILE] …``."""

from __future__ import annotations

import argparse
from pathlib import Path

from navette_sandbox.simulators.common import arguments, config_from, main
from navette_sandbox.simulators.psc.clients import Client
from navette_sandbox.simulators.psc.server import PscSimulator, subject_of


def parser() -> argparse.ArgumentParser:
    """The common options and those that register one service."""
    found = arguments("psc")
    found.add_argument("--public-url", help="base address seen by browsers, default https://127.0.0.1:PORT")
    found.add_argument("--client-id", help="register this service (more by POST /clients on the control port)")
    found.add_argument("--redirect-uri", action="append", default=[], help="exact; may be repeated")
    found.add_argument("--post-logout-redirect-uri", action="append", default=[], help="exact; may be repeated")
    found.add_argument("--backchannel-logout-uri")
    found.add_argument("--client-certificate", default="psc-client", help="PKI pair whose subject is registered")
    found.add_argument(
        "--client-secret-file", type=Path, help="client_secret_basic with this secret instead of a certificate"
    )
    return found


def build(options: argparse.Namespace) -> PscSimulator:
    """The simulator that the options describe. Raises OSError or ValueError for a wrong one."""
    config = config_from(options)
    clients = [_client(options)] if options.client_id else []
    return PscSimulator(config, clients, options.public_url)


def _client(options: argparse.Namespace) -> Client:
    secret = ""
    if options.client_secret_file:
        secret = options.client_secret_file.read_text(encoding="utf-8").strip()
    return Client(
        client_id=options.client_id,
        auth_method="client_secret_basic" if secret else "tls_client_auth",
        redirect_uris=tuple(options.redirect_uri),
        post_logout_redirect_uris=tuple(options.post_logout_redirect_uri),
        backchannel_logout_uri=options.backchannel_logout_uri,
        subject_dn="" if secret else subject_of((options.pki / f"{options.client_certificate}.pem").read_bytes()),
        client_secret=secret,
    )


if __name__ == "__main__":
    main(lambda: build(parser().parse_args()))
