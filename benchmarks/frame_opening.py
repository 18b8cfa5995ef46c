"""What it costs a frame's opening that templates are rendered in a process of their own.

    python -m benchmarks.frame_opening [--times 300]

The product's own template with twenty boxes is made a page in turn by a function call in this process and by
a warm process of the pool, signing included: median and best in milliseconds, and their ratio (on busy cores
the median tells of the queue for a core). Then the same after the process was lost, which is what the first
frame after a greedy template waits for.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from include.review_server.s3 import ObjectStore
from include.review_server.settings import ReviewSettings
from include.review_server.templates.liquid import Templates, frame_document
from include.review_server.templates.render_pool import RenderPool

TEMPLATE = Path(__file__).parents[1] / "include/pipelines/templates/bounding-box.liquid.html"
COMPONENTS = "http://127.0.0.1/components/1"
BOX = {"label": "dog", "left": 40, "top": 50, "width": 100, "height": 80}
INPUT = {"taskObject": "s3://images/night/a.jpg", "labels": ["cat", "dog"], "initialValue": [BOX] * 20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=300)
    times = parser.parse_args().times
    template, task_input = TEMPLATE.read_text(), json.dumps(INPUT)
    settings = ReviewSettings(Path("unused"), access_key_id="benchmark", secret_access_key="x")  # noqa: S106
    sign = ObjectStore(settings).signed_url
    pool = RenderPool(1)

    def here() -> None:
        frame_document(Templates(sign).render(template, json.loads(task_input)).content, COMPONENTS)

    def there() -> None:
        if not pool.document(template, task_input, COMPONENTS, sign).content:
            raise RuntimeError("the template did not render")

    for warm in (here, there) * 5:
        warm()
    taken = [(_milliseconds(here), _milliseconds(there)) for _ in range(times)]
    columns = list(zip(*taken, strict=True))
    for name, of in (("median", statistics.median), ("best", min)):
        before, after = (of(column) for column in columns)
        print(
            f"{name}: in this process {before:.2f} ms, in its own {after:.2f} ms: ratio {after / before:.2f}"
        )
    replaced = []
    for _ in range(5):
        os.kill(pool.processes[0], signal.SIGKILL)
        while pool.processes:
            time.sleep(0.001)
        replaced.append(_milliseconds(there))
    print(f"after the process was lost {statistics.median(replaced):.0f} ms")
    pool.stop()


def _milliseconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
