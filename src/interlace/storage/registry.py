"""The names that files give to the values of this library, and where these stand today.

A class that moves, or has another name now, changes its line here and no file: what files say is the name on
the left of `RENAMED`, or that of the class. A name that was ever written stays.
"""

from __future__ import annotations

#: Module -> its classes of values.
_CLASSES: dict[str, str] = {
    "design.absorbing": "AbsorbedEncoding AbsorbedFactor",
    "design.answered": "AnsweredRows OtherRows",
    "design.basis": "FactorCoding NumericBasis TermBasis",
    "design.batches": "Batch",
    "design.chunked": "Extents Elsewhere Forgotten LeftOut Readers",
    "design.columns": "CellCoding Cells Coded Plain",
    "design.contrasts": "Ambiguous Coding Custom Helmert Polynomial Successive Treatment",
    "design.design": "Design RandomRows Repeats",
    "design.distributed": "RayRows SparkRows",
    "design.encoding": "Encoding",
    "design.encoding_rows": "RowEncoder",
    "design.equal_rows": "EqualRows",
    "design.evaluation": "Evaluator Memory",
    "design.extras": "Extra",
    "design.files": "DataFiles",
    "design.foreign": "ArrowTable",
    "design.frame": "Frame",
    "design.functions.function": "Function",
    "design.grouped": "Grouped",
    "design.grouping": "Grouping",
    "design.halves": "Halves",
    "design.held_cells": "HeldCells",
    "design.kinds": "Kind",
    "design.known": "Precision",
    "design.known_value": "Known",
    "design.learning": "Learner",
    "design.learnt": "Covariate Learnt RandomEncoding",
    "design.members": "FactorPart NumberPart",
    "design.merging": "Chunk Counted Seen Task",
    "design.operators": "Operation",
    "design.products": "FactorColumns NumberColumns Product TermColumns",
    "design.queries": "Lazy Partitions Relation",
    "design.reduced": "Reduction SelectedBasis",
    "design.reference": "Member",
    "design.response": "Made Response",
    "design.rows": "ChunkedRows FrameRows",
    "design.scope": "Scope",
    "design.streaming": "ChunkLearner",
    "design.values": "CodedFactor Factor Matrix",
    "design.without": "Without",
    "estimation.absorbed": "Absorbed Effects Projection",
    "estimation.answering": "Given OneOf",
    "estimation.beside_levels": "Left",
    "estimation.charts": "Angle Coordinate Deviation Pair",
    "estimation.correlation": "Autoregressive CompoundSymmetry Independent",
    "estimation.covariance": "Unstructured",
    "estimation.crossproducts": "ByCell CrossProducts",
    "estimation.deviance": "ProfiledDeviance",
    "estimation.estimated": "EstimatedDeviance EstimatedOptimum",
    "estimation.fit": "Fit",
    "estimation.gathering": "Gathered",
    "estimation.gram": "Gram",
    "estimation.held": "Held Quantity",
    "estimation.identification": "Identification",
    "estimation.iterative": "IterativeSystem",
    "estimation.layout": "Layout Place",
    "estimation.level_system": "LevelSystem",
    "estimation.many": "Many",
    "estimation.ols": "LeastSquaresOfFrame OfRows",
    "estimation.ols_chunks": "LeastSquaresOfChunks Squares Sums",
    "estimation.ols_fit": "LeastSquares LeastSquaresFit",
    "estimation.one_step": "Informations",
    "estimation.normal_errors": "Answered Coefficients NormalErrors",
    "estimation.optimum": "Optimum Valley",
    "estimation.origin": "Origin",
    "estimation.parameters": "Parameters",
    "estimation.penalized": "Solution System",
    "estimation.prepare": "Model",
    "estimation.probed": "AbsorbedGram ProbedGram",
    "estimation.scaled": "Scaled",
    "estimation.separate": "Separate",
    "estimation.solver": "Solver",
    "estimation.stages": "Functions Levels",
    "estimation.valleys": "Correlated Doubt Effect",
    "formula.algebra": "Term",
    "formula.formula": "AbsorbedTerm Formula RandomTerm Sum",
    "formula.names": "Use",
    "formula.tokens": "Token",
    "formula.tree": (
        "Argument Bar Braces Call Chain Constant Listing Name Node Number Power Step Text Unary"
    ),
    "precision.clusters": "Clusters",
    "precision.ols_covariance": "ResidualDdf Rule",
    "precision.small_sample": "SmallSample",
    "prediction.per_row": "Handed",
    "refitting.specification": "LinearSpecification MixedSpecification",
}
#: Name in files -> where it stands, where that is not the name of the class, as two classes have it.
RENAMED: dict[str, str] = {
    "SumCoding": "design.contrasts.Sum",
    "CalledFunction": "design.functions.call.Call",
    "TermInDoubt": "estimation.valleys.Term",
}
#: What is called while a file is read.
_CALLED: dict[str, str] = {
    "solution": "estimation.penalized._restored",
    "system": "estimation.penalized.System.of",
    "iterative system": "estimation.iterative.IterativeSystem.by",
    "memory": "precision.memory.Memory",
    "source": "design.design.Source",
    "forgotten": "design.chunked.Forgotten",
}
#: What values refer to, and nobody calls while a file is read.
_REFERRED: dict[str, str] = {
    "with columns": "design.rows._with_columns",
    "selected": "design.design.Design.selected",
    "with block": "design.reduced._with_block",
    "unchanged": "design.reduced._unchanged",
}


def _whole(places: dict[str, str]) -> dict[str, str]:
    return {name: f"interlace.{place}" for name, place in places.items()}


def _classes() -> dict[str, str]:
    found = {name: f"{module}.{name}" for module, names in _CLASSES.items() for name in names.split()}
    return _whole({**found, **RENAMED})


#: Name in files -> where it stands.
CLASSES, CALLED, REFERRED = _classes(), _whole(_CALLED), _whole(_REFERRED)
