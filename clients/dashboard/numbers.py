"""Numbers and times as people read them. Pure."""

MINUS = "−"


def count(value: int) -> str:
    """12,345"""
    return f"{value:,}"


def share(part: int, whole: int) -> str:
    """A percentage, without decimals except near the ends, where rounding would say "all" or "none"."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    exact = percent in (0, 100) or 1 <= percent <= 99
    return f"{percent:.0f}%" if exact else f"{percent:.1f}%"


def change(value: int) -> str:
    """+3, −2 or ±0"""
    return f"+{value:,}" if value > 0 else f"{MINUS}{-value:,}" if value < 0 else "±0"


def loss(value: float) -> str:
    """Nats, three significant digits for what is small."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def duration(seconds: float) -> str:
    """ "42 s", "3 min 20 s", "1 h 05 min", "2 d 3 h"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def size(count: int) -> str:
    """Bytes, in powers of 1,000, as disks are sold: "1 byte", "512 bytes", "1.4 MB", "120 MB"."""
    if count < 1000:
        return f"{count} byte{'s' * (count != 1)}"
    value, unit = float(count), -1
    while value >= 999.5 and unit < 4:
        value, unit = value / 1000, unit + 1
    return f"{value:.{0 if value >= 99.95 else 1}f} {('kB', 'MB', 'GB', 'TB', 'PB')[unit]}"


def files(count: int) -> str:
    """ "1 file", "1,204 files"."""
    return f"{count:,} file{'s' * (count != 1)}"
