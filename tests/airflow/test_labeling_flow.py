"""From a folder of images that nobody has labelled to the first model, by Airflow's own `dag.test()`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from include.loop.core import layout
from include.loop.dataset.build import build_initial
from nightloop.dag_factory import dag_id
from tests.airflow.place import Place
from tests.airflow.test_flows import run_dag
from tests.loop.labeling.test_job import drawn
from tests.loop.place import picture
from tests.support.cloud import eventually

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(900)]
IMAGES = 8


@contextmanager
def somebody_labels(place: Place, count: int) -> Iterator[None]:
    """A person who labels so many images as soon as they are asked."""
    answered = [0]

    def one() -> bool:
        answered[0] += place.answer(lambda _: drawn(), at_most=1)
        return answered[0] >= count

    with ThreadPoolExecutor(1) as pool:
        labelled = pool.submit(lambda: eventually(one, within=300))
        yield
        labelled.result()


def triggered(flow: str) -> list[str]:
    """The runs of a flow that another one has started."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return [run.run_id for run in session.query(DagRun).filter(DagRun.dag_id == flow)]


def test_one_trigger_leads_from_a_folder_to_the_first_models_training(place: Place) -> None:
    """What training does with its labels, down to the endpoint, is tested with labels of other kinds."""
    place.settings["initial"] = {}
    place.save()
    for number in range(IMAGES):
        place.put(f"new/{number}.jpg", picture(40 + number))
    with somebody_labels(place, IMAGES):
        state, tasks, _ = run_dag(place, "labeling_job", "2026-11-02", images=place.storage.uri("new/"))
    assert (state, tasks.pop("notify_training")) == ("success", "skipped")
    assert set(tasks.values()) == {"success"}
    [name] = place.storage.list_folders(layout.IMPORTS)
    assert triggered(dag_id("initial_training", place.name)) == [f"labeling__{name}"]
    index = place.storage.read(layout.HISTORY_PAGE).decode()
    assert re.search(rf'href="{place.name}-labeling-[^"]*/index.html"', index)  # before the first round
    dataset = build_initial(place.workspace)
    assert (dataset.new, dataset.rejected) == (IMAGES, 0)
    assert dataset.train > dataset.validation > 0
