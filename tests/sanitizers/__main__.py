"""The compiled core under the sanitizers of GCC or Clang, on Linux.

    make sanitize
    PYTHONPATH=tests python -m sanitizers address
    PYTHONPATH=tests python -m sanitizers thread

"address" looks for memory that is not the core's and for undefined behaviour, "thread" for races between
threads. Each compiles a core of its own into `build/sanitize-...` and runs `sanitizers.work` on it, and
"address" a part of the tests as well. Exits with 1 at the first finding, which the sanitizer prints.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
KINDS = {"address": "address,undefined", "thread": "thread"}
RUNTIMES = {
    "address": ["libasan.so", "libubsan.so", "libstdc++.so"],
    "thread": ["libtsan.so", "libstdc++.so"],
}
OPTIONS = {
    # Python and NumPy keep memory until the process ends, which is no leak of the core.
    "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    # Locks of Python and BLAS are not seen where these were compiled without the sanitizer.
    "TSAN_OPTIONS": "halt_on_error=1:ignore_noninstrumented_modules=1:report_signal_unsafe=0",
}
# Not those that fork, send signals or measure time.
TESTS = ["tests/estimation", "tests/linear", "tests/structures"]
LEFT_OUT = ["fork", "interrupt", "signal", "seconds", "time", "memory", "process"]


def main() -> int:
    kinds = sys.argv[1:] or list(KINDS)
    return max(check(kind) for kind in kinds)


def check(kind: str) -> int:
    """0 where nothing is found."""
    package = build(kind)
    done = run(kind, package, "-m", "sanitizers.work")
    if done == 0 and kind == "address":
        unwanted = " and ".join(f"not {word}" for word in LEFT_OUT)
        options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-k", unwanted]
        options.append("--capture=sys")  # else what a sanitizer prints before it ends the process is lost
        done = run(kind, package, "-m", "pytest", *options, *TESTS)
    print(f"sanitizer {KINDS[kind]}: {'nothing found' if done == 0 else 'see above'}", flush=True)
    return int(done != 0)


def build(kind: str) -> Path:
    """A folder with the package and a core that was compiled with the sanitizer."""
    folder = ROOT / "build" / f"sanitize-{kind}"
    options = [
        f"-DINTERLACE_SANITIZE={KINDS[kind]}",
        "-DINTERLACE_WARNINGS_ARE_ERRORS=OFF",
        f"-DPython_EXECUTABLE={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Debug",
    ]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path}
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", folder / "cmake", "-G", "Ninja", *options],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(["ninja", "-C", folder / "cmake"], check=True, env=environment, stdout=subprocess.DEVNULL)
    package = folder / "package" / "interlace"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "src" / "interlace", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for library in (folder / "cmake").glob("_core*.so"):
        shutil.copy(library, package)
    return package.parent


def run(kind: str, package: Path, *command: str) -> int:
    """The exit code of Python on that package, with the sanitizer's library loaded first."""
    compiler = os.environ.get("CC", "cc")
    libraries = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True
        ).stdout
        for name in RUNTIMES[kind]
    ]
    environment = os.environ | OPTIONS
    environment["LD_PRELOAD"] = " ".join(library.strip() for library in libraries)
    environment["PYTHONPATH"] = os.pathsep.join([str(package), str(ROOT / "tests")])
    environment["PYTHONMALLOC"] = "malloc"
    # The thread sanitizer wants addresses that the kernel has not shuffled.
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []
    return subprocess.run([*fixed, sys.executable, *command], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
