"""The HTML summary of a fitted classifier in notebooks."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from sklearn.base import BaseEstimator

# The structure and the class names of scikit-learn's parameter table, for its style.
_TABLE = """
<div class="estimator-table">
    <details>
        <summary>{summary}</summary>
        <table class="parameters-table">
            <tbody>{rows}</tbody>
        </table>
    </details>
</div>
"""


class FittedSummary:
    """Tables of the fit and the layers of a classifier.

    scikit-learn shows them in the diagram of an estimator. By default, scikit-learn
    would list all attributes, and reading `model_` would build a network.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        A fitted classifier.
    """

    def __init__(self, classifier: BaseEstimator) -> None:
        self._classifier = classifier

    def __len__(self) -> int:
        return len(self._classifier.layers_)

    def _repr_html_inner(self) -> str:
        weights = self._classifier.weights_.values()
        n_parameters = sum(weight.size for weight in weights)
        rows = [
            (
                layer["name"],
                layer["type"],
                _by(layer["output_shape"]),
                f"{layer['n_parameters']:,}",
            )
            for layer in self._classifier.layers_
        ]
        heads = ("Layer", "Type", "Output", "Parameters")
        return _table("Fit", _fit_rows(self._classifier)) + _table(
            f"Network of {n_parameters:,} parameters", rows, heads
        )


def _fit_rows(classifier: BaseEstimator) -> list[tuple[str, str]]:
    shape = f"{_by(classifier.patch_shape_)}, {classifier.pixel_dtype_}"
    rows = [
        ("classes", ", ".join(map(str, classifier.classes_.tolist()))),
        ("patches", shape),
        ("precision", classifier.precision_),
        ("epochs", str(classifier.n_iter_)),
    ]
    epoch = classifier.best_epoch_ or classifier.n_iter_
    for name, values in classifier.history_.items():
        rows.append((f"{name}, epoch {epoch}", f"{values[epoch - 1]:.4f}"))
    return rows


def _by(shape: Iterable[int | None] | None) -> str:
    if shape is None:
        return ""
    return " x ".join("any" if n is None else str(n) for n in shape)


def _table(
    summary: str, rows: Sequence[Sequence[Any]], heads: Sequence[str] = ()
) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    lines = [f"<tr>{head}</tr>"] if heads else []
    for row in rows:
        cells = "".join(f"<td>{escape(str(cell))}</td>" for cell in row)
        lines.append(f'<tr class="default">{cells}</tr>')
    return _TABLE.format(summary=escape(summary), rows="\n".join(lines))
