"""Settings of the documentation site; `toolkit docs` gathers the pages and runs Sphinx on them."""

from toolkit import __version__

project = "Koopman & Symmetry Toolkit"
copyright = "the contributors, MIT licence"
release = __version__
html_title = project

extensions = ["myst_parser", "sphinx.ext.viewcode", "toolkit.docs.extension"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["README.md"]
myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

add_module_names = False
modindex_common_prefix = ["toolkit."]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
viewcode_follow_imported_members = False
viewcode_line_numbers = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
pygments_style = "default"
pygments_dark_style = "github-dark"
html_theme_options = {"navigation_with_keys": True}
