"""Puts the library and the programs beside the Python files: built by CMake, or those of an installed prefix (VLMQ_PREFIX)."""

import os
import pathlib
import re
import shutil
import subprocess

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAMS = ["vlm-calibrate", "vlm-eval", "vlm-inspect", "vlm-quantize", "vlm-run"]


def version():
    """project(vlmq VERSION ...) is the one place where the number stands."""
    found = re.search(r"project\(vlmq VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    return found.group(1)


def build(folder):
    """Builds into `folder` and returns the prefix that holds what a wheel needs."""
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", folder, "-DVLMQ_TESTS=OFF", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_INSTALL_LIBDIR=lib"],
        check=True,
    )
    jobs = str(os.cpu_count() or 1)
    subprocess.run(["cmake", "--build", folder, "--parallel", jobs, "--target", "vlmq", *PROGRAMS], check=True)
    prefix = folder / "wheel"
    (prefix / "lib").mkdir(parents=True, exist_ok=True)
    (prefix / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "libvlmq.so", prefix / "lib" / "libvlmq.so")
    for program in PROGRAMS:
        shutil.copy(folder / program, prefix / "bin" / program)
    return prefix


def library_of(prefix):
    """libvlmq.so of an installed prefix, wherever the system keeps libraries."""
    found = sorted(prefix.glob("lib*/libvlmq.so")) + sorted(prefix.glob("lib/*/libvlmq.so"))
    if not found:
        raise SystemExit(f"{prefix}: no lib/libvlmq.so; install vlmq there first, or leave VLMQ_PREFIX out to build it")
    return found[0]


class WithLibrary(build_py):
    def run(self):
        super().run()
        prefix = os.environ.get("VLMQ_PREFIX")
        prefix = pathlib.Path(prefix) if prefix else build(HERE / "build" / "cmake")
        package = pathlib.Path(self.build_lib) / "vlmq"
        for kind in ("lib", "bin"):
            (package / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(library_of(prefix), package / "lib" / "libvlmq.so")
        for program in PROGRAMS:
            if (prefix / "bin" / program).exists():
                shutil.copy(prefix / "bin" / program, package / "bin" / program)


class OfThisMachine(bdist_wheel):
    """Not pure, but no extension either: any Python 3 on this kind of machine."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(version=version(), cmdclass={"build_py": WithLibrary, "bdist_wheel": OfThisMachine})
