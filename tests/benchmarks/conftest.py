"""The table that is printed after the benchmarks: ratios, accuracy and memory side by side."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    rows = [row for row in session.benchmarks if not row.has_error] if session else []
    if not rows:
        return
    terminalreporter.section("ratios of medians to the first row of each group")
    first = {}
    for row in rows:
        base = first.setdefault(row.group, row.stats.median)
        worst, peak = row.extra_info.get("worst_error"), row.extra_info.get("peak_mib")
        terminalreporter.write_line(
            f"{row.group:28} {row.params['name' if 'name' in row.params else 'how']:24}"
            f" {row.stats.median / base:6.2f} ×"
            f"  worst error {'—' if worst is None else format(worst, '.0e'):6}"
            f"  peak {'—' if peak is None else format(peak, '.0f')} MiB"
        )
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
