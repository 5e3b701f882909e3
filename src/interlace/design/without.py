"""A model with one term of its fixed part left out, learnt on the rows of a design."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from interlace.design.basis import Learning, learn_basis
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.errors import DataError
from interlace.formula.algebra import Term, of_terms, terms_of


@dataclass(frozen=True)
class Without:
    """The same rows and random terms, and a fixed part without one of its terms.

    The factors that stay are coded anew, as if the formula had been written without the term: in
    ``0 + a + b`` the factor `b` has a column per level once `a` is gone. What is computed from the rows is
    computed once for all terms.

    Attributes
    ----------
    encoding, design : Encoding, Design
        What was learnt, and the rows it was learnt from.
    """

    encoding: Encoding
    design: Design

    def term(self, label: str) -> tuple[Encoding, Design]:
        """The model without this term, a label of `encoding.fixed_terms`.

        Raises
        ------
        DataError
            There is no such term.
        """
        labels = [term.label for term in self._terms]
        if label not in labels:
            raise DataError(
                f"there is no term '{label}' in the fixed part; its terms are {', '.join(labels)}"
            )
        left = tuple(term for term in self._terms if term.label != label)
        formula = replace(self.encoding.formula, fixed=of_terms(left))
        basis, fixed = learn_basis(formula.fixed, self._learning, left)
        return replace(self.encoding, formula=formula, fixed=basis), replace(self.design, fixed=fixed)

    @cached_property
    def _terms(self) -> list[Term]:
        labels = {label for label, _ in self.encoding.fixed_terms}
        return [term for term in terms_of(self.encoding.formula.fixed) if term.label in labels]

    @cached_property
    def _learning(self) -> Learning:
        frame, memory = self.design.frame, self.encoding.memory
        return Learning(frame.columns, self.design.nrows, memory, self.encoding.fixed.contrasts)
