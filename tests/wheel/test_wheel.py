"""The wheel of this machine: built, looked into, and installed in an environment that knows no checkout.

`WHEELS=folder` names a folder with a wheel that is built already, as `make wheel` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    """What a command prints; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("WHEELS")
    folder = ROOT / given if given else tmp_path_factory.mktemp("wheels")
    if not given:
        options = ["--no-deps", "--no-build-isolation", "-w", folder]
        run(sys.executable, "-m", "pip", "wheel", *options, ROOT, cwd=folder)
    return max(folder.glob("interlace-*.whl"), key=lambda path: path.stat().st_mtime)


def test_its_name_says_which_python_it_is_for(wheel: Path) -> None:
    stable = sys.version_info >= (3, 12)
    tags = "cp312-abi3" if stable else f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}"
    assert f"-{tags}-" in wheel.name


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"interlace"}
    assert {"interlace/__init__.py", "interlace/py.typed"} <= set(names)
    assert any(name.startswith("interlace/_core.") for name in names)
    assert any(name.startswith("interlace/datasets/") and "sleepstudy" in name for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.endswith((".cpp", ".hpp", ".o", ".pyc")) or "/tests/" in name]


def test_it_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are those of this environment; the package itself is the wheel's."""
    run(sys.executable, "-m", "venv", tmp_path / "fresh", cwd=tmp_path)
    scripts = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    others = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    Path(site, "dependencies.pth").write_text("\n".join(others) + "\n")
    where = run(python, "-c", "import interlace._core as c; print(c.__file__)", cwd=tmp_path)
    assert where.startswith(site)
    printed = run(
        scripts / "interlace", "fit", "Reaction ~ Days + (Days | Subject)", "sleepstudy", cwd=tmp_path
    )
    assert "REML criterion at convergence: 1743.6" in printed
    tests = ROOT / "tests" / "wheel" / "test_installed.py"
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", tmp_path, "--noconftest"]
    assert "3 passed" in run(python, "-m", "pytest", *options, tests, cwd=tmp_path)
