"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    """Folder of real patches, regions and bad files."""
    folder = os.environ.get("SKHISTO_DATA")
    if not folder:
        pytest.skip("set SKHISTO_DATA to the folder of real patches to run this test")
    return Path(folder)
