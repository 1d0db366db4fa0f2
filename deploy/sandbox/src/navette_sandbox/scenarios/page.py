"""The page that shows a run: every report, its journey, its files, and what was verified."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from navette_sandbox.scenarios.artefacts import ReportFiles
from navette_sandbox.scenarios.catalogue import PARIS
from navette_sandbox.scenarios.stage import Journey, Played
from navette_sandbox.verify.deliveries import Check

_SCENARIOS = {
    "a": "Identité qualifiée : DMP, demandeur et patient",
    "b": "Identité non qualifiée : le demandeur seul, puis libération automatique",
    "c": "DMP interrompu pendant 20 secondes",
    "d": "Réponse du DMP perdue après acceptation",
    "e": "Services tués en plein envoi (SIGKILL)",
    "f": "Annonce au patient : invisible jusque-là, puis visible et envoyé",
    "g": "Remplacement : la nouvelle version annule et remplace partout",
    "h": "Retrait : supprimé du DMP, annoncé à ceux qui l’avaient reçu",
    "j": "Compte rendu écrit ailleurs : reçu par HL7 v2, brouillon ici, signé ici",
    "p": "Site d’un hôpital : tout passe par sa plateforme d’intermédiation (HL7 v2), accusés métier compris",
}

_STYLE = """
:root{color-scheme:light;--ink:#1d2a33;--soft:#5b6b77;--line:#dfe6ea;--ok:#12715b;--bad:#b3261e;--wait:#8a5a00}
*{box-sizing:border-box}body{margin:0;background:#f4f7f8;color:var(--ink);font:16px/1.55 system-ui,sans-serif}
header{background:#0f4c5c;color:#fff;padding:2.2rem 1.5rem}header>div,main{max-width:68rem;margin:0 auto}
h1{margin:0 0 .3rem;font-size:1.9rem;letter-spacing:-.01em}header p{margin:0;opacity:.85}
main{padding:1.5rem}h2{margin:2.4rem 0 .8rem;font-size:1.15rem}
.figures{display:flex;flex-wrap:wrap;gap:.8rem;margin-top:-2.6rem}
.figure{background:#fff;border-radius:.7rem;box-shadow:0 1px 5px #0002;padding:.8rem 1.2rem;min-width:9rem}
.figure b{display:block;font-size:1.6rem;line-height:1.2}.figure span{color:var(--soft);font-size:.85rem}
article{background:#fff;border:1px solid var(--line);border-radius:.7rem;padding:1rem 1.2rem;margin:.7rem 0}
article h3{margin:0;font-size:1.05rem}.meta{color:var(--soft);font-size:.88rem;margin:.1rem 0 .7rem}
table{border-collapse:collapse;width:100%;font-size:.93rem}td,th{text-align:left;padding:.3rem .6rem .3rem 0;
vertical-align:top;border-top:1px solid var(--line)}th{font-weight:600;width:38%}tr:first-child>*{border-top:0}
.state{font-weight:600}.ok{color:var(--ok)}.bad{color:var(--bad)}.wait{color:var(--wait)}
.links{margin:.7rem 0 0;display:flex;flex-wrap:wrap;gap:.4rem}.links a{font-size:.85rem;text-decoration:none;
color:#0f4c5c;border:1px solid #b9cdd3;border-radius:1rem;padding:.1rem .7rem}.links a:hover{background:#e6f0f2}
details{background:#fff;border:1px solid var(--line);border-radius:.7rem;padding:.8rem 1.2rem;margin:.7rem 0}
summary{cursor:pointer;font-weight:600}details ul{margin:.6rem 0 0;padding-left:1.2rem}details li{margin:.15rem 0}
footer{color:var(--soft);font-size:.85rem;padding:1rem 1.5rem 3rem;max-width:68rem;margin:0 auto}
"""

_KINDS = {"release": " – visibilité après annonce", "withdrawal": " – retrait"}
_GOOD = {"sent", "delivered", "read"}


def write_page(
    output: Path,
    played: Sequence[Played],
    files: Sequence[ReportFiles],
    checks: Sequence[Check],
    broker: str,
    *,
    unchecked: str = "",
) -> None:
    """Write `index.html` into the output folder. `unchecked`: what could not be verified on this machine, and why."""
    lines = [line for one in played for line in one.journey.get("lines", [])]
    held = sum(check.held for check in checks)
    figures = [
        (len(played), "comptes rendus signés"),
        (sum(line["channel"] == "dmp" and line["state"] in _GOOD for line in lines), "déposés dans le DMP"),
        (sum(line["channel"] == "mss" and line["state"] in _GOOD for line in lines), "courriels MSSanté"),
        (f"{held}/{len(checks)}", "vérifications réussies"),
    ]
    shown = "".join(f'<div class="figure"><b>{escape(str(n))}</b><span>{what}</span></div>' for n, what in figures)
    body = "".join(_scenario(letter, title, played, files) for letter, title in _SCENARIOS.items())
    when = datetime.now(PARIS).strftime("%d/%m/%Y à %H:%M")
    page = f"""<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Navette – démonstration</title><style>{_STYLE}</style></head><body>
<header><div><h1>Navette</h1><p>De la signature du radiologue au DMP et aux messageries sécurisées – démonstration du
{when}, courtier {escape(broker)}</p><p>&nbsp;</p></div></header>
<main><div class="figures">{shown}</div>{body}{_verified(checks, unchecked)}</main>
<footer>Patients, médecins et établissements sont fictifs ; les services nationaux sont simulés. Ce que les
simulateurs ont reçu est dans <a href="echanges/">echanges/</a> (dont les
<a href="echanges/insi/exchanges/">échanges INSi</a> et les
<a href="echanges/pfi/messages/">messages HL7 à la plateforme</a>), les journaux
dans <a href="journaux/">journaux/</a>.</footer>
</body></html>
"""
    (output / "index.html").write_text(page, "utf-8")


def _scenario(letter: str, title: str, played: Sequence[Played], files: Sequence[ReportFiles]) -> str:
    shown = [_report(one, found) for one, found in zip(played, files, strict=True) if one.text.scenario == letter]
    return f"<h2>{letter}. {escape(title)}</h2>{''.join(shown)}" if shown else ""


def _report(one: Played, files: ReportFiles) -> str:
    patient = f"{one.patient.birth_name} {one.patient.first_given_name}"
    birth = "/".join(reversed(one.patient.birth_date.split("-")))
    doctor = f"Dr {one.requester.given_name} {one.requester.family_name}"
    links = "".join(f'<a href="{quote(path)}">{escape(label)}</a>' for label, path in files.links)
    rows = "".join(_line(line) for line in one.journey.get("lines", []))
    return f"""<article><h3>{escape(one.text.title)}</h3>
<p class="meta">{escape(patient)}, {birth} · demandé par {escape(doctor)} · {escape(one.accession)}</p>
<table>{rows}</table><p class="links">{links}</p></article>
"""


def _line(line: Journey) -> str:
    kind = "ok" if line["state"] in _GOOD else ("wait" if line["state"] in {"waiting", "scheduled"} else "bad")
    since = datetime.fromisoformat(line["since"]).astimezone(PARIS).strftime("%H:%M:%S")
    reason = f" – {escape(line['reason_label'])}" if line["reason_label"] else ""
    reason += f' <span class="meta">par {escape(line["carrier"])}</span>' if line.get("carrier") else ""
    return (
        f"<tr><th>{escape(line['recipient'])}{_KINDS.get(line['kind'], '')}</th>"
        f'<td><span class="state {kind}">{escape(line["state_label"])}</span>{reason}</td><td>{since}</td></tr>'
    )


def _verified(checks: Sequence[Check], unchecked: str) -> str:
    failed = [check for check in checks if not check.held]
    items = "".join(
        f'<li class="{"ok" if check.held else "bad"}">{escape(check.what)}'
        f"{f' ({escape(check.detail)})' if check.detail else ''}</li>"
        for check in [*failed, *(check for check in checks if check.held)]
    )
    title = "Toutes les vérifications ont réussi" if not failed else f"{len(failed)} vérifications ont échoué"
    state = " open" if failed else ""
    gap = f'<p class="wait">{escape(unchecked)}</p>' if unchecked else ""
    return (
        f"<h2>Vérifications indépendantes</h2>{gap}<details{state}><summary>{title}</summary><ul>{items}</ul></details>"
    )
