"""A page as a person sees it: its title, its forms and its links, read out of the HTML.

Never here: what is done with it (`demo_visitor`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Form:
    """A form as it stands in the page."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def asks_password(self) -> bool:
        return "password" in self.types.values()

    @property
    def asks_code(self) -> bool:
        return self.types.get("code") == "text"

    def button_with(self, value: str) -> tuple[str, str] | None:
        return next((button for button in self.buttons if button[1] == value), None)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a navigation ended; forms and links are what a person can do there."""

    url: str
    status: int
    title: str
    forms: tuple[Form, ...]
    links: tuple[tuple[str, str], ...]
    """The words of each link, and where it leads."""

    def link(self, words: str) -> str | None:
        """Where the first link with exactly these words leads."""
        return next((href for said, href in self.links if said == words), None)


def read(url: str, status: int, html: str) -> Page:
    """The page in `html`, however it is written."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    links = tuple((" ".join(said.split()), href) for said, href in reader.links)
    return Page(url, status, " ".join(reader.title.split()), tuple(reader.forms), links)


class _Reader(HTMLParser):
    """Collects the title, the forms and the links; fields outside of forms are nobody's."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self._form: Form | None = None
        self._in_title = False
        self._in_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "title":
            self._in_title = True
        elif tag == "a" and "href" in given:
            self.links.append(("", given["href"]))
            self._in_link = True
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").upper())
            self.forms.append(self._form)
        elif self._form is not None and "disabled" not in given:
            _take_field(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "a":
            self._in_link = False
        elif tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._in_link:
            said, href = self.links[-1]
            self.links[-1] = (said + data, href)


def _take_field(form: Form, tag: str, given: dict[str, str]) -> None:
    name, kind = given.get("name", ""), given.get("type", "text").lower()
    if tag == "button" and given.get("type", "submit") == "submit":
        form.buttons.append((name, given.get("value", "")))
    if tag != "input":
        return
    if kind == "submit":
        form.buttons.append((name, given.get("value", "")))
    elif name and (kind not in ("checkbox", "radio") or "checked" in given):
        form.fields[name] = given.get("value", "on" if kind == "checkbox" else "")
        form.types[name] = kind
