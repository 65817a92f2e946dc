from stepwell import log, pipeline, step


@step
def load(rows: int) -> list[int]:
    return list(range(rows))


@step
def train(values: list[int], rate: float) -> float:
    loss = 1.0
    for epoch in range(99):
        loss *= 1 - rate
        log.metric("loss", loss, step=epoch)
    return loss * len(values)


@step
def score(loss: float) -> float:
    log.metric("score", 1 - loss, step=0)
    return 1 - loss


@pipeline
def fit(rows: int = 10, rate: float = 0.1) -> float:
    return score(train(load(rows), rate))
