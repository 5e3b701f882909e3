"""Does the factor fit in memory? Known before a number is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from operator import mul
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no limits of a process
    resource = None  # type: ignore[assignment]

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.crossproducts import CrossProducts

SHARE = 0.9


class FactorTooLargeError(ModelError):
    """The factor of the random effects does not fit in memory."""


_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


# No factor of a model needs more than a few dense copies of the random effects beyond the first factor; if
# those are small, the system need not be asked.
_SMALL = 2.0**28


def _limit(A: CrossProducts, leading: int) -> float:
    layout = A.layout
    effects = layout.effects
    others = effects - sum(map(mul, layout.levels[:leading], layout.k))
    largest = 8.0 * (4.0 * others**2 + 4.0 * effects * (A.products.p + 1))
    return float("inf") if largest < _SMALL else SHARE * available_bytes()


def available_bytes() -> float:
    """Memory that can still be had, in bytes: the system's own estimate, or the limit of the container if
    that is less."""
    limits = [_system_bytes(), _process_bytes()]
    for name in _CGROUP_LIMITS:
        text = _read(name).strip()
        if text.isdigit():
            limits.append(float(text))
    return min(limits)


def _system_bytes() -> float:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return 1024.0 * float(line.split()[1])
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES")) * float(os.sysconf("SC_PAGE_SIZE"))
    return float("inf")


def _process_bytes() -> float:
    """What the limit of the process (`ulimit -v`) leaves."""
    used = _read("/proc/self/statm").split()
    if resource is None or not used:
        return float("inf")
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    return max(0.0, float(limit) - float(used[0]) * resource.getpagesize())


def _read(name: str) -> str:
    try:
        return Path(name).read_text()
    except OSError:
        return ""


def analyze(
    A: CrossProducts,
    group_names: Callable[[], tuple[str, ...]],
    *,
    precisions: Sequence[kernel.Precision | None] | None = None,
    held: Sequence[Array | None] | None = None,
    limit: float | None = None,
) -> kernel.Symbolic:
    """Symbolic analysis, refused with the numbers if the factor would need more than `limit` bytes.

    Parameters
    ----------
    A : CrossProducts
    group_names : callable
        Names of the grouping factors, in the kernel's order, for the message.
    precisions : sequence, optional
        Per grouping factor in the kernel's order, that of levels with a known covariance; None: independent.
    held : sequence, optional
        Per grouping factor, if it is absorbed, which of its coefficients are 0, (levels, k).
    limit : float, optional
        Bytes; 90% of the available memory by default.

    Raises
    ------
    FactorTooLargeError
        The factor would not fit.
    """
    known = [None] * len(A.layout.k) if precisions is None else precisions
    absorbed = [None] * len(A.layout.k) if held is None else held
    priors = [_prior(Q, own) for Q, own in zip(known, absorbed, strict=True)]
    linked = any([Q is not None for Q in known])
    limit = _limit(A, 0 if linked else 1) if limit is None else limit
    symbolic = kernel.analyze(A.products, priors, limit)
    need = symbolic.bytes(A.products.p)
    if symbolic.complete and need <= limit:
        return symbolic
    sizes = ", ".join(
        f"{name} ({levels:,} levels)" for name, levels in zip(group_names(), A.layout.levels, strict=True)
    )
    how = "linked or crossed" if linked else "crossed"
    raise FactorTooLargeError(
        f"the factor of the random effects would need about {_gigabytes(need)}, and {_gigabytes(limit)} can "
        f"be had: the grouping factors {sizes} are {how} so densely that {symbolic.q_rest:,} random "
        "effects must be factorised together. Fit without a factor (solver='iterative'), use a machine with "
        "more memory, leave out the rarest levels, or drop a random term"
    )


def _prior(Q: kernel.Precision | None, held: Array | None) -> kernel.Prior:
    if held is not None:
        return kernel.Prior.none(np.ascontiguousarray(held.ravel(), dtype=np.int32))
    return kernel.Prior.identity() if Q is None else kernel.Prior.known(Q)


def check_room(needed: float, what: str) -> None:
    """Refuse work that needs more memory than can be had.

    Parameters
    ----------
    needed : float
        Bytes.
    what : str
        What needs them, and what to do instead: "CR2 needs {} for the largest cluster; use CR1".

    Raises
    ------
    ModelError
    """
    if needed > _SMALL and needed > SHARE * available_bytes():
        raise ModelError(what.format(f"about {_gigabytes(needed)}"))


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"
