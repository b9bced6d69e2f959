"""How much there is, as people read it: bytes and files. Pure."""

UNITS = ("kB", "MB", "GB", "TB", "PB")


def size(count: int) -> str:
    """ "512 bytes", "3.4 kB", "120 MB": decimal, as disks are sold."""
    if count < 1000:
        return f"{count} byte{'s' * (count != 1)}"
    value = float(count)
    for unit in UNITS:
        value /= 1000
        if value < 999.5 or unit == UNITS[-1]:
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def files(count: int) -> str:
    """ "1 file", "1,204 files"."""
    return f"{count:,} file{'s' * (count != 1)}"
