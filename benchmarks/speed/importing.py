"""The time of ``import skhisto``, next to other libraries."""

import subprocess
import sys

from benchmarks.options import Options
from benchmarks.table import Section, Table, as_text, median, spread
from benchmarks.worker import INSTALL

BASE = "sklearn"
OURS = "skhisto"
MODULES = [BASE, OURS, "keras", "scikeras.wrappers", "skorch"]
CODE = """
import sys, time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start, "tensorflow" in sys.modules, "torch" in sys.modules)
"""


def run(options: Options) -> Section:
    """Measure imports."""
    modules = MODULES[:2] if options.quick else MODULES
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    notes: dict[str, str] = {}
    for number in range(options.rounds + 1):
        for module in modules:
            try:
                time, notes[module] = _import(module)
            except ImportError as error:
                notes[module] = str(error)
                continue
            if number > 0:  # the first import compiles bytecode and reads files
                seconds[module].append(time)
    base, ours = median(seconds[BASE]), median(seconds[OURS])
    table = Table(["", "s", "lowest to highest", f"s beyond {BASE}", "this / skhisto"])
    for module in modules:
        name, time = f"import {module}", median(seconds[module])
        if seconds[module]:
            ends = spread(seconds[module])
            table.add(name, time, ends, time - base, time / ours, note=notes[module])
        else:
            table.fail(name, notes[module])
    table.remarks.append(
        f"`import skhisto` takes {as_text(ours - base)} s longer than `import {BASE}` "
        f"and {notes[OURS]}."
    )
    return Section(
        "Import time",
        f"Time of an import in a new Python. Medians over {options.rounds} turn(s), "
        "after one that is not counted.",
        [table],
    )


def _import(module: str) -> tuple[float, str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last_line = done.stderr.strip().splitlines()[-1]
        missing = "ModuleNotFoundError" in last_line
        raise ImportError(INSTALL if missing else last_line)
    time, *flags = done.stdout.split()[-3:]
    names = zip(("TensorFlow", "PyTorch"), flags, strict=True)
    imported = " and ".join(name for name, flag in names if flag == "True")
    return float(time), f"imports {imported or 'neither TensorFlow nor PyTorch'}"
