"""Steps in this process, once a secret is known: what they print is masked by one process for all of them."""

import os
import sys

import pytest

from stepwell.engines.inprocess import InProcessEngine
from stepwell.kernel.graph import Constant
from stepwell.stores.blobs import Blobs
from stepwell.testing.engine import contract_task, drain, ended
from stepwell.worker import masking, secrets

SECRET = "correct-horse-battery"


@pytest.fixture
def forks(monkeypatch):
    """A secret that is known in this process only during the test; and the forks that happen meanwhile."""
    forms = secrets.Forms()
    forms.learn(SECRET)
    for module in (secrets, masking.secrets):
        monkeypatch.setattr(module, "forms", forms)
    made = []
    fork = os.fork

    def counted():
        made.append(pid := fork())
        return pid

    monkeypatch.setattr(os, "fork", counted)
    yield made
    sys.modules.pop("contract_steps", None)


def engine_in(folder):
    root, store = folder / "project", folder / "store"
    root.mkdir()
    store.mkdir()
    Blobs(store).make()
    (root / "contract_steps.py").write_text(
        "import os\n\ndef tell(word):\n    os.write(1, word.encode() + b'\\n')\n"
    )
    return InProcessEngine(root, store, {})


def chat(engine, node, word):
    engine.submit(contract_task(node, "tell", word=Constant(word, "")))
    assert ended(drain(engine, 1))[node].failure is None


def test_one_process_masks_for_all_tasks(tmp_path, forks, capfd):
    engine = engine_in(tmp_path)
    try:
        for node in range(5):
            chat(engine, node, f"{node} {SECRET}")
            os.write(1, f"between {node}\n".encode())
        assert len(forks) == 1
    finally:
        engine.close()
    told = capfd.readouterr().out
    assert SECRET not in told
    assert [line.split()[0] for line in told.splitlines()] == ["0", "between"] + [
        word for node in range(1, 5) for word in (str(node), "between")
    ]
    assert os.waitpid(forks[0], 0)[1] == 0  # it ended with the engine


def test_what_masks_is_started_again_when_it_was_killed(tmp_path, forks, capfd):
    engine = engine_in(tmp_path)
    try:
        chat(engine, 0, "first")
        os.kill(forks[0], 9)
        os.waitid(os.P_PID, forks[0], os.WEXITED | os.WNOWAIT)
        chat(engine, 1, f"second {SECRET}")
        assert len(forks) == 2
    finally:
        engine.close()
    told = capfd.readouterr().out
    assert "first" in told
    assert "second" in told
    assert SECRET not in told


def test_it_follows_the_streams(tmp_path, forks, capfd):
    """Where the process's own output is led elsewhere between two tasks, the next one prints there."""
    engine = engine_in(tmp_path)
    file = os.open(tmp_path / "elsewhere", os.O_CREAT | os.O_WRONLY)
    kept = os.dup(1)
    try:
        chat(engine, 0, "here")
        os.dup2(file, 1)
        chat(engine, 1, f"there {SECRET}")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(file)
        engine.close()
    assert "here" in capfd.readouterr().out
    there = (tmp_path / "elsewhere").read_text()
    assert there == "there ***\n"
