import logging

import steps
from hamilton import driver

logging.disable(logging.WARNING)
graph = driver.Builder().with_modules(steps).with_cache(path="cache").build()
names = [f"n{steps.WIDTH - 1}_{i}" for i in range(steps.WIDTH)]
done = graph.execute(names)
print("row:", *(done[name] for name in names))
print("ran", len(steps.ran))
