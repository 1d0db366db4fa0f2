"""Writes the replies and faults of the teleservice (spec/ins.md §2.6, §2.7), oddities of the real one included.

Two variations are switched by fault scripts: `plain_prefixes` (Envelope and Body share one prefix, whereas the
real service binds two prefixes to one namespace) and `history_dates_first` (INSHISTO children out of schema order,
as one official test reply has them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from navette_sandbox.simulators.insi.faults import FAULTS
from navette_sandbox.simulators.insi.people import Matricule, Person

_SOAP = "http://www.w3.org/2003/05/soap-envelope"


@dataclass(frozen=True)
class Style:
    """How the next reply is written."""

    plain_prefixes: bool = False
    history_dates_first: bool = False


def result(people: Sequence[Person], style: Style) -> bytes:
    """CR 00 with the person, 01 when nobody was found, 02 (and no list) when several were."""
    if not people:
        inner = _cr("01", "Aucune identite trouvee")
    elif len(people) > 1:
        inner = _cr("02", "Plusieurs identites trouvees")
    else:
        inner = _cr("00", "OK") + _individual(people[0], style)
    return _envelope(f'<RESULTAT xmlns="http://www.cnamts.fr/INSiResultat">{inner}</RESULTAT>', style)


def fault(code: str, message_id: str | None, style: Style) -> bytes:
    """A SOAP 1.2 fault for a code of the table; unknown codes are answered as technical (Receiver, siram_40)."""
    shape = FAULTS.get(code, FAULTS["insi_102"])
    echo = f" messageID={quoteattr(message_id)}" if message_id else ""
    inner = (
        f'<s:Fault xmlns:s="{_SOAP}"><s:Code><s:Value>s:{shape.role}</s:Value>'
        f"<s:Subcode><s:Value>s:{shape.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="fr">{escape(shape.reason)}</s:Text></s:Reason>'
        f'<s:Detail><siram:Erreur xmlns:siram="urn:siram" code={quoteattr(code)}{echo} '
        f"severite={quoteattr(shape.severity)}>{escape(shape.detail)}</siram:Erreur></s:Detail></s:Fault>"
    )
    return _envelope(inner, style)


def _envelope(inner: str, style: Style) -> bytes:
    if style.plain_prefixes:
        text = f'<soap:Envelope xmlns:soap="{_SOAP}"><soap:Body>{inner}</soap:Body></soap:Envelope>'
    else:
        text = f'<soap:Envelope xmlns:soap="{_SOAP}"><env:Body xmlns:env="{_SOAP}">{inner}</env:Body></soap:Envelope>'
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def _cr(code: str, label: str) -> str:
    return f"<CR><CodeCR>{code}</CodeCR><LibelleCR>{label}</LibelleCR></CR>"


def _individual(person: Person, style: Style) -> str:
    history = "".join(f"<INSHISTO>{_dates_around(_matricule(old), style)}</INSHISTO>" for old in person.history)
    return (
        f"<INDIVIDU><INSACTIF>{_matricule(person.active)}</INSACTIF>{history}<TIQ>"
        f"<NomNaissance>{escape(person.birth_name)}</NomNaissance>"
        f"<ListePrenom>{escape(person.given_names)}</ListePrenom><Sexe>{person.sex}</Sexe>"
        f"<DateNaissance>{person.birth_date}</DateNaissance>"
        f"<LieuNaissance>{person.birth_place_code}</LieuNaissance></TIQ></INDIVIDU>"
    )


def _matricule(ins: Matricule) -> str:
    key = f"<Cle>{ins.key}</Cle>" if ins.key else ""
    return f"<IdIndividu><NumIdentifiant>{ins.number}</NumIdentifiant>{key}</IdIndividu><OID>{ins.oid}</OID>"


def _dates_around(matricule: str, style: Style) -> str:
    dates = "<DateDeb>2010-01-01</DateDeb><DateFin>2019-02-28</DateFin>"
    return dates + matricule if style.history_dates_first else matricule + dates
