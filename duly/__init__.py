"""The public face for plug-ins and scripts: ports, the domain values they use, conformance kits."""
