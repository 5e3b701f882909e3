"""A model with one term of its fixed part left out, learnt on the rows of a design."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from interlace.design.basis import learn_basis
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.errors import DataError


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
    columns, members = design.frame.columns, encoding.fixed.members
    left = [m for label, m in zip(labels, members, strict=True) if label != term]
    products = [":".join(_quoted(expression, columns) for expression in m) for m in left if m]
    rhs = " + ".join(["1" if () in left else "0", *products])
    used = {expression for m in left for expression in m}
    formula = replace(encoding.formula, fixed=rhs)
    basis, X = learn_basis(
        rhs,
        columns,
        design.nrows,
        context=encoding.context,
        contrasts={name: c for name, c in encoding.fixed.contrasts.items() if name in used},
        formula=formula,
        evaluated={},
    )
    return replace(encoding, formula=formula, fixed=basis), replace(design, X=X)


def _quoted(expression: str, names: Collection[str]) -> str:
    return f"`{expression}`" if expression in names and not expression.isidentifier() else expression
