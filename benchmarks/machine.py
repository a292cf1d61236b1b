"""The machine and the versions that results are from, without paths or host names."""

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib

from benchmarks.memory import total_gigabytes

PACKAGES = [
    "skhisto",
    "tensorflow",
    "keras",
    "scikit-learn",
    "numpy",
    "pillow",
    "joblib",
    "distributed",
    "scikeras",
    "skorch",
    "torch",
    "onnxruntime",
    "openvino",
]
FLAGS = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"]
VARIABLES = [
    "KMP_BLOCKTIME",
    "MALLOC_ARENA_MAX",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "ONEDNN_MAX_CPU_ISA",
    "TF_CPU_ALLOCATOR_USE_BFC",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "XLA_FLAGS",
]


def n_cores() -> int:
    """Return the cores that this process may use."""
    return joblib.cpu_count()


def describe_machine() -> str:
    """Return the date, the machine and the versions as a list in Markdown."""
    names = [f"{name} {_version(name)}" for name in PACKAGES]
    lines = [
        f"Date: {time.strftime('%Y-%m-%d')}{commit()}",
        f"Machine: {machine()}",
        f"System: {_system()}, Python {platform.python_version()}",
        f"Versions: {', '.join(names)}",
        f"Environment: {_environment()}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def machine() -> str:
    """Return the processor, its cores and instructions, and the memory."""
    return (
        f"{_cpu()}, {n_cores()} cores, {total_gigabytes():.0f} GB of memory; "
        f"instructions: {_flags()}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _cpu() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _flags() -> str:
    present = _cpuinfo("flags").split()
    if not present:
        return "unknown"
    return ", ".join(f"{'' if flag in present else 'no '}{flag}" for flag in FLAGS)


def _cpuinfo(name: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    values = [line.partition(":") for line in lines]
    return next((v.strip() for key, _, v in values if key.strip() == name), "")


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.system()} {platform.release()}"


def _environment() -> str:
    values = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return ", ".join(values) or "no variable set that changes speed or memory"


def commit() -> str:
    """Return ", commit " and its number, or nothing outside of a repository."""
    number = _git("rev-parse", "--short", "HEAD")
    if not number:
        return ""
    changed = _git("status", "--porcelain", "--", "skhisto", "benchmarks")
    return f", commit {number}{' with changes' if changed else ''}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
