"""The one line by which silence is unknown for every ERP; each connector's tests must see it broken."""

from typing import Final

CALLS: Final = "connectors/erp/calls.py"
SILENT: Final = 'raise OutcomeUnknown(f"{vendor} did not answer ({type(silent).__name__}).") from silent'
