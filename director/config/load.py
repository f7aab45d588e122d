"""Texts of documents in, a topology out, or everything that is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from director.config.build import topology_from
from director.config.declared import Declared
from director.config.faults import Fault, Severity
from director.config.lint import lint
from director.config.schema_faults import validate_document
from director.config.yaml_text import parse_documents
from director.core.timing import DEFAULT_TIMING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from director.config.model import AnyDocument
    from director.core.timing import Timing
    from director.core.topology import Topology

SourceText: TypeAlias = tuple[str, str]
"""A name for the faults, such as a file's, and the text."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of the documents.

    Attributes:
        topology: None when any fault is an error.
        faults: All of them, errors and warnings, in the order of the sources and their lines.
        documents: Those that pass the schema, as written.
    """

    topology: Topology | None
    faults: tuple[Fault, ...]
    documents: tuple[AnyDocument, ...] = ()

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults that keep the documents from being applied."""
        return tuple(each for each in self.faults if each.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """The faults that do not."""
        return tuple(each for each in self.faults if each.severity is Severity.WARNING)


def load_topology(
    texts: Sequence[SourceText],
    *,
    timing: Timing = DEFAULT_TIMING,
    replica_domains: Collection[str] | None = None,
) -> Loaded:
    """Read, check and convert all documents. Never raises for anything in the texts.

    The reader is pure Python and takes a few seconds for a text at its limit of 1 MiB, so a
    server calls this outside its event loop.

    Args:
        texts: Sources with their names, checked together: they refer to each other.
        timing: What the predicted recovery time is computed from.
        replica_domains: The failure domains of the director replicas; None while offline, when
            the domains of the regions bound how many there can be.
    """
    faults: list[Fault] = []
    declared: list[Declared] = []
    for source, text in texts:
        documents, text_faults = parse_documents(source, text)
        faults.extend(text_faults)
        for document in documents:
            model, schema_faults = validate_document(document)
            faults.extend(schema_faults)
            declared.append(Declared(document, model))
    if not declared and not faults:
        source = texts[0][0] if texts else "<none>"
        faults.append(Fault(source, 0, "", "there are no documents", "D010"))
    elif not any(each.code in {"D001", "D008", "D009"} for each in faults):
        # A file that could not be read would make every reference into it look wrong.
        faults.extend(lint(declared, timing=timing, replica_domains=replica_domains))
    models = tuple(each.model for each in declared if each.model is not None)
    order = {source: at for at, (source, _) in enumerate(texts)}
    in_order = tuple(sorted(set(faults), key=lambda each: (order.get(each.file, len(order)), each)))
    has_errors = any(each.severity is Severity.ERROR for each in in_order)
    return Loaded(None if has_errors else topology_from(models), in_order, models)
