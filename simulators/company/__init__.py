"""The demo company: Northwind Services and its customers, made up, the same every time, and written to a demo ERP."""

from simulators.company.showcase import SHOWCASE

__all__ = ["SHOWCASE"]
