"""config.yaml: what it may say, what it is told when it says something else, and that no secret is shown."""

from pathlib import Path

import pytest

from guessbook.store import config

FULL = """
trash_days: 10
backup:
  at: "04:30"
  timezone: Europe/Zurich
  drill_days: 14
  keep: {daily: 3, weekly: 2, monthly: 1}
  places:
    - {name: disk, url: /mnt/disk}
    - name: cloud
      url: s3://bucket/guessbook
      offsite: true
      key_file: /etc/guessbook/backup.key
      options: {secret: hunter2, client_kwargs: {endpoint_url: "https://example.org", api_token: abc}}
"""


def test_a_full_config() -> None:
    found = config.parse(FULL)
    assert (found.trash_days, found.backup.at) == (10, "04:30")
    assert found.backup.keep == config.Keep(3, 2, 1)
    assert [place.name for place in found.backup.places] == ["disk", "cloud"]
    assert found.backup.places[1].offsite
    assert str(found.backup.zone) == "Europe/Zurich"


def test_an_inbox_and_hooks() -> None:
    found = config.parse(
        "inbox: {priority: urgent, settled_s: 5}\n"
        "hooks: [{name: a, events: [job_failed, regression], webhook: 'https://example.org/s3cret', timeout_s: 5}]\n"
    )
    assert found.inbox == config.InboxConfig(priority="urgent", settled_s=5)
    hook = config.Hook("a", ("job_failed", "regression"), webhook="https://example.org/s3cret", timeout_s=5)
    assert found.hooks == (hook,)
    assert config.told(found)["hooks"][0]["webhook"] == "https://example.org/…"
    assert "s3cret" not in config.masked(
        "hooks: [{name: a, events: [job_failed], webhook: 'https://example.org/s3cret'}]"
    )
    assert "s3cret" not in config.masked("hooks: [{name: a, events: [job_failed], command: 'curl -H s3cret'}]")


def test_nothing_means_the_defaults(tmp_path: Path) -> None:
    assert config.read(tmp_path / "config.yaml") == (config.Config(), "")
    assert config.parse("") == config.Config()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("backups: {}", "backups is unknown; did you mean backup?"),
        ("backup: {palces: []}", r"backup\.palces is unknown; did you mean places\?"),
        ("backup: {at: 3:00}", r"backup\.at must be a time of day"),
        ("backup: {timezone: Mars/Base}", r"backup\.timezone must be"),
        ("backup: {keep: {daily: 0}}", r"backup\.keep\.daily must be at least 1"),
        ("backup: {places: [{name: a}]}", r"backup\.places\[0\] needs a url"),
        ("backup: {places: {a: b}}", r"backup\.places must be a list"),
        ("backup: {places: [{name: local, url: x}]}", "means another place"),
        ('backup: {places: [{name: a, url: x, offsite: "no"}]}', r"offsite must be true or false"),
        ("backup: {places: [{name: a, url: x}, {name: a, url: y}]}", "the same name"),
        ("inbox: {priority: top}", r"inbox\.priority must be one of low, normal, high, urgent"),
        ("inbox: {settled_s: 0}", r"inbox\.settled_s must be a number of seconds"),
        ("inbox: {max_bytes: 1.5}", r"inbox\.max_bytes must be a number of bytes"),
        ("inbox: {enabled: 1}", r"inbox\.enabled must be true or false"),
        ("hooks: {name: a}", "hooks must be a list"),
        ("hooks: [{name: a, on: [job_failed], command: x}]", r"hooks\[0\]\.on is unknown .* did you mean events\?"),
        ("hooks: [{name: a, events: [job_faild], command: x}]", "job_faild is unknown; did you mean job_failed"),
        ("hooks: [{name: a, events: [step_completed], command: x}]", "step_completed is unknown"),
        ("hooks: [{name: a, events: job_failed, command: x}]", r"hooks\[0\]\.events must be a list"),
        ("hooks: [{name: a b, events: [job_failed], command: x}]", r"hooks\[0\]\.name must be"),
        ("hooks: [{name: a, events: [job_failed]}]", r"hooks\[0\]\.command must be there, or a webhook"),
        ("hooks: [{name: a, events: [job_failed], webhook: 'file:///etc'}]", r"hooks\[0\]\.webhook must be a URL"),
        ("hooks: [{name: a, events: [job_failed], command: x, timeout_s: .inf}]", r"timeout_s must be"),
        (
            "hooks: [{name: a, events: [job_failed], command: x}, {name: a, events: [job_failed], command: y}]",
            "same name",
        ),
        ("trash_days: -1", "trash_days must be"),
        ("trash_days: true", "trash_days must be"),
        ("[1, 2]", "must be a mapping"),
        ("a: [", "no YAML"),
        ("!!python/object/apply:os.system [ls]", "no YAML"),
    ],
)
def test_what_can_not_be_names_the_key(text: str, told: str) -> None:
    with pytest.raises(config.BadConfig, match=told):
        config.parse(text)


def test_a_bad_file_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("trash_days: x")
    with pytest.raises(config.BadConfig, match=r"config\.yaml: trash_days"):
        config.read(path)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(config.BadConfig, match="not UTF-8"):
        config.read(path)


def test_secrets_are_not_shown() -> None:
    shown = str(config.told(config.parse(FULL))) + config.masked(FULL)
    assert "hunter2" not in shown
    assert "abc" not in shown
    assert "example.org" not in shown  # which options are secret, nobody knows here
    with_password = "backup: {places: [{name: a, url: 'sftp://anna:hunter2@host/path'}]}"
    assert "hunter2" not in str(config.told(config.parse(with_password))) + config.masked(with_password)


def test_it_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    config.write(path, "trash_days: 1\n")
    config.write(path, "trash_days: 2\n")
    assert config.read(path)[0].trash_days == 2
    assert [file.name for file in tmp_path.iterdir()] == ["config.yaml"]
