"""The French pages a tester sees. They say that nothing here is real and do not use the official logo."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from navette_sandbox.simulators.psc.professionals import Professional

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;background:#eef2f7;color:#16233a;margin:0}
main{max-width:34rem;margin:3rem auto;background:#fff;padding:2rem;border-radius:.75rem;box-shadow:0 2px 16px #0002}
h1{font-size:1.3rem;margin-top:0}button{font:inherit;display:block;width:100%;text-align:left;margin:.4rem 0;
padding:.7rem 1rem;border:1px solid #b7c4d8;border-radius:.5rem;background:#f8fafd;cursor:pointer}
button:hover,button:focus{background:#dbe7f7}button.no{text-align:center;background:#fff}.notice{color:#53627a}
"""


def choice(handle: str, service: str, people: Iterable[Professional]) -> bytes:
    """The page where a tester chooses who logs in."""
    buttons = "".join(
        f'<button name="subject" value="{escape(one.national_id)}">{escape(one.label)}</button>' for one in people
    )
    return _page(
        "PSC de TEST",
        f"""<p>Le service <strong>{escape(service)}</strong> demande votre identité.</p>
<form method="post" action="/wallet/auth/decision"><input type="hidden" name="request" value="{escape(handle)}">
{buttons}<button class="no" name="subject" value="">Annuler</button></form>""",
    )


def problem(rule: str) -> bytes:
    """The page shown when the request cannot be answered by a redirect."""
    return _page("Demande refusée", f"<p>Règle non respectée : <code>{escape(rule)}</code></p>")


def logged_out() -> bytes:
    """The page after a logout without return address."""
    return _page("Déconnexion", "<p>Votre session de test est terminée.</p>")


def _page(title: str, content: str) -> bytes:
    return f"""<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>
{content}<p class="notice">Simulateur : aucune identité réelle.</p></main></body></html>""".encode()
