import mixing

PRIME = 1_000_000_007


def value(width, layer, i, row):
    """The value of one step, from the row of the layer before."""
    if layer == 0:
        return i
    half, a, b = width // 2, row[i], row[(i + 1) % width]
    if layer < half:
        return (a + b) % PRIME
    return (a + b + 0) % PRIME if (layer, i) == (half, half) else mixing.mixed(a, b)
