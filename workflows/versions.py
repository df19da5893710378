"""Which workflows stay with the version of the workers that they began with, and which move on to the current one.

Said here and not at each workflow: Temporal refuses an answer that names a behaviour from a worker without a version, and
`duly up` runs without. A worker that has one pins all but these (`connectors/temporal/deployments.py`).
"""

from __future__ import annotations

import dataclasses
from typing import Final

from temporalio.common import VersioningBehavior
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

MOVE_ON: Final = frozenset({"PostToErp", "SendMail"})
"""These never end, so a version that they stayed with could never go. New code must replay what is open of them."""


class Versioned(UnsandboxedWorkflowRunner):
    """What the sandbox runs inside itself on a worker that has a version."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One workflow; of those that never end it is said that they move on."""
        if det.defn.name in MOVE_ON:
            moving = dataclasses.replace(det.defn, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
            det = dataclasses.replace(det, defn=moving)
        return super().create_instance(det)
