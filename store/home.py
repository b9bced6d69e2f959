"""Where things lie in the data folder. Every room finds its files through this page; it knows no file's content."""

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ADDRESS = "127.0.0.1:7430"
LOG_ID = "log_id"  # a file in the log's folder


@dataclass(frozen=True)
class Home:
    """The data folder, `$GUESSBOOK_HOME` or `./guessbook-data`. Only log/, artifacts/, tokens/, keys/,
    signed-checkpoints/ and config.yaml hold truth."""

    root: Path

    @classmethod
    def default(cls) -> "Home":
        return cls(Path(os.environ.get("GUESSBOOK_HOME") or "guessbook-data").absolute())

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def signed_checkpoints(self) -> Path:
        """What the log was, signed; the copies that count lie elsewhere."""
        return self.root / "signed-checkpoints"

    @property
    def signing_key(self) -> Path:
        return self.root / "keys" / "signing.key"

    @property
    def cache(self) -> Path:
        """What can be deleted and is made again."""
        return self.root / "cache"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def active(self) -> Path:
        """The files of the inbox whose jobs are not completed. The bytes that are trained on are in the artifacts."""
        return self.root / "data" / "active"

    @property
    def completed(self) -> Path:
        """The files of the inbox whose jobs are completed."""
        return self.root / "data" / "completed"

    @property
    def inbox(self) -> Path:
        """What is put into its folders priority/ and normal/ becomes a job; what can't is moved to its rejected/, with a report."""
        return self.root / "inbox"

    @property
    def rejected(self) -> Path:
        return self.inbox / "rejected"

    @property
    def control(self) -> Path:
        """Commands as files, and files that show the present."""
        return self.root / "control"

    @property
    def base_models(self) -> Path:
        return self.root / "models" / "base"

    @property
    def versions(self) -> Path:
        return self.root / "models" / "versions"

    @property
    def trash(self) -> Path:
        """The folders of deleted versions; made again from the artifacts when one is restored."""
        return self.root / "models" / "trash"

    @property
    def backups(self) -> Path:
        """The first place of backups; it is on the disk of the data folder."""
        return self.root / "backups"

    @property
    def checkpoints(self) -> Path:
        """One folder a run."""
        return self.root / "checkpoints"

    @property
    def spool(self) -> Path:
        """One file a producer."""
        return self.root / "spool"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def tokens(self) -> Path:
        """One file a role, with a token of this data folder's server that has this role; the owner alone can read them."""
        return self.root / "tokens"

    @property
    def address_file(self) -> Path:
        """Where a running server says how to reach it, as `host:port`."""
        return self.root / "server.address"

    @property
    def users_lock(self) -> Path:
        """Shared by the processes that use this folder's embedded server, for as long as they do."""
        return self.root / "server.users"

    @property
    def start_lock(self) -> Path:
        """Held by the process that looks for a server here, and starts one if there is none."""
        return self.root / "server.start"

    def log_id(self) -> str:
        """Which log lies here; empty where there is none, or one that doesn't tell."""
        try:
            return (self.log / LOG_ID).read_text().strip()
        except FileNotFoundError:
            return ""

    def is_at(self, root: str) -> bool:
        """Whether this is the data folder that another process of this machine has at that path."""
        try:
            return self.root.samefile(root)
        except OSError:
            return False

    def address(self) -> str:
        """`$GUESSBOOK_ADDRESS`, else what the running server wrote down, else the default."""
        given = os.environ.get("GUESSBOOK_ADDRESS")
        if given:
            return given
        try:
            return self.address_file.read_text().strip() or DEFAULT_ADDRESS
        except FileNotFoundError:
            return DEFAULT_ADDRESS

    def token(self, role: str = "admin") -> str:
        """`$GUESSBOOK_TOKEN`, else that of a role in this data folder; empty if there is none, or it isn't ours to read."""
        given = os.environ.get("GUESSBOOK_TOKEN")
        if given:
            return given
        try:
            return (self.tokens / role).read_text().strip()
        except (FileNotFoundError, PermissionError):
            return ""
