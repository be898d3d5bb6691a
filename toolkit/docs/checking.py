"""What a reader must never meet on the site: a link to nowhere, a missing picture, an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What shows that something went wrong, where it is printed on a page.
ERRORS = ("Traceback (most recent call last)", "NotImplementedError Traceback", "{py:obj}`")
_LINKS = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}


@dataclass
class Page(HTMLParser):
    """The anchors, the links and the output of a page."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's anchor, its link, and whether it is an error."""
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        classes = found.get("class", "").split()
        if "system-message" in classes or {"output", "error"} <= set(classes):
            self.problems.append("an error is shown")
        link = found.get(_LINKS.get(tag, ""))
        if link:
            self.links.append(link)
        elif tag == "img":
            self.problems.append("a picture without a file")
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave what is not read."""
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Look for what only a failure prints."""
        if not self._inside:
            self.problems += [f"it says {error!r}" for error in ERRORS if error in data]


def check_site(site: Path) -> list[str]:
    """Every problem of a built site, each with its page; none is good.

    Links to other sites are not followed. Listings of our own source may speak of errors.
    """
    site = site.resolve()
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        return [f"{site}: there is no page"]
    found = []
    for path, page in pages.items():
        listing = "_modules" in path.parts
        problems = [*([] if listing else page.problems), *_broken(path, page, pages, site)]
        found += [f"{path.relative_to(site)}: {problem}" for problem in dict.fromkeys(problems)]
    return found


def _read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def _broken(path: Path, page: Page, pages: dict[Path, Page], site: Path) -> list[str]:
    found = []
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            if parts.scheme == "data" and link.endswith("base64,"):
                found.append("an empty picture")
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file() or not target.is_relative_to(site):
            found.append(f"{link} leads nowhere")
        elif target in pages and parts.fragment:
            anchors = pages[target].anchors
            found += [] if unquote(parts.fragment) in anchors else [f"{link} has no such place"]
    return found
