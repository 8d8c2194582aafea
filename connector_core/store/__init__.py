"""The state file: the only SQL of the project. Writers go through `Writer`, readers through `Reader`."""
