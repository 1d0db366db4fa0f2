"""Fields that only the services may read: JWE compact, `dir` + `A256GCM` (RFC 7516, RFC 7518 §4.5, §5.3).

Kafka, its backups and its operators see ciphertext. The key identifier travels in the protected header, so
rotation is: add a key to the keyring of every service, then make it current; old messages keep opening with
the old key until their topic's retention has passed.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_origin

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from navette_contracts.parsing import TOLERANT

_ALGORITHM = "dir"
_ENCRYPTION = "A256GCM"
_KEY_BYTES = 32
# Five parts; the second is empty (`dir` has no encrypted key), 96-bit nonce, 128-bit tag.
_COMPACT = re.compile(r"[A-Za-z0-9_-]{16,512}\.\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{1,65536}\.[A-Za-z0-9_-]{22}")
_REGISTRY = jwe.JWERegistry(algorithms=[_ALGORITHM, _ENCRYPTION])

T = TypeVar("T")


class SealError(Exception):
    """A sealed field could not be made or opened. The message never holds content or key material."""


class UnknownKeyError(SealError):
    """The keyring has no key with the identifier written in the sealed field."""


class KeyringError(SealError):
    """The keyring file cannot be used."""


class Keyring:
    """The symmetric keys of the platform by `kid`; seals with the current one, opens with any."""

    __slots__ = ("_keys", "current")

    def __init__(self, keys: Mapping[str, OctKey], current: str) -> None:
        """Refuse (KeyringError) a current key that is not among the keys."""
        if current not in keys:
            raise KeyringError("keyring: the current key is not among the keys")
        self._keys = dict(keys)
        self.current = current

    def __repr__(self) -> str:
        return f"Keyring({len(self._keys)} keys)"

    @property
    def kids(self) -> frozenset[str]:
        """The identifiers of all keys, without the keys."""
        return frozenset(self._keys)

    def key(self, kid: str) -> OctKey:
        """Return the key of that identifier or raise UnknownKeyError."""
        try:
            return self._keys[kid]
        except KeyError:
            raise UnknownKeyError("sealed field: its key is not in the keyring") from None

    @classmethod
    def from_json(cls, data: bytes | str) -> "Keyring":
        """Read `{"current": kid, "keys": [{"kty": "oct", "kid": …, "k": …, "alg": "A256GCM"}]}`."""
        try:
            document = json.loads(data)
            current, entries = document["current"], document["keys"]
            keys: dict[str, OctKey] = {}
            for entry in entries:
                if entry.get("kty") != "oct" or entry.get("alg", _ENCRYPTION) != _ENCRYPTION:
                    raise KeyringError("keyring: only keys of type oct for A256GCM are accepted")
                if entry["kid"] in keys:
                    raise KeyringError("keyring: two keys have the same kid")
                raw = base64.urlsafe_b64decode(entry["k"] + "=")
                if len(raw) != _KEY_BYTES:
                    raise KeyringError("keyring: every key must be 256 bits long")
                keys[entry["kid"]] = OctKey.import_key(raw)
        except (ValueError, KeyError, TypeError, AttributeError, JoseError):
            # `from None`: the original error could quote the file, which is all secrets.
            raise KeyringError("keyring: not a keyring document") from None
        return cls(keys, current)

    @classmethod
    def from_file(cls, path: Path) -> "Keyring":
        """Read a keyring document from a file (see `from_json`); OSError when it cannot be read."""
        return cls.from_json(path.read_bytes())


class Sealed(Generic[T]):
    """A value of type T that travels encrypted. Only `open` shows it; `repr`, `str` and JSON never do."""

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        """Wrap a JWE compact string; ValueError when it has not that form (so no plain text can get in)."""
        if not isinstance(token, str) or not _COMPACT.fullmatch(token):
            raise ValueError("sealed field: not a compact JWE")
        self.token = token

    @classmethod
    def seal(cls, value: T, keyring: Keyring) -> "Sealed[T]":
        """Encrypt a model, a string or another JSON value under the current key of the keyring."""
        if isinstance(value, BaseModel):
            plain = value.model_dump_json().encode()
        else:
            plain = json.dumps(value, ensure_ascii=False).encode()
        header = {"alg": _ALGORITHM, "enc": _ENCRYPTION, "kid": keyring.current}
        return cls(jwe.encrypt_compact(header, plain, keyring.key(keyring.current), registry=_REGISTRY))

    def open(self, keyring: Keyring, kind: type[T]) -> T:
        """Decrypt and read as `kind`, tolerantly (unknown fields ignored, unknown enum values → OTHER).

        Raises UnknownKeyError when the keyring lacks the key, SealError when the field was altered or its
        content is not a `kind`.
        """
        plain: bytes | None
        try:
            plain = jwe.decrypt_compact(
                self.token, lambda recipient: keyring.key(str(recipient.headers().get("kid"))), registry=_REGISTRY
            ).plaintext
        except (JoseError, ValueError, TypeError, AttributeError):
            raise SealError("sealed field: altered, or sealed with another key") from None
        try:
            return TypeAdapter(kind).validate_json(plain or b"", extra="ignore", context=TOLERANT)
        except ValidationError:
            raise SealError(f"sealed field: the content is not a {kind.__name__}") from None

    def __repr__(self) -> str:
        return "Sealed(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.token)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        arguments = get_args(source)
        token = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=token,
            python_schema=core_schema.is_instance_schema(cls),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.token, return_schema=core_schema.str_schema(), when_used="json"
            ),
            metadata={"navette_sealed_content": arguments[0] if arguments else None},
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        content = (schema.get("metadata") or {}).get("navette_sealed_content")
        described: JsonSchemaValue = {"type": "string", "format": "jwe"}
        if content is not None:
            # A schema of its own: the content is part of the contract although no broker can see it.
            described["x-sealed"] = TypeAdapter(content).json_schema()
        return described


def sealed_fields(model: BaseModel) -> Iterator[tuple[str, Sealed[Any], Any]]:
    """Each sealed field of a model that is there: its name, the seal, and the kind of its content."""
    for name, field in type(model).model_fields.items():
        sealed = getattr(model, name)
        if isinstance(sealed, Sealed):
            annotations = (field.annotation, *get_args(field.annotation))
            kind = next(get_args(one)[0] for one in annotations if get_origin(one) is Sealed)
            yield name, sealed, kind
