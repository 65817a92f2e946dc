"""A sweep over radii, where a radius above 2 takes another tool."""

from stepwell import pipeline, step


@step
def exact(radius: float) -> int:
    """Count the points of the grid inside of a circle, one by one."""
    reach = range(-int(radius), int(radius) + 1)
    return sum(1 for x in reach for y in reach if x * x + y * y <= radius * radius)


@step
def estimate(radius: float) -> int:
    """For large circles the area is near enough."""
    return round(3.14159265 * radius * radius)


@step
def describe(radius: float, points: int) -> str:
    return f"{points} points within {radius:g}"


@pipeline
def circle(radius: float = 1.0) -> str:
    count = estimate if radius > 2 else exact
    return describe(radius, count(radius))
