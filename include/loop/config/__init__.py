"""What to look for (pipelines) and where to run (environments): frozen values, checked field by field.

pipeline.py and environment.py have the fields and their defaults, files.py reads them from YAML. DAG files
import this while they are parsed: it stays light, and knows of the loop only its errors and the names of the
triage strategies.
"""

from __future__ import annotations

from include.loop.config.adapter import AdapterChannels, ImageAdapter
from include.loop.config.environment import (
    DeploymentSettings,
    Environment,
    LabelingService,
    NetworkSettings,
    TrainingInstances,
)
from include.loop.config.fields import Stage
from include.loop.config.files import load_environment, load_pipeline, pipeline_names
from include.loop.config.operations import AirflowSettings, NotifyEvent, NotifySettings
from include.loop.config.pipeline import (
    DATASET_SLICES,
    METRICS,
    EvaluationSettings,
    GateSettings,
    LabelingSettings,
    Pipeline,
    ReplaySettings,
    ReviewSettings,
    StageSettings,
    TrainingSettings,
    TriageSettings,
)

__all__ = [
    "DATASET_SLICES",
    "METRICS",
    "AdapterChannels",
    "AirflowSettings",
    "DeploymentSettings",
    "Environment",
    "EvaluationSettings",
    "GateSettings",
    "ImageAdapter",
    "LabelingService",
    "LabelingSettings",
    "NetworkSettings",
    "NotifyEvent",
    "NotifySettings",
    "Pipeline",
    "ReplaySettings",
    "ReviewSettings",
    "Stage",
    "StageSettings",
    "TrainingInstances",
    "TrainingSettings",
    "TriageSettings",
    "load_environment",
    "load_pipeline",
    "pipeline_names",
]
