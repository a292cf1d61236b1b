"""The machine and the versions behind results, without paths and host names."""

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
# Names of variables, or their beginnings, that change speed or memory.
VARIABLES = (
    "KMP_",
    "MALLOC_",
    "OMP_",
    "ONEDNN_",
    "TF_CPU_",
    "TF_ENABLE_",
    "TF_NUM_",
    "XLA_",
)


def use_cpu() -> None:
    """Hide GPUs and the messages of TensorFlow, also from child processes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return joblib.cpu_count()


def describe_machine() -> str:
    """Return the date, the machine and the versions as a list in Markdown."""
    variables = sorted(name for name in os.environ if name.startswith(VARIABLES))
    environment = ", ".join(f"{name}={os.environ[name]}" for name in variables)
    lines = [
        f"Date: {time.strftime('%Y-%m-%d')}{commit()}",
        f"Machine: {machine()}",
        f"System: {_system()}, Python {platform.python_version()}",
        f"Versions: {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}",
        f"Environment: {environment or 'no variable set that changes speed or memory'}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def machine() -> str:
    """Return the processor, its cores and instructions, and the memory."""
    processor = _cpuinfo("model name") or platform.processor() or platform.machine()
    flags = _cpuinfo("flags").split()
    found = ", ".join(f"{'' if flag in flags else 'no '}{flag}" for flag in FLAGS)
    return (
        f"{processor}, {n_cores()} cores, {total_gigabytes():.0f} GB of memory; "
        f"instructions: {found if flags else 'unknown'}"
    )


def commit() -> str:
    """Return ", commit " and its number, or "" outside of a repository."""
    number = _git("rev-parse", "--short", "HEAD")
    if not number:
        return ""
    changed = _git("status", "--porcelain", "--", "skhisto", "benchmarks")
    return f", commit {number}{' with changes' if changed else ''}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _cpuinfo(name: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    values = [line.partition(":") for line in lines]
    return next((v.strip() for key, _, v in values if key.strip() == name), "")


def _system() -> str:
    kernel = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except OSError:
        return kernel


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
