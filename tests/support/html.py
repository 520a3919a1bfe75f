"""Read a page as a strict browser would."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

ASKING = {'script', 'link', 'iframe', 'object', 'form', 'base', 'embed', 'frame', 'video', 'audio', 'source', 'svg'}
SOURCES = ('src', 'href', 'srcset', 'data', 'poster', 'action', 'background', 'xlink:href', 'imagesrcset')
VOID = {'meta', 'img', 'br', 'link', 'input', 'hr'}


class Page(HTMLParser):
    """Reads a page, and fails where a tag is not closed, an attribute is there twice or an id is not its own."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        ids = [attributes['id'] for _, attributes in self.tags if 'id' in attributes]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag, attrs) -> None:
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_alone(text: str) -> None:
    """Fail where a page is not whole, asks for something outside of itself, or runs something."""
    page = Page(text)
    assert text.startswith('<!DOCTYPE html>')
    assert page.all('html') == [{'lang': 'en'}] and page.all('meta')[0] == {'charset': 'utf-8'}
    assert ASKING.isdisjoint(tag for tag, _ in page.tags)
    assert not any(name.startswith('on') or name == 'http-equiv' for _, attributes in page.tags for name in attributes)
    sources = [a[key] for _, a in page.tags for key in SOURCES if key in a]
    assert sources and all(source.startswith('data:image/') for source in sources)
    assert not re.search(r'url\(|@import|image-set\(', text)
    for source in sources:
        kind, _, data = source.partition(';base64,')
        if kind == 'data:image/svg+xml':
            svg = base64.b64decode(data, validate=True).decode('utf-8')
            assert not re.search(
                r'(href|src)\s*=\s*["\'](?!#|data:)|url\((?!#)|@import|<!|<\?|<(script|foreignObject)', svg
            )
    assert all(image.get('alt') for image in page.all('img'))
    assert '(prefers-color-scheme: dark)' in text
