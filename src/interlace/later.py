"""Modules that are loaded when something of them is asked for.

A fitted model can be asked hundreds of things, and loading the answers to all of them takes longer than most
fits. A package that says

    if not TYPE_CHECKING:
        __getattr__ = modules_of(__name__)

gives its modules to ``from package import module`` without loading them; ``module.name`` loads them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module, and is not in `sys.modules`: the module itself takes its place in the package."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return _loaded(self.__name__).__dict__

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded(self.__name__), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_loaded(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_loaded(self.__name__), name)

    def __dir__(self) -> list[str]:
        return dir(_loaded(self.__name__))


def _loaded(name: str) -> ModuleType:
    """The module itself. Before Python 3.12, Ctrl-C while a class is made comes as a RuntimeError."""
    try:
        return import_module(name)
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        raise


def modules_of(package: str) -> Callable[[str], ModuleType]:
    """What a package answers by when it is asked for a name that it does not have."""

    def answer(name: str) -> ModuleType:
        module = f"{package}.{name}"
        if name.startswith("_") or find_spec(module) is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return _Later(module)

    return answer
