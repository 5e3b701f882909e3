"""A model with one term of its fixed part left out, made from what was learnt for all terms."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from interlace.design.basis import Basis
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.errors import DataError
from interlace.formula.algebra import Term, of_terms, terms_of
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Without:
    """The same rows and random terms, and a fixed part without one of its terms.

    The factors that stay are coded anew, as if the formula had been written without the term: in
    ``0 + a + b`` the factor `b` has a column per level once `a` is gone. Levels, contrasts and what functions
    have learnt are those of the model, so that no row is looked at.

    Attributes
    ----------
    rows : Rows
        Of the model.
    """

    rows: Rows

    def term(self, label: str) -> Rows:
        """The rows of the model without this term, a label of `encoding.fixed_terms`.

        Raises
        ------
        DataError
            There is no such term.
        """
        smaller = self._smaller(label)
        columns = self.columns(label)
        if columns is not None:
            return self.rows.changed(smaller, partial(Design.selected, kept=columns))
        return self.rows.changed(smaller, partial(_recoded, basis=smaller.fixed))

    def columns(self, label: str) -> tuple[int, ...] | None:
        """Which columns of X are those of the model without this term; None where factors are coded anew."""
        encoding, smaller = self.rows.encoding, self._smaller(label)
        gone = dict(encoding.fixed_terms)[label]
        left = tuple(j for j in range(len(encoding.fixed_names)) if not gone.start <= j < gone.stop)
        return left if smaller.fixed_names == tuple(encoding.fixed_names[j] for j in left) else None

    def _smaller(self, label: str) -> Encoding:
        encoding, terms = self.rows.encoding, self._terms()
        labels = [term.label for term in terms]
        if label not in labels:
            raise DataError(
                f"there is no term '{label}' in the fixed part; its terms are {', '.join(labels)}"
            )
        left = tuple(term for term in terms if term.label != label)
        formula = replace(encoding.formula, fixed=of_terms(left))
        return replace(encoding, formula=formula, fixed=encoding.fixed.of_terms(left))

    def _terms(self) -> list[Term]:
        encoding = self.rows.encoding
        labels = {label for label, _ in encoding.fixed_terms}
        return [term for term in terms_of(encoding.formula.fixed) if term.label in labels]


def _recoded(design: Design, basis: Basis) -> Design:
    return replace(design, fixed=basis.columns(design.frame.columns, design.nrows))
