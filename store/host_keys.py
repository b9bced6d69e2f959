"""Which SSH servers a backup may go to: those whose key is in known_hosts, as for `ssh` itself. Knows no files and no backups.

What fsspec does by default, to trust whatever key a server shows, would hand the backups to anybody who gets in between.
"""

from pathlib import Path

import paramiko

KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


class KnownHostsOnly(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    """`file`: the only known_hosts to look at; empty: the user's and the machine's."""

    def __init__(self, file: str = "") -> None:
        self._files = [Path(name).expanduser() for name in ([file] if file else KNOWN_HOSTS)]

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raises SSHException unless the key is known. `hostname`: `[host]:port` where the port isn't 22."""
        for file in self._files:
            if file.exists() and paramiko.HostKeys(str(file)).check(hostname, key):
                return
        raise paramiko.SSHException(
            f"the key of {hostname} ({key.get_name()} {key.fingerprint}) is not in {' or '.join(map(str, self._files))}; "
            "connect once with ssh and compare it"
        )
