"""The documentation site: pages from docstrings, notebooks and help texts, and their check."""
