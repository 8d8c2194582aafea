"""SCIM servers of other authors, for tests to talk to: `scim2.scim2_server` and `scimmy.scimmy_server`."""
