"""The way out of imported invoices: what was paid on them, as one CSV file a day in a folder, each document once."""

from connectors.erp.csv.connector import DayBooks
from connectors.erp.csv.days import Days

__all__ = ["DayBooks", "Days"]
