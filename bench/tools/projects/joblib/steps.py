import mixing

PRIME = 1_000_000_007
ran = []


def start(number):
    ran.append(1)
    return number


def add(a, b):
    ran.append(1)
    return (a + b) % PRIME


def middle(a, b):
    ran.append(1)
    return (a + b + 0) % PRIME


def helped(a, b):
    ran.append(1)
    return mixing.mixed(a, b)
