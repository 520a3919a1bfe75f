"""In the place of PyYAML, as if it were missing."""

raise ModuleNotFoundError("No module named 'yaml'")
