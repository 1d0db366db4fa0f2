"""French identifiers of people, professionals and structures, and OIDs."""

from navette_documents.errors import InvalidValue
from navette_documents.identifiers.finess import (
    STRUCT_AUTHORITY,
    is_valid_finess,
    parse_finess,
    struct_idnat,
)
from navette_documents.identifiers.loinc import parse_loinc
from navette_documents.identifiers.nir import (
    INS_DEMO,
    INS_NIA,
    INS_NIR,
    INS_OIDS,
    INS_TEST,
    PRODUCTION_INS_OIDS,
    Matricule,
    check_ins_oid,
    is_valid_matricule,
    nir_key,
    parse_matricule,
)
from navette_documents.identifiers.oid import UidFactory, is_oid, parse_oid, uuid_to_oid
from navette_documents.identifiers.rpps import (
    PS_AUTHORITY,
    is_valid_rpps,
    parse_rpps,
    ps_idnat,
    rpps_of_ps_idnat,
)

__all__ = [
    "INS_DEMO",
    "INS_NIA",
    "INS_NIR",
    "INS_OIDS",
    "INS_TEST",
    "PRODUCTION_INS_OIDS",
    "PS_AUTHORITY",
    "STRUCT_AUTHORITY",
    "InvalidValue",
    "Matricule",
    "UidFactory",
    "check_ins_oid",
    "is_oid",
    "is_valid_finess",
    "is_valid_matricule",
    "is_valid_rpps",
    "nir_key",
    "parse_finess",
    "parse_loinc",
    "parse_matricule",
    "parse_oid",
    "parse_rpps",
    "ps_idnat",
    "rpps_of_ps_idnat",
    "struct_idnat",
    "uuid_to_oid",
]
