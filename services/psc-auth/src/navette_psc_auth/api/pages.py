"""The few pages people see of the sign-on, in French, without script."""

from html import escape

from starlette.responses import HTMLResponse

_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_PAGE = """<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Navette</title><style>
body{{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f3f5f7;color:#1c2733}}
main{{max-width:34rem;margin:12vh auto;background:#fff;padding:2rem;border-radius:.6rem;box-shadow:0 1px 4px #0002}}
h1{{font-size:1.3rem;margin-top:0}}a{{color:#0b5394}}</style></head>
<body><main><h1>{title}</h1><p>{text}</p>{link}</main></body></html>
"""

LOGIN_PATH = "/auth/psc/login"

_REFUSALS = {
    "no_account": "Votre identité est reconnue, mais aucun compte ne vous est ouvert ici. "
    "Contactez l’administrateur de votre site.",
    "no_role": "Votre compte ne vous donne actuellement aucun rôle : il est désactivé, ou votre situation d’exercice "
    "ne le permet plus. Contactez l’administrateur de votre site.",
    "no_rpps": "Cette identité n’a pas de numéro RPPS : elle ne permet pas d’entrer ici.",
    "national_id": "Cette identité n’a pas de numéro RPPS valide : elle ne permet pas d’entrer ici.",
    "state": "Cette tentative de connexion n’est plus valable : elle a expiré, a déjà servi, ou a commencé dans un "
    "autre navigateur.",
}
_REFUSED = (
    "La réponse de Pro Santé Connect n’a pas passé les contrôles de sécurité. Si cela se reproduit, prévenez "
    "l’administrateur."
)


def refused(check: str) -> HTMLResponse:
    """The login did not pass a check; those the person can do something about are explained."""
    status = 403 if check in {"no_account", "no_role", "no_rpps", "national_id"} else 401
    return _page(status, "Connexion refusée", _REFUSALS.get(check, _REFUSED), retry=True)


def cancelled() -> HTMLResponse:
    """The person gave up at the provider."""
    return _page(401, "Authentification annulée", "Vous avez annulé la connexion avec Pro Santé Connect.", retry=True)


def unavailable() -> HTMLResponse:
    """The provider cannot be used now."""
    text = "Pro Santé Connect ne répond pas pour le moment. Réessayez dans quelques instants."
    response = _page(503, "Pro Santé Connect indisponible", text, retry=True)
    response.headers["Retry-After"] = "30"
    return response


def logged_out() -> HTMLResponse:
    """Both sessions are over."""
    return _page(200, "Vous êtes déconnecté", "Votre session est fermée.", retry=True)


def _page(status: int, title: str, text: str, *, retry: bool) -> HTMLResponse:
    link = f'<p><a href="{LOGIN_PATH}">Se connecter avec Pro Santé Connect</a></p>' if retry else ""
    content = _PAGE.format(title=escape(title), text=escape(text), link=link)
    return HTMLResponse(content, status, headers={"Content-Security-Policy": _CSP})
