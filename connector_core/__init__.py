"""A small host for identity connectors."""
