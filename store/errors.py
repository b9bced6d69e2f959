"""What the log can say no to.

LogError
├── WrongPosition     the head is not where the request expects it
├── FencedEpoch       a newer process of this producer has taken over
├── OutOfOrder        a batch's sequence number leaves a gap
├── DifferentContent  a sequence number was used before, for other events
├── TooLarge          more than one commit takes
├── Malformed         events that break the log's rules
├── LogFull           no room on the disk or in the map; reading goes on
├── LogInUse          another process has the log open
├── NotArchived       the log's beginning can't be archived as was asked
├── HistoryAbsent     the archive that holds these positions is not in its place
├── Contradicted      the log is not what a signed checkpoint says it was
├── NotALog           the folder holds something else, or a newer format
└── LogFailed         a commit failed in a way that must not be tried again; the server stops
"""


class LogError(Exception):
    """Base of all; nothing was written."""


class WrongPosition(LogError):
    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"the log is at position {actual}, not at {expected}")
        self.actual = actual


class FencedEpoch(LogError):
    pass


class OutOfOrder(LogError):
    pass


class DifferentContent(LogError):
    pass


class TooLarge(LogError):
    pass


class Malformed(LogError):
    pass


class LogFull(LogError):
    pass


class LogInUse(LogError):
    pass


class NotALog(LogError):
    pass


class LogFailed(LogError):
    pass


class NotArchived(LogError):
    pass


class HistoryAbsent(LogError):
    def __init__(self, first: int, last: int, file: str, sha256: str) -> None:
        super().__init__(
            f"the positions {first} to {last} were archived in {file} (SHA-256 {sha256}), and that file is not there. "
            f"Put it back, or ask from position {last + 1} on; everything from there on is here."
        )
        self.last = last


class Contradicted(LogError):
    pass
