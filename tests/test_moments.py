"""Moments that anybody may have written into PostHog's documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.moments import moment_of


def test_a_moment_is_in_utc():
    evening = datetime(2026, 11, 1, 22, tzinfo=UTC)
    assert moment_of("2026-11-01T22:00:00") == moment_of("2026-11-02T00:00:00+02:00") == evening


@pytest.mark.parametrize("odd", [None, 7, [], "", "soon", "0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-05:00"])
def test_what_is_none_is_no_error(odd: object):
    assert moment_of(odd) is None


@given(st.datetimes(timezones=st.sampled_from([ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York"), UTC])))
def test_what_is_one_can_be_shown_in_any_zone_with_days_around_it(at: datetime):
    found = moment_of(at.isoformat())
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago") if found else ():
        for days in (-400, 400):
            assert (found + timedelta(days=days)).astimezone(ZoneInfo(zone)).tzinfo
