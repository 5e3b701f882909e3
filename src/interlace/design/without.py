"""A model with one term of its fixed part left out, learnt on the rows of a design."""

from __future__ import annotations

from dataclasses import replace

from interlace.design.basis import Learning, learn_basis
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.errors import DataError
from interlace.formula.algebra import of_terms, terms_of


def without_term(encoding: Encoding, design: Design, term: str) -> tuple[Encoding, Design]:
    """The same rows and random terms, and a fixed part without `term`.

    The factors that stay are coded anew, as if the formula had been written without the term: in
    ``0 + a + b`` the factor `b` has a column per level once `a` is gone.

    Parameters
    ----------
    encoding, design : Encoding, Design
        What was learnt, and the rows it was learnt from.
    term : str
        A label of `encoding.fixed_terms`.

    Raises
    ------
    DataError
        There is no such term.
    """
    labels = [label for label, _ in encoding.fixed_terms]
    if term not in labels:
        raise DataError(f"there is no term '{term}' in the fixed part; its terms are {', '.join(labels)}")
    left = [t for t in terms_of(encoding.formula.fixed) if t.label in labels and t.label != term]
    used = {name for t in left for name in t.names}
    contrasts = {name: c for name, c in encoding.fixed.contrasts.items() if name in used}
    learning = Learning(design.frame.columns, design.nrows, encoding.memory, contrasts)
    formula = replace(encoding.formula, fixed=of_terms(left))
    basis, X = learn_basis(formula.fixed, learning)
    return replace(encoding, formula=formula, fixed=basis), replace(design, X=X)
