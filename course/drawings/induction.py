"""How an induction head finds what came next the last time, by two ways."""

from __future__ import annotations

from course.drawings.svg import Canvas, Drawing, cells


def induction() -> Drawing:
    """An induction head: the previous-token head's note, the match, the copy, the prediction."""
    canvas, y = Canvas(), 118
    _row(canvas, ("…", "A", "B", "…", "A"), (50, 150, 270, 390, 510), y, prediction=640)
    canvas.arc((270, y - 20), (510, y - 20), 84, "write")
    canvas.text((390, 20), "③ layer 1, induction head: looks at B, and copies it", "bold")
    canvas.arc((150, y + 20), (270, y + 20), -58, "write")
    canvas.text((20, 208), "① layer 0, previous-token head:", "bold", "start")
    canvas.text((20, 226), "carries A one step on, as a note", anchor="start")
    canvas.path(f"M280 {y + 20}V192", "thin")
    canvas.path(f"M510 {y + 20}V192", "thin")
    canvas.box((256, 194), (132, 42), "key", "“after an A”")
    canvas.box((444, 194), (132, 42), "query", "“who is after A?”")
    canvas.path("M390 215H442", "read")
    canvas.text((416, 252), "② the two match (K-composition)", "bold")
    return Drawing(
        "Induction, step by step",
        "The text is: A, B, something else, and A again. One: in layer 0 a previous-token head "
        "carries A to the position of B, as a note that says: after an A. Two: in layer 1 the "
        "query of the second A asks who is after an A, and matches the key of B, which is made "
        "from the note: K-composition. Three: so the induction head looks at B and copies it. "
        "Four: the "
        "prediction after the second A is B.",
        *(760, 266, str(canvas), "induction"),
    )


def two_back() -> Drawing:
    """The other way: a note of the left neighbour, matched with a note of what stood two back."""
    canvas, y = Canvas(), 118
    _row(canvas, ("X", "A", "B", "…", "X", "A"), (60, 160, 270, 380, 440, 540), y, prediction=660)
    canvas.arc((270, y - 20), (540, y - 20), 84, "write")
    canvas.text((400, 20), "④ layer 1: looks at B, and copies it", "bold")
    canvas.arc((60, y + 20), (262, y + 20), -72, "write")
    canvas.arc((440, y + 20), (532, y + 20), -52, "write")
    canvas.text((20, 208), "① layer 0, one head:", "bold", "start")
    canvas.text((20, 226), "carries X two steps on", anchor="start")
    canvas.text((600, 208), "② layer 0, the other:", "bold", "start")
    canvas.text((600, 226), "carries X one step on", anchor="start")
    canvas.path(f"M280 {y + 20}V192", "thin")
    canvas.path(f"M548 {y + 20}V192", "thin")
    canvas.box((212, 194), (146, 42), "key", "“X two before me”")
    canvas.box((446, 194), (146, 42), "query", "“X just before me”")
    canvas.path("M360 215H444", "read")
    canvas.text((402, 252), "③ the two match (K- and Q-composition)", "bold")
    return Drawing(
        "The two-back way to the same place",
        "The text is: X, A, B, something else, and again X, A. One: in layer 0 one head carries X "
        "two steps on, to B, as a note: X was two before me. Two: the previous-token head carries "
        "the second X one step on, to the second A, as a note: X is just before me. Three: in "
        "layer 1 the query is made from the second note and the key from the first, and both speak "
        "of X, so they match: K- and Q-composition at once. Four: the head looks at B and copies "
        "it. Five: the prediction after the second A is B.",
        *(760, 266, str(canvas), "two-back"),
    )


def _row(
    canvas: Canvas, words: tuple[str, ...], xs: tuple[float, ...], y: float, prediction: float
) -> None:
    """The tokens, and behind the last one the prediction in a dashed box."""
    cells(canvas, words, xs, y)
    number = "④" if len(words) == 5 else "⑤"
    canvas.arrow((xs[-1] + 22, y), (prediction - 24, y), style="write")
    canvas.rectangle((prediction - 20, y - 18), (40, 36), "read")
    canvas.text((prediction, y), "B", "bold code")
    canvas.text((prediction, y - 32), f"{number} the prediction", "bold")
