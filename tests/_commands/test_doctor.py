import pytest
from packaging.requirements import Requirement

import skhisto
from skhisto._commands import doctor
from skhisto._commands.main import main
from skhisto._commands.packages import REQUIRED, Package
from skhisto._keras import precision
from skhisto._keras._threads import n_threads


@pytest.fixture
def report(monkeypatch, capsys):
    """Run the command where packages have problems, and return code and report."""

    def report(problems=(), extras=(("slides", ["shapely", "tifffile"]),)):
        problems = dict(problems)
        needed = {REQUIRED: ["numpy", "tensorflow"], **dict(extras)}
        requirements = {extra: [*map(Requirement, n)] for extra, n in needed.items()}

        def examine(wanted):
            return {
                r: Package(
                    r.name,
                    None if problems.get(r.name) == "not installed" else "1.2",
                    problems.get(r.name),
                )
                for r in wanted
            }

        monkeypatch.setattr(doctor, "requirements_by_extra", lambda: requirements)
        monkeypatch.setattr(doctor, "examine", examine)
        return main(["doctor"]), " ".join(capsys.readouterr().out.split())

    return report


def test_versions_and_extras_are_reported(report):
    code, text = report()
    assert code == 0
    assert f"skhisto {skhisto.__version__}" in text
    assert "numpy 1.2" in text
    assert "Extras slides installed" in text


def test_the_precision_is_reported_with_its_reason(report):
    chosen, reason = precision.explain_auto()
    assert f'precision="auto" {chosen}. {reason}' in report()[1]
    assert f"threads {n_threads()} " in report()[1]


def test_missing_and_broken_packages_come_with_the_command_that_installs_them(report):
    code, text = report({"shapely": "not installed", "tifffile": "OSError: broken"})
    assert code == 0
    assert (
        "slides shapely: not installed; tifffile: 1.2, but OSError: broken. Run: "
        'pip install "skhisto[slides]"'
    ) in text


def test_engines_are_reported_if_no_extra_lists_them(report):
    _, text = report({"openvino": "not installed"})
    assert "OpenVINO not installed (for predictions" in text
    assert "ONNX Runtime 1.2 (for ONNX files" in text


def test_a_broken_tensorflow_is_not_imported(report, monkeypatch):
    monkeypatch.setattr(precision, "explain_auto", None)
    code, text = report({"tensorflow": "ImportError: broken"})
    assert code == 1
    assert "tensorflow 1.2, but ImportError: broken" in text
    assert "precision unknown, because tensorflow cannot be used" in text


def test_an_error_of_tensorflow_is_reported(report, monkeypatch):
    monkeypatch.setattr(precision, "explain_auto", lambda: 1 / 0)
    code, text = report()
    assert code == 0
    assert "precision unknown. ZeroDivisionError: division by zero" in text


def test_a_package_that_is_not_installed_has_no_list_of_extras(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "requirements_by_extra", dict)
    monkeypatch.setattr(
        doctor, "examine", lambda rs: {r: Package(r.name, "1", None) for r in rs}
    )
    assert main(["doctor"]) == 0
    assert "skhisto is not installed as a package" in capsys.readouterr().out


def test_the_report_of_this_machine_is_complete(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for title in ("Versions", "Computation", "Engines", "Extras"):
        assert f"{title}\n  " in text
    assert "tensorflow" in text
