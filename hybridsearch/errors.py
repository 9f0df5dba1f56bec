"""What can go wrong, as one tree.

    HybridSearchError
    +-- InputError (also a ValueError)      what the caller gave is wrong
    |   +-- DocumentError                   a document: position, id, field
    |   +-- FilterError                     a filter: column, field
    |   +-- QueryError                      a search request: field
    |   +-- SettingsError                   a setting: field
    |   +-- VectorError                     a vector: NaN, infinite or of the wrong length
    |   +-- NameRefused                     a name that no index may have
    +-- NotFound (also a KeyError)          no such index, document or task
    +-- Conflict                            it exists already, or a name is taken by a table
    +-- EmbedderError                       the embedder failed or answered nonsense
    |   +-- EmbeddingsFailed                some of the texts could not be embedded: which, why
    +-- CallFailed                          an address outside could not be reached
    |   +-- CallRefused                     it is private, and calling it was not allowed
    +-- StorageError                        the disk or the files
        +-- DatabaseLocked                  another process holds the file
        +-- FormatTooNew                    written by a later version of this library
        +-- IndexDamaged                    the side folder is not what was written
        +-- IndexBehind                     documents stored that cannot be found yet
        +-- DatabaseClosed                  used after close()

Every error has a `code` that stays the same between versions, a `message` for people and
`fields` for programs. A message says what was wrong, where, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

LISTED = 5
MOST_IDS = 1_000
MOST_REPORTED = 100
"""So many unfit documents of a batch are listed with their errors; all are counted."""


class HybridSearchError(Exception):
    """The root: `code` is stable, `fields` hold what the message talks about."""

    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.fields = fields

    def __str__(self) -> str:
        return self.message

    def to_json(self) -> dict[str, Any]:
        """Message, code, class and plain fields, as a task keeps them; see `revived`."""
        plain = {k: v for k, v in self.fields.items() if isinstance(v, str | int | float | None)}
        if "report" in self.fields:
            plain["report"] = self.fields["report"]
        kind = type(self).__name__
        return {**plain, "message": self.message, "code": self.code, "class": kind}


class InputError(HybridSearchError, ValueError):
    """What the caller gave is wrong; nothing was applied."""

    default_code = "bad_request"


class DocumentError(InputError):
    """A document was refused; fields `position` (from 0), `id` and `field` say which.

    Where several of a batch are, `unfit` counts them and `report` lists the first of them.
    """

    default_code = "invalid_document_fields"


class FilterError(InputError):
    """A filter was refused; fields `column` (from 1) and `field` say where."""

    default_code = "invalid_search_filter"


class QueryError(InputError):
    """A search request was refused; field `field` names the parameter."""

    default_code = "invalid_search_q"


class SettingsError(InputError):
    """A setting was refused; field `field` names it."""

    default_code = "invalid_settings"


class VectorError(InputError):
    """A vector was refused: not finite, or of the wrong length."""

    default_code = "invalid_vector_dimensions"


class NameRefused(InputError):
    """No index may have this name."""

    default_code = "invalid_index_uid"


class NotFound(HybridSearchError, KeyError):
    """There is no index, document or task of that name."""

    default_code = "not_found"


class Conflict(HybridSearchError):
    """It exists already, or its name belongs to something else."""

    default_code = "index_already_exists"


class EmbedderError(HybridSearchError):
    """The embedder failed, or answered with the wrong shape or with NaN."""

    default_code = "vector_embedding_error"


class EmbeddingsFailed(EmbedderError):
    """Some of the texts could not be embedded; `reasons` says of each position why, and `made` has
    the vectors of all, float32 [n, dim], NaN where there is none.

    As the outcome of a task it has fields `failed`, how many documents, and `documents`, the ids.
    """

    def __init__(
        self, message: str, *, reasons: Mapping[int, str], made: Any, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.reasons = dict(reasons)
        self.made = made

    def of(self, owners: Sequence[str]) -> EmbedderError:
        """The same error in terms of the documents that the texts are of, by position."""
        found: dict[str, str] = {}
        for position, reason in sorted(self.reasons.items()):
            found.setdefault(owners[position], reason)
        listed = "; ".join(f'document "{id_}": {why}' for id_, why in list(found.items())[:LISTED])
        more = f"; and {len(found) - LISTED:,} more" if len(found) > LISTED else ""
        ids = {"documents": ", ".join(found)} if len(found) <= MOST_IDS else {}
        first = list(found.items())[:MOST_REPORTED]
        report = [{"id": id_, "code": self.code, "message": why} for id_, why in first]
        return EmbedderError(
            f"{self.message}: {listed}{more}. Nothing of this batch was applied, and what was"
            " embedded is kept: give the same documents again without these, or mend them",
            **{**self.fields, "failed": len(found), **ids, "unfit": len(found), "report": report},
        )


class CallFailed(HybridSearchError):
    """An address outside could not be reached, or did not answer in time."""

    default_code = "call_failed"


class CallRefused(CallFailed):
    """The address is private, and the database was not opened with leave to call it."""

    default_code = "call_refused"


class StorageError(HybridSearchError):
    """The disk or the files refused."""

    default_code = "storage_error"


class DatabaseLocked(StorageError):
    """Another process has the database open."""

    default_code = "database_locked"


class FormatTooNew(StorageError):
    """The file was written by a later version of this library."""

    default_code = "format_too_new"


class IndexDamaged(StorageError):
    """The side folder does not hold what was written; `hybridsearch rebuild` makes it anew."""

    default_code = "index_damaged"


class IndexBehind(StorageError):
    """The documents are stored, but the index could not be written; it will catch up."""

    default_code = "index_behind"


class DatabaseClosed(StorageError):
    """The database was used after close()."""

    default_code = "database_closed"


def near(name: object, known: Iterable[str]) -> str:
    """The end of a message that offers the nearest known name, or lists what there is.

    >>> near("titel", ["title", "year"])
    '; did you mean "title"?'
    >>> near("zzz", ["title", "year"])
    '; there is: title, year'
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    if close:
        return f'; did you mean "{close[0]}"?'
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"; there is: {listed or '(none)'}"


def revived(error: Mapping[str, Any]) -> HybridSearchError:
    """The error that `to_json` wrote down, of the same class, or of the root if that is gone."""
    fields = {k: v for k, v in error.items() if k not in ("message", "code", "class")}
    kind = globals().get(str(error.get("class")), HybridSearchError)
    found: HybridSearchError = kind(str(error["message"]), code=str(error["code"]), **fields)
    return found
