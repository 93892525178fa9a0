"""Pages as a browser reads them: any error in the HTML raises."""

import html5lib

HTML = "{http://www.w3.org/1999/xhtml}"


def parse(page):
    return html5lib.HTMLParser(strict=True, tree=html5lib.getTreeBuilder("etree")).parse(page)


def content(element):
    """Text of an element; symbols in it as they are typed: f_b."""
    return " ".join(_text(element).split())


def _text(element):
    inner = [_text(child) + (child.tail or "") for child in element]
    return (element.text or "") + ("_" if element.tag.endswith("}msub") else "").join(inner)


def rows_of(document, name):
    """Cells of the rows of each table of a class, header cells of rows included, without the head."""
    tables = [table for table in document.iter(f"{HTML}table") if table.get("class") == name]
    return [[[content(cell) for cell in row] for row in table.iter(f"{HTML}tr")][1:] for table in tables]
