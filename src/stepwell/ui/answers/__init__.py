"""What each address answers: functions `(Here, Asked) -> dict`, as `page/src/api.ts` writes the types down.

Each is about one state of the store, writes nothing, and raises a `StepwellError` for what is not there or wrong.
"""
