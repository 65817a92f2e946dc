"""E6xx: a value has no way to bytes, or bytes no way back."""

from __future__ import annotations

from stepwell.errors.base import CodecError

# --------------------------------------------------------------------------- E6xx: values and bytes


class NoCodec(CodecError):
    """No codec is known for a type."""

    code = "E601"


class MissingLibrary(CodecError):
    """A codec or reader needs a library that is not installed."""

    code = "E602"


class CannotEncode(CodecError):
    """A value does not fit the codec of its type."""

    code = "E603"
    exit_code = 1


class CannotDecode(CodecError):
    """The bytes of an artifact are not what its codec wrote."""

    code = "E604"
    exit_code = 6
