"""The trigger of approvals that were waiting when the package was renamed to `nightloop`."""

from nightloop.triggers.package_decision import PackageDecisionTrigger

__all__ = ["PackageDecisionTrigger"]
