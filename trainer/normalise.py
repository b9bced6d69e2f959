"""When two answers count as the same. Pure text."""

import unicodedata


def normalise(text: str) -> str:
    """Unicode NFKC, case folded, white space collapsed, punctuation and white space at both ends dropped.

    What carries the meaning stays: the minus sign of a number, and a text that is punctuation all through.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    ends = "".join({character for character in folded if unicodedata.category(character).startswith("P")})
    bare = folded.strip(ends + " ")
    if not bare:
        return folded
    negative = bare[0].isdigit() and folded.partition(bare)[0].endswith("-")
    return f"-{bare}" if negative else bare
