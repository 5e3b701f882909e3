"""Tables that lie on the machines of a cluster, as rows that come in chunks to this one: Spark and Ray."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from interlace.design.chunked import Chunked, InProcess
from interlace.design.kinds import check_types
from interlace.errors import DataError
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class SparkRows(InProcess):
    """A DataFrame of Spark, of which one partition after the other is computed.

    Attributes
    ----------
    frame : pyspark.sql.DataFrame
    rows : int
    """

    frame: Any
    rows: int
    said = "the rows of the Spark DataFrame"
    table = "frame.toPandas()"

    def schema(self) -> Any:
        """As Spark translates its own."""
        from pyspark.sql.pandas.types import to_arrow_schema

        return to_arrow_schema(self.frame.schema)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Of these columns alone: each batch comes as the bytes of a stream of Arrow, and each partition
        begins with no bytes, so that an error names it."""
        import pyarrow

        quoted = ["`" + name.replace("`", "``") + "`" for name in columns]
        schema = pyarrow.schema([self.schema().field(name) for name in columns])
        begun = 0
        try:
            for row in self.frame.select(*quoted).mapInArrow(_to_bytes(), "batch binary").toLocalIterator():
                begun += not row["batch"]
                for batch in pyarrow.ipc.open_stream(bytes(row["batch"])) if row["batch"] else ():
                    yield pyarrow.Table.from_batches([batch]).cast(schema).to_batches()[0]
        except GeneratorExit:
            raise
        except self.failures() as error:
            name = f"partition {begun} of the Spark DataFrame"
            raise DataError(f"{name} cannot be computed: {self.telling(error)}") from error

    def pieces(self) -> Iterator[tuple[str, int]]:
        """The partitions that have rows."""
        from pyspark.sql.functions import spark_partition_id

        for number, n in sorted(self.frame.groupBy(spark_partition_id()).count().collect()):
            yield f"partition {number} of the Spark DataFrame", n

    def failures(self) -> tuple[type[Exception], ...]:
        """Those of Spark too."""
        import pyarrow
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        return pyarrow.ArrowException, OSError, PySparkException, Py4JError

    def telling(self, error: Exception) -> str:
        """What stands behind a class of errors of Spark in brackets, among lines of Java, or of a worker."""
        found = re.search(r"\[[A-Z_.]+\] [^\n]*|Python worker exited [^\n.]*", str(error))
        return Chunked.telling(self, error) if found is None else found[0].strip()


def _to_bytes() -> Any:
    """A function that workers get by its value: this library need not be there."""

    def to_bytes(batches: Any) -> Any:
        import pyarrow

        yield pyarrow.RecordBatch.from_pydict({"batch": [b""]})
        for batch in batches:
            sink = pyarrow.BufferOutputStream()
            with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            yield pyarrow.RecordBatch.from_pydict({"batch": [sink.getvalue().to_pybytes()]})

    return to_bytes


@dataclass(frozen=True, slots=True)
class RayRows(InProcess):
    """A dataset of Ray, of which one block after the other comes here.

    Attributes
    ----------
    dataset : ray.data.Dataset
    rows : int
    """

    dataset: Any
    rows: int
    said = "the rows of the Ray dataset"
    table = "dataset.to_pandas()"

    def schema(self) -> Any:
        """By what Ray knows of the types."""
        import pyarrow

        found = self.dataset.schema(fetch_if_missing=True)
        if found is None:
            raise DataError("the Ray dataset has no rows, and its columns are not known")
        return pyarrow.schema(list(zip(found.names, found.types, strict=True)))

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Of these columns alone, in the order of the blocks; an error names the block."""
        import pyarrow
        import ray

        schema = self.schema()
        schema = pyarrow.schema([schema.field(name) for name in columns])
        for i, block in enumerate(self._blocks(columns)):
            table, name = ray.get(block), f"block {i} of the Ray dataset"
            check_types(name, table.schema, schema, columns)
            try:
                yield from table.select(list(columns)).cast(schema).to_batches()
            except pyarrow.ArrowException as error:
                raise DataError(f"{name} has other columns: {error}") from error

    def _blocks(self, columns: Sequence[str]) -> Any:
        """With these columns alone; with all, where a block has them not, which Ray does not name."""
        from ray.exceptions import RayError

        try:
            return self.dataset.select_columns(list(columns)).to_arrow_refs()
        except RayError:
            return self.dataset.to_arrow_refs()

    def pieces(self) -> Iterator[tuple[str, int]]:
        """The blocks."""
        import ray

        for i, block in enumerate(self.dataset.to_arrow_refs()):
            yield f"block {i} of the Ray dataset", ray.get(block).num_rows

    def failures(self) -> tuple[type[Exception], ...]:
        """Those of Ray too."""
        import pyarrow
        from ray.exceptions import RayError

        return pyarrow.ArrowException, OSError, RayError

    def telling(self, error: Exception) -> str:
        """What a worker raised; Ray's own errors stand around it, one the cause of the other."""
        causes: list[Any] = [error]
        while (cause := causes[-1].__cause__ or getattr(causes[-1], "cause", None)) is not None:
            if any(cause is one for one in causes):
                break
            causes.append(cause)
        words = [str(one) for one in causes]
        lines = r"^[\w.]*(?:Error|Exception)(?:\([\w.]*\))?: .*$"
        found: list[str] = re.findall(lines, "\n".join(words), flags=re.M)
        own = [line for line in found if not line.startswith("ray.")]
        return (own or found or [Chunked.telling(self, error)])[-1]
