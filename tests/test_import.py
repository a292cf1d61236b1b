import os
import subprocess
import sys

import pytest


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize(
    "code",
    [
        "import skhisto",
        "from skhisto import PatchCNNClassifier",
        "from skhisto import *",
        "from skhisto import PatchCNNClassifier; repr(PatchCNNClassifier())",
        "from skhisto import PatchCNNClassifier; PatchCNNClassifier()._repr_html_()",
        "from skhisto import PatchCNNClassifier; PatchCNNClassifier().get_params()",
        "from skhisto import PatchCNNClassifier; import sklearn; "
        "sklearn.clone(PatchCNNClassifier())",
        "from skhisto import PatchEmbedder; repr(PatchEmbedder()._repr_html_())",
        "from skhisto import PatchEmbedder; import sklearn; "
        "sklearn.clone(PatchEmbedder())",
        "from skhisto import make_patches; make_patches(2, size=12)",
    ],
)
def test_nothing_imports_tensorflow_before_it_is_needed(code):
    result = run(
        f"{code}\nimport sys\n"
        "print([m for m in ('tensorflow', 'keras', 'scikeras', 'matplotlib', 'onnxruntime', 'h5py') "
        "if m in sys.modules])"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[]\n"
    assert result.stderr == ""


def test_another_backend_of_keras_is_a_clear_error_at_fit():
    result = run(
        "from skhisto import PatchCNNClassifier\n"
        "import numpy as np\n"
        "classifier = PatchCNNClassifier()\n"
        "classifier.fit(np.zeros((2, 4, 4, 3)), [0, 1])",
        KERAS_BACKEND="torch",
    )
    assert "RuntimeError: skhisto needs the Keras backend 'tensorflow'" in result.stderr
    assert (
        "the backend is 'torch'. Set the environment variable KERAS_BACKEND"
        in result.stderr
    )


def test_the_backend_in_keras_configuration_file_is_looked_at_too(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "numpy"}')
    environment = {"KERAS_HOME": str(tmp_path)}
    result = run("import skhisto._keras", **environment)
    assert "skhisto needs" in result.stderr
