"""Whimsical over SCIM 2.0."""
