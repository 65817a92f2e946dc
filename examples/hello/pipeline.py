"""Two jobs that share nothing, chained and run together: hello and goodbye."""

from stepwell import pipeline, step


@step
def greet(name: str) -> str:
    return f"hello {name}"


@step
def part(name: str) -> str:
    return f"goodbye {name}"


@pipeline
def hello(name: str = "world") -> str:
    return greet(name)


@pipeline
def goodbye(name: str = "world") -> str:
    return part(name)


both = hello >> goodbye
