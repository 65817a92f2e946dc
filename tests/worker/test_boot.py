"""How workers are started, and what is made of what one said that did not start."""

from stepwell.worker.boot import reason_in


def test_the_line_that_says_why_a_python_ended():
    assert reason_in(" \n") == ""
    assert reason_in("Traceback (most recent call last):\n  x\nImportError: no\n") == "ImportError: no"
    fatal = "Fatal Python error: config_init_hash_seed: PYTHONHASHSEED must be 1"
    assert reason_in(f"a warning\n{fatal}\nPython runtime state: preinitialized\n\n") == fatal
