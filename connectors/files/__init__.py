"""Files of accounting systems: tables from CSV and XLSX, their columns recognised, their rows as customers and invoices.

Nothing here knows the database. Files are read row by row and never held whole; what cannot be read is refused with its
line and a rule (`connectors/files/refusals.py`).
"""

from connectors.files.dates import DateOrder
from connectors.files.reading import Counted, Opened, open_export
from connectors.files.refusals import RULES, FileRefused, Problem
from connectors.files.translate import Read, Skipped

__all__ = ["RULES", "Counted", "DateOrder", "FileRefused", "Opened", "Problem", "Read", "Skipped", "open_export"]
