"""Mathematics as a small tree, written as LaTeX and as MathML, which browsers show without a program."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from interlace.frozen import dataclass
from interlace.tables.side_by_side import latex

#: Letters and signs: LaTeX, MathML.
SIGNS = {
    "beta": (r"\beta", "β"), "alpha": (r"\alpha", "α"), "sigma": (r"\sigma", "σ"), "rho": (r"\rho", "ρ"),
    "epsilon": (r"\varepsilon", "ε"), "Sigma": (r"\Sigma", "Σ"), "~": (r"\sim", "∼"), "sum": (r"\sum", "∑"),
    "-": ("-", "−"), "N": (r"\mathcal{N}", "𝒩"), "dots": (r"\cdots", "⋯"), "lines": (r"\vdots", "⋮"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Math:
    """A piece: both spellings of it."""

    latex: str
    mathml: str

    def __add__(self, other: Math) -> Math:
        """One after the other."""
        return Math(f"{self.latex} {other.latex}", self.mathml + other.mathml)


def letter(name: str) -> Math:
    """A variable or a Greek letter."""
    tex, sign = SIGNS.get(name, (name, name))
    return Math(tex, f"<mi>{sign}</mi>")


def number(text: str) -> Math:
    """A number."""
    return Math(text, f"<mn>{escape(text)}</mn>")


def sign(text: str) -> Math:
    """An operator or a bracket."""
    tex, shown = SIGNS.get(text, (text, text))
    return Math(tex, f"<mo>{escape(shown)}</mo>")


def words(text: str) -> Math:
    """The name of a column or a factor."""
    return Math(rf"\text{{{latex(text)}}}", f"<mtext>{escape(text)}</mtext>")


def below(base: Math, index: Math) -> Math:
    """With an index."""
    return Math(f"{base.latex}_{{{index.latex}}}", f"<msub>{_row(base)}{_row(index)}</msub>")


def squared(base: Math) -> Math:
    """Its square, also of what has an index."""
    return Math(f"{base.latex}^2", f"<msup>{_row(base)}<mn>2</mn></msup>")


def raised(base: Math, power: Math) -> Math:
    """With an exponent."""
    return Math(f"{base.latex}^{{{power.latex}}}", f"<msup>{_row(base)}{_row(power)}</msup>")


def over(above: Math, under: Math) -> Math:
    """A fraction."""
    return Math(rf"\frac{{{above.latex}}}{{{under.latex}}}", f"<mfrac>{_row(above)}{_row(under)}</mfrac>")


def matrix(rows: Sequence[Sequence[Math]]) -> Math:
    """In brackets."""
    tex = r" \\ ".join(" & ".join(cell.latex for cell in row) for row in rows)
    cells = "".join(f"<mtr>{''.join(f'<mtd>{cell.mathml}</mtd>' for cell in row)}</mtr>" for row in rows)
    return Math(
        rf"\begin{{pmatrix}} {tex} \end{{pmatrix}}",
        f"<mrow><mo>(</mo><mtable>{cells}</mtable><mo>)</mo></mrow>",
    )


def joined(parts: Sequence[Math], between: str = "+") -> Math:
    """With a sign between each and the next; a part that begins with a minus has its own."""
    found = parts[0]
    for part in parts[1:]:
        found = found + (part if part.latex.startswith("-") else sign(between) + part)
    return found


@dataclass(frozen=True, slots=True, repr=False)
class Equation:
    """A model in mathematics: `str` is LaTeX, and a notebook shows it.

    Attributes
    ----------
    lines : tuple of (Math, Math)
        Left and right side of each line.
    """

    lines: tuple[tuple[Math, Math], ...]

    @property
    def latex(self) -> str:
        """An `aligned` environment, to be put between ``$$``."""
        rows = [f"{left.latex} &{right.latex}" for left, right in self.lines]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    @property
    def mathml(self) -> str:
        """For a page of HTML."""
        rows = [
            f'<mtr><mtd class="left">{left.mathml}</mtd><mtd class="right">{right.mathml}</mtd></mtr>'
            for left, right in self.lines
        ]
        return f'<math display="block"><mtable>{"".join(rows)}</mtable></math>'

    def __str__(self) -> str:
        return self.latex

    def __repr__(self) -> str:
        return self.latex

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex}\n$$"


def _row(part: Math) -> str:
    return f"<mrow>{part.mathml}</mrow>"
