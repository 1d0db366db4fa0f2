"""Words of the act pages."""

from __future__ import annotations

from collections.abc import Mapping

from navette_report.domain.acts import Offer

NOT_OFFERED = "Cet acte n’est plus possible, ou n’est pas attendu de vous, sur ce compte rendu."

ACT_WARNINGS: Mapping[Offer, str] = {
    Offer.AGREE: "Votre accord est enregistré avec la date et votre numéro RPPS.",
    Offer.ABANDON: "Le brouillon est supprimé ; la version validée reste en vigueur.",
    Offer.ANNOUNCE: (
        "À enregistrer une fois le patient informé : le compte rendu devient visible dans Mon espace santé et le "
        "message au patient part. Ce qui a été visible ne peut plus être masqué."
    ),
    Offer.REPLACE: (
        "Un brouillon est ouvert avec le texte de la version validée. Une fois validé, il annule et remplace cette "
        "version partout où elle est allée."
    ),
    Offer.WITHDRAW: (
        "Le compte rendu est supprimé du DMP et ses destinataires en sont avertis. Un retrait est définitif : en cas "
        "d’erreur de patient, retirez-le puis rédigez un nouveau compte rendu."
    ),
    Offer.RECOMPOSE: "Le document est refait avec les données actuelles, puis contrôlé à nouveau avant envoi.",
    Offer.PROPOSE: "Le compte rendu reste provisoire jusqu’à l’accord de chacun ; le modifier redemande l’accord.",
}
"""What a person must know before doing it."""

CHOICES: Mapping[str, tuple[str, str]] = {
    "announcement_needed": (
        "Annonce au patient nécessaire",
        "Invisible pour lui dans Mon espace santé et aucun message, jusqu’à l’enregistrement de l’annonce.",
    ),
    "hidden_from_patient": ("Invisible pour le patient", "Déposé dans le DMP sans qu’il le voie ; aucun message."),
    "hidden_from_representatives": (
        "Invisible pour les représentants légaux",
        "Aucun message : ils lisent la messagerie du patient.",
    ),
    "secret_connection": (
        "Connexion secrète",
        "Patient mineur qui demande le secret : à cocher avec « Invisible pour les représentants légaux ».",
    ),
    "hidden_from_professionals": (
        "Masqué aux professionnels",
        "Déposé dans le DMP, visible du patient seul ; ni le demandeur ni les copies ne sont destinataires.",
    ),
    "withheld_from_dmp": ("Ne pas déposer dans le DMP", "Pour ce compte rendu seulement."),
    "withheld_from_patient": ("Ne pas envoyer au patient par messagerie", "Pour ce compte rendu seulement."),
}
"""Label and consequence of each choice."""

FIELDS: Mapping[str, str] = {
    "title": "Titre",
    "indication": "Indication",
    "technique": "Technique",
    "comparison": "Comparaison",
    "findings": "Résultats",
    "conclusion": "Conclusion",
    "reason": "Motif",
    "confirmed": "Confirmation",
    "co_readers": "Confrères",
}
