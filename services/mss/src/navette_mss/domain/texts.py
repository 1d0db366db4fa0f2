"""What the recipients read (RIS.MSS.10, .11, .15): plain French, no result, no medical data."""

from __future__ import annotations

from navette_documents.sites import Site

_AUTOMATIC = "Ce message a été généré automatiquement."


def body(site: Site, *, to_patient: bool, replaces: bool) -> str:
    """Body of the mail; lines end with a line feed."""
    paragraphs = []
    if replaces:
        paragraphs.append("ANNULE ET REMPLACE le compte rendu que nous vous avons déjà adressé pour le même examen.")
    paragraphs.append("Bonjour,")
    if to_patient:
        paragraphs.append(
            f"{site.mss_display_name} vous adresse ci-joint le compte rendu de votre examen d'imagerie. Le document "
            "PDF peut être lu directement ; l'archive IHE_XDM.zip est destinée aux logiciels de santé. Ce compte "
            "rendu peut aussi figurer parmi les documents de Mon espace santé."
        )
        if site.patient_notice:
            paragraphs.append(site.patient_notice)
        paragraphs.append(
            "Ce message n'attend pas de réponse. Pour toute question, contactez votre médecin ou le centre "
            f"d'imagerie au {site.phone}."
        )
    else:
        paragraphs.append("Veuillez trouver ci-joint le compte rendu d'imagerie de votre patient.")
        answer = f" à {site.reply_to}" if site.reply_to else ""
        paragraphs.append(f"Vous pouvez répondre{answer} ou appeler le centre d'imagerie au {site.phone}.")
    return _closed(site, paragraphs)


def withdrawal_body(site: Site, *, to_patient: bool) -> str:
    """Body of the notice that a report was withdrawn (RIS.MSS.16). The reason stays at the centre."""
    whose = "votre examen" if to_patient else "votre patient"
    paragraphs = [
        "Bonjour,",
        f"Le compte rendu d'imagerie de {whose} que {site.mss_display_name} vous a adressé par cette messagerie a été "
        "RETIRÉ. Il ne doit plus être utilisé : merci de supprimer le document reçu et de ne pas en tenir compte.",
    ]
    if to_patient:
        paragraphs.append(
            "S'il figurait dans Mon espace santé, sa suppression y est demandée. Pour toute question, contactez votre "
            f"médecin ou le centre d'imagerie au {site.phone}. Ce message n'attend pas de réponse."
        )
    else:
        paragraphs.append(f"Pour toute question, appelez le centre d'imagerie au {site.phone}.")
    return _closed(site, paragraphs)


def _closed(site: Site, paragraphs: list[str]) -> str:
    address = f"{site.address.street}, {site.address.postal_code} {site.address.city}"
    paragraphs.append(f"{site.name}\n{address}")
    paragraphs.append(_AUTOMATIC)
    return "\n\n".join(paragraphs) + "\n"
