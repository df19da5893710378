"""The public face for plug-ins and scripts: ports, the domain values they use, conformance kits.

`duly.payments` and `duly.erp` are what a connector is written against, `duly.deliveries` reads webhooks without trust, and
`duly.conformance` is what it must pass. Nothing else of Duly is promised to stay where it is.
"""
