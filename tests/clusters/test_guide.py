"""What the guide says about clusters that tests do not have."""

import re
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("dask_jobqueue")

PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "clusters.rst"


def test_the_job_script_starts_one_fit_at_a_time_with_8_cores(capsys):
    block = re.search(
        r"code-block:: python\n\n((?:    .*\n|\n)*?.*SLURMCluster\((?:    .*\n|\n)+)",
        PAGE.read_text(encoding="utf-8"),
    )
    namespace = {}
    exec(textwrap.dedent(block[1]), namespace)
    try:
        script = capsys.readouterr().out
    finally:
        namespace["cluster"].close()
    assert "#SBATCH --cpus-per-task=8\n" in script
    assert "#SBATCH --mem=15G\n" in script
    worker = script.split("export TF_NUM_INTRAOP_THREADS=8\n")[1]
    assert "distributed.cli.dask_worker" in worker
    assert "--nthreads 1 " in worker
    assert "--nworkers" not in worker
