PRIME = 1_000_000_007


def mixed(a, b):
    return (a + b + 0) % PRIME
