"""Writes the sessions of the New York Stock Exchange as PyPI's exchange_calendars knows them: date, open and close in UTC.

usage: python write.py > sessions.txt
"""

from importlib.metadata import version

import exchange_calendars

FIRST, LAST = "2020-01-01", "2028-12-31"


def main():
    schedule = exchange_calendars.get_calendar("XNYS", start=FIRST, end=LAST).schedule
    print(f"# exchange_calendars {version('exchange_calendars')} XNYS {FIRST} {LAST}")
    for row in schedule.itertuples():
        print(f"{row.Index:%Y-%m-%d} {row.open:%H:%M} {row.close:%H:%M}")


main()
