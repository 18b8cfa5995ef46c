"""Amazon Resource Names of the review plane: how they are written, and which of them are ours."""

from __future__ import annotations

from dataclasses import dataclass

WORKFORCE = "private-crowd"


@dataclass(frozen=True)
class Arns:
    """The names of one account in one Region."""

    region: str
    account_id: str

    def human_loop(self, name: str) -> str:
        return self._arn("human-loop", name)

    def flow_definition(self, name: str) -> str:
        return self._arn("flow-definition", name)

    def labeling_job(self, name: str) -> str:
        # In lower case, as real output has it: the names are unique without regard to case.
        return self._arn("labeling-job", name.lower())

    def human_task_ui(self, name: str) -> str:
        return self._arn("human-task-ui", name)

    def workteam(self, name: str) -> str:
        # The private workforce's teams, as AWS writes them.
        return self._arn("workteam", f"{WORKFORCE}/{name}")

    def workforce(self) -> str:
        return self._arn("workforce", WORKFORCE)

    def name_in(self, arn: str, kind: str) -> str | None:
        """The name in an ARN of this account and Region, or None when it is of another or of another kind."""
        prefix = self.workteam("") if kind == "workteam" else self._arn(kind, "")
        return arn.removeprefix(prefix) if arn.startswith(prefix) and arn != prefix else None

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name}"
