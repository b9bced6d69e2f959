"""Sends what it gets at its standard input, an event as JSON, to the URL in $GUESSBOOK_WEBHOOK. A process of its own: it can be killed when it takes too long.

Follows no redirection: the address in config.yaml is the one that was meant.
"""

import os
import sys
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

ANSWER_BYTES = 4096
TIMEOUT_S = 3600.0  # whoever started it ends it before


class NoRedirection(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        return None


def send(url: str, body: bytes) -> tuple[bool, str]:
    """Whether it was taken (status 2xx), and what was answered."""
    request = Request(url, data=body, headers={"Content-Type": "application/json", "User-Agent": "guessbook"})
    try:
        with build_opener(NoRedirection).open(request, timeout=TIMEOUT_S) as answer:
            return True, f"{answer.status} {answer.read1(ANSWER_BYTES).decode(errors='replace')}".strip()
    except HTTPError as error:
        with error:
            return False, f"{error.code} {error.reason} {error.read1(ANSWER_BYTES).decode(errors='replace')}".strip()
    except (URLError, HTTPException, OSError, ValueError) as error:
        return False, str(error)


def main() -> int:
    ok, answer = send(os.environ["GUESSBOOK_WEBHOOK"], sys.stdin.buffer.read())
    print(answer)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
