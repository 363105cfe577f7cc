"""What commands print, where no other test looks at it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from loaders.quality import Breach, Quality
from loaders.reports import BREACHES_SHOWN, print_quality

TODAY = date(2026, 1, 31)


def breaches(count: int) -> tuple[Breach, ...]:
    return tuple(
        Breach(
            f"id-{n}-", "t", TODAY - timedelta(n), "volume", "rows", Decimal(n), None, None, "low"
        )
        for n in range(count)
    )


@pytest.mark.parametrize("more", [0, 1, 300])
def test_status_shows_the_newest_breaches_and_counts_the_others(
    more: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_quality(Quality(TODAY, True, breaches(BREACHES_SHOWN + more)))
    shown = capsys.readouterr().out
    assert [f"id-{n}-" in shown for n in range(BREACHES_SHOWN + more)] == (
        [True] * BREACHES_SHOWN + [False] * more
    )
    assert (f"\n{more} more" in shown) == bool(more)
