"""The conformance kits: what every connector of a kind must pass, importable by connectors that live elsewhere."""
