"""A loop's process: the real PostHog SDK captures prepared events as fast as it can. Prints seconds until all are sent.

Arguments: URL, project key, number of events.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime

from posthog import Posthog

from bench import data


def main(url: str, key: str, count: int) -> None:
    events = list(data.exactly(count))
    times = [datetime.fromisoformat(str(event["timestamp"])) for event in events]
    # The default queue holds 10,000 events and drops what does not fit; here none may be lost.
    client = Posthog(key, host=url, max_queue_size=count)
    started = time.perf_counter()
    for event, at in zip(events, times, strict=True):
        client.capture(
            str(event["event"]),
            distinct_id=str(event["distinct_id"]),
            timestamp=at,
            uuid=str(event["uuid"]),
            properties=event["properties"],
        )
    client.shutdown()
    print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
