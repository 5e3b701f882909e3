"""The version of the package that is installed."""

from __future__ import annotations


def installed_version() -> str:
    """The version, "unknown" for a source tree that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("interlace")
    except PackageNotFoundError:
        return "unknown"
