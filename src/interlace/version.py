"""The version of the package that is installed."""

from __future__ import annotations


def installed_version() -> str:
    """The version, "unknown" for a source tree that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("interlace")
    except PackageNotFoundError:
        return "unknown"


def other_package() -> str:
    """What to say where the distribution `interlace-lme` is installed beside this one; "" where it is not.

    It is another package that installs a module of the same name into the same folder.
    """
    from glob import glob
    from os.path import dirname, join

    folder = dirname(dirname(__file__))
    if not glob(join(folder, "interlace_lme-*.dist-info")):
        return ""
    return (
        "the distribution 'interlace-lme' is another package, and installs its files under the name "
        "'interlace' into the folder of this one: either may have overwritten files of the other. Uninstall "
        "both, and install the one that you want: pip uninstall interlace-lme interlace"
    )
