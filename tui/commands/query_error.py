"""Where in the text a refusal points: the line, and carets under the place."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from workspace.text import plain_lines

_WIDEST = 100


def marked(text: str, start: int | None, end: int | None, width: int = _WIDEST) -> list[str]:
    """Two lines, empty where the place is not known. A place that spans lines is marked to the end of its first; a
    line that is wider than `width` is cut around the place."""
    if start is None or not 0 <= start <= len(text):
        return []
    before = text[:start].splitlines() or [""]
    if text[:start].endswith(("\n", "\r")):
        before.append("")
    line_start = start - len(before[-1])
    line = (text[line_start:].splitlines() or [""])[0]
    stop = min(end if end is not None and end > start else start + 1, line_start + len(line))
    number = f"{len(before)}: " if "\n" in text.strip() else ""
    head, place, tail = (_shown(part) for part in (before[-1], text[start:stop], line[stop - line_start :]))
    room = max(20, width - len(number))
    if cell_len(head) > room // 2:
        head = "…" + _tail(head, room // 2 - 1)
    place = set_cell_size(place, room - cell_len(head)) if cell_len(head) + cell_len(place) > room else place
    rest = room - cell_len(head) - cell_len(place)
    tail = set_cell_size(tail, max(0, rest - 1)) + "…" if cell_len(tail) > rest else tail
    indent = " " * (len(number) + cell_len(head))
    return [f"{number}{head}{place}{tail}".rstrip(), indent + "^" * max(1, cell_len(place))]


def _shown(part: str) -> str:
    return "".join(plain_lines(part))


def _tail(text: str, width: int) -> str:
    while cell_len(text) > width:
        text = text[max(1, (cell_len(text) - width) // 2) :]
    return text
