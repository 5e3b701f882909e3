"""From the scale on which a model is linear back to that of the response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.response import LOG, ODDS, PLUS, TIMES, Made, Response
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.inference.undoing import Undone, gives_ratios, known_names, plain, undone
from interlace.text import did_you_mean, listed

RATIOS, ODDS_RATIOS = "ratios", "odds ratios"
LEADS_BACK = 1e-6  # share of the response by which steps that are undone may miss it
ASIN_SQRT = "asin.sqrt"
_RATES = {"log": 1.0, "log2": float(np.log(2.0)), "log10": float(np.log(10.0))}


@dataclass(frozen=True, slots=True)
class ResponseScale:
    """A transformation of the response, and the way back.

    Attributes
    ----------
    name : str
        What it is called.
    steps : tuple of Made
        The last one first.
    rate : float
        A difference on this scale times `rate` is the logarithm of a ratio; 0 where it is none.
    ratios : str
        What these ratios are.
    """

    name: str
    steps: tuple[Made, ...]
    rate: float = 0.0
    ratios: str = RATIOS

    @property
    def _undone(self) -> list[Undone]:
        return [step for step in map(undone, self.steps) if step is not None]

    def transform(self, response: Array) -> Array:
        """From the response to this scale."""
        value: Array = np.asarray(response, dtype=np.float64)
        with np.errstate(all="ignore"):
            for step in reversed(self._undone):
                value = step.transform(value)
        return value

    def inverse(self, value: Array) -> Array:
        """From this scale to the response."""
        return self._back(value)[0]

    def slope(self, value: Array) -> Array:
        """The derivative of `inverse`."""
        return self._back(value)[1]

    def curvature(self, value: Array) -> Array:
        """The second derivative of `inverse`."""
        return self._back(value)[2]

    def _back(self, value: Array) -> tuple[Array, Array, Array]:
        at: Array = np.asarray(value, dtype=np.float64)
        first, second = np.ones_like(at), np.zeros_like(at)
        with np.errstate(all="ignore"):
            for step in self._undone:
                inside = np.clip(at, step.low, step.high)
                flat = inside != at  # NaN is not inside, and stays NaN below
                slope = np.where(flat & ~np.isnan(at), 0.0, step.slope(inside))
                bent = np.where(flat & ~np.isnan(at), 0.0, step.curvature(inside))
                first, second = slope * first, bent * first**2 + slope * second
                at = step.inverse(inside)
        return at, first, second

    def differences(self) -> ResponseScale | None:
        """The scale of differences: that of logarithms, where they are logarithms of ratios."""
        if not self.rate:
            return None
        name = "log odds ratio" if self.ratios == ODDS_RATIOS else self.name
        return ResponseScale(name, (Made(LOG, float(np.exp(self.rate))),), self.rate, self.ratios)


def named_scale(name: Any) -> ResponseScale:
    """A scale by its name.

    Raises
    ------
    DataError
        It is not known.
    """
    known = (*known_names(), ASIN_SQRT)
    if not isinstance(name, str) or plain(name) not in known:
        near = did_you_mean(str(name), ["response", *known])
        raise DataError(
            f"there is no scale {shown(name)}{f' ({near})' if near else ''}; known are {listed(known)}"
        )
    if name == ASIN_SQRT:
        return ResponseScale(name, (Made("asin"), Made("sqrt")))
    steps = (Made(name),)
    return ResponseScale(plain(name), steps, *_rate(steps))


@dataclass(frozen=True, slots=True)
class NoWayBack:
    """A transformation of the response that is not known.

    Attributes
    ----------
    name : str
    reason : str
    """

    name: str
    reason: str

    def differences(self) -> None:
        """The scale of differences: none."""


def response_scale(text: str, response: Response | None) -> ResponseScale | NoWayBack | None:
    """That of a response, which is spelt `text`; None where it is not transformed."""
    if response is None:
        return NoWayBack(text, f"the response '{text}' is no chain of functions of one column")
    if not response.steps:
        return None
    unknown = [made.kind for made in response.steps if undone(made) is None]
    if unknown:
        return NoWayBack(text, f"how '{unknown[0]}' is undone is not known")
    scale = ResponseScale(_name(response), response.steps, *_rate(response.steps))
    if not _leads_back(scale, response):
        reason = f"undoing '{text}' does not lead back to the values of '{response.column}' in the data"
        return NoWayBack(text, reason)
    return scale


def _name(response: Response) -> str:
    kinds = [plain(made.kind) for made in response.steps]
    if kinds == ["asin", "sqrt"]:
        return ASIN_SQRT
    alone = len(kinds) == 1 and kinds[0] in known_names() and np.isnan(response.steps[0].number)
    return kinds[0] if alone else response.text


def _leads_back(scale: ResponseScale, response: Response) -> bool:
    back = scale.inverse(response.after)
    size = np.maximum(np.abs(response.before), 1e-3 * np.abs(response.before).max(initial=0.0))
    return bool(np.all(np.abs(back - response.before) <= LEADS_BACK * size))


def _rate(steps: Sequence[Made]) -> tuple[float, str]:
    """By what a difference is multiplied to be the logarithm of a ratio, and what ratio; 0 for none."""
    rate = 1.0
    for i, made in enumerate(steps):
        rest = {one.kind for one in steps[i + 1 :]}
        kind = plain(made.kind)
        if kind == PLUS:
            continue
        if kind == TIMES:
            rate /= made.number
        elif kind == LOG and ODDS in rest:
            base = 1.0 if np.isnan(made.number) else float(np.log(made.number))
            return (rate * base, ODDS_RATIOS) if rest <= {ODDS, TIMES} else (0.0, RATIOS)
        elif kind in _RATES and rest <= {PLUS, TIMES}:
            base = _RATES[kind] if np.isnan(made.number) else float(np.log(made.number))
            return rate * base, RATIOS
        elif kind == "logit" and rest <= {TIMES}:
            return rate, ODDS_RATIOS
        elif gives_ratios(kind) and not rest:
            return rate, RATIOS
        else:
            return 0.0, RATIOS
    return 0.0, RATIOS
