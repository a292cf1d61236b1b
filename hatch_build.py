"""Metadata of the package that need the public address of the repository."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_MODULE = Path(__file__).parent / "docs" / "site_address.py"


class AddressHook(MetadataHookInterface):
    """Make links of the README absolute and add the addresses, if they are known."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the fields that ``pyproject.toml`` calls dynamic."""
        spec = importlib.util.spec_from_file_location("site_address", _MODULE)
        site_address = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(site_address)
        repository, site = site_address.addresses()
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": site_address.absolute_links(readme, repository),
        }
        metadata["urls"] = site_address.package_urls(repository, site)
