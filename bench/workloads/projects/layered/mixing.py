PRIME = 1_000_000_007


def mixed(a: int, b: int) -> int:
    return (a + b + 0) % PRIME
