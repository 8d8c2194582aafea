"""No tests: a fuzzer for everything that reads what somebody else wrote. `tests/test_fuzz.py` runs a little of it."""
