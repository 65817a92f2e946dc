"""Named data in a pipeline: a source like any other, by the name and with the options of the manifest."""

from __future__ import annotations

import pytest


def test_the_module_is_there_before_the_pipeline_is_imported(named) -> None:
    error = named.refused("plan", code=3)
    assert error["code"] == "E201"
    assert any("stepwell lock" in fix for fix in error["fixes"])
    named("run", "--lock")
    assert named("plan", "--json").decisions == {"total": "cached"}


@pytest.mark.parametrize("module", ["data.py", "src/houses/data.py", "src/jsonschema/data.py"])
def test_a_name_that_is_misspelt_is_told_the_one_that_is_near(named, module) -> None:
    text = (named.root / "stepwell.toml").read_text("utf-8")
    named.write(f'interface = "{module}"\n{text}', "stepwell.toml")
    if module != "data.py":
        named.write("", f"{module.rpartition('/')[0]}/__init__.py")
    name = module.removeprefix("src/").removesuffix(".py").replace("/", ".")
    named.edit("from data import", f"from {name} import")
    named("run", "--lock")
    named.edit("import customers, notes", "import custmers, notes")
    assert named.refused("plan", code=3)["fixes"] == ["did you mean `customers`?"]
    named.edit("import custmers, notes", "import zebra, notes")
    assert named.refused("plan", code=3)["fixes"] == ["the manifest names customers, notes"]


def test_it_goes_by_its_name(locked) -> None:
    sources = locked("plan", "--json").json["sources"]
    assert [source["name"] for source in sources] == ["customers", "notes"]
    assert "customers  pandas.DataFrame  data/customers.csv" in locked("describe").out
    assert float(locked("run", "--json").json["result"]) == 463.5
    assert 'uses = [\n  "data.customers",\n  "data.notes",\n]' in (locked.root / "stepwell.lock").read_text(
        "utf-8"
    )


def test_what_it_means_makes_nothing_run_again(locked) -> None:
    locked.edit(
        'units = { mrr = "EUR/month", tenure = "month" }', 'units = { mrr = "USD/month" }', "stepwell.toml"
    )
    locked.edit("One row a customer", "Something else", "stepwell.toml")
    locked("lock")
    assert locked("plan", "--json").decisions == {"total": "cached"}
    assert "USD/month" in (locked.root / "data.pyi").read_text("utf-8")
    locked.write('\n[data.more]\nsource = "data/notes.txt"\n', "more.toml")
    (locked.root / "stepwell.toml").open("a").write((locked.root / "more.toml").read_text())
    locked("lock")
    assert locked("plan", "--json").decisions == {"total": "cached"}


def test_where_it_is_and_how_it_is_read_count_at_once(locked) -> None:
    assert locked("run", "--json").decisions == {"total": "cached"}
    locked.write("customer_id;mrr;tenure;plan name\n1;9.5;3;basic\n", "data/other.csv")
    locked.edit("data/customers.csv", "data/other.csv", "stepwell.toml")
    locked.edit("[data.notes]", '[data.customers.read]\nsep = ";"\n\n[data.notes]', "stepwell.toml")
    assert locked("plan", "--json").decisions == {"total": "run"}
    locked("run", "--lock")
    assert float(locked("run", "--json").json["result"]) == 14.5
    assert 'read={"sep": ";"}' in (locked.root / "data.py").read_text("utf-8")


def test_data_that_the_manifest_has_no_more_is_told(locked) -> None:
    text = (locked.root / "stepwell.toml").read_text("utf-8")
    (locked.root / "stepwell.toml").write_text(text.partition("[data.notes]")[0], "utf-8")
    error = locked.refused("plan", code=3)
    assert error["code"] == "E799"
    assert "`notes` is not in the manifest" in error["what"]


@pytest.mark.parametrize(
    ("read", "whose"),
    [("customers.polars()", "the body of the pipeline"), ("customers.path", "the body of the pipeline")],
)
def test_a_pipelines_body_only_passes_it(locked, read, whose) -> None:
    locked.edit(
        "    return total(customers(), notes())", f"    {read}\n    return total(customers(), notes())"
    )
    error = locked("plan", code=3)
    assert "E792" in error.err
    assert whose in error.err
    assert "pass it: step(customers())" in error.err


def test_a_step_does_not_read_it_by_itself(locked) -> None:
    locked.edit("len(note)", "len(notes())")
    assert "raised NotInPipelines" in locked("run", code=1).out


def test_an_older_lock_is_told_by_check(locked) -> None:
    locked("lock", "--check")
    locked.edit("One row a customer", "Something else", "stepwell.toml")
    error = locked.refused("lock", "--check", code=3)
    assert error["code"] == "E703"
    assert "`data.pyi`" in error["what"]
    locked("lock")
    locked("lock", "--check")


def test_a_module_of_ones_own_is_never_written_over(named) -> None:
    named.write("customers = notes = lambda: 1\n", "data.py")
    named("lock", code=3)
    assert (named.root / "data.py").read_text("utf-8") == "customers = notes = lambda: 1\n"
    named.edit("# what comes in", 'interface = "inputs.py"', "stepwell.toml")
    named.edit("from data import", "from inputs import")
    named("run", "--lock")
    assert (named.root / "inputs.pyi").is_file()


LENGTH = """
        @step
        def length(note: str) -> int:
            return len(note)

        @pipeline
        def main() -> int:
            return length(notes())
"""


def test_a_package_has_it_inside(named) -> None:
    (named.root / "stepwell.toml").unlink()
    named.write(
        '[project]\nname = "churn-model"\nversion = "1"\n[tool.stepwell.data.notes]\nsource = "data/notes.txt"\n',
        "pyproject.toml",
    )
    named.write("", "src/churn_model/__init__.py")
    named.write(
        """
        from stepwell import pipeline, step
        from churn_model.data import notes

        """
        + LENGTH,
        "src/churn_model/train.py",
    )
    named("run", "src/churn_model/train.py", "--lock")
    assert (named.root / "src/churn_model/data.pyi").is_file()
    assert not (named.root / "data.py").exists()
    assert named("plan", "src/churn_model/train.py", "--json").decisions == {"length": "cached"}


def test_a_single_file_has_it_beside_it(named) -> None:
    (named.root / "stepwell.toml").unlink()
    named.write(
        """
        # /// script
        # dependencies = ["stepwell"]
        # [tool.stepwell.data.notes]
        # source = "data/notes.txt"
        # ///
        from stepwell import pipeline, step
        from data import notes

        """
        + LENGTH,
        "count.py",
    )
    named("run", "count.py", "--lock")
    assert 'lock="count.stepwell.lock"' in (named.root / "data.py").read_text("utf-8")
    assert named("plan", "count.py", "--json").decisions == {"length": "cached"}
    named("lock", "count.py", "--check")


def test_two_single_files_of_a_folder_do_not_share_a_module(named) -> None:
    (named.root / "stepwell.toml").unlink()
    text = """
        # /// script
        # dependencies = ["stepwell"]
        # [tool.stepwell.data.notes]
        # source = "data/notes.txt"
        # ///
        from stepwell import pipeline, step
        from data import notes

        @step
        def length(note: str) -> int:
            return len(note)

        @pipeline
        def main() -> int:
            return length(notes())
        """
    named.write(text, "one.py")
    named.write(text, "two.py")
    named("run", "one.py", "--lock")
    before = (named.root / "data.py").read_bytes()
    error = named.refused("lock", "two.py", code=3)
    assert error["code"] == "E793"
    assert "`one.stepwell.lock`" in error["what"]
    assert (named.root / "data.py").read_bytes() == before
    named.edit(
        "# [tool.stepwell.data.notes]",
        '# [tool.stepwell]\n# interface = "two_data.py"\n# [tool.stepwell.data.notes]',
        "two.py",
    )
    named.edit("from data import", "from two_data import", "two.py")
    named("run", "two.py", "--lock")
    assert (named.root / "data.py").read_bytes() == before


def test_a_name_that_was_added_to_the_manifest_can_be_imported_after_lock(locked) -> None:
    text = (locked.root / "stepwell.toml").read_text("utf-8")
    (locked.root / "stepwell.toml").write_text(f'{text}\n[data.more]\nsource = "data/notes.txt"\n', "utf-8")
    locked.edit("import customers, notes", "import customers, more as notes")
    assert any("stepwell lock" in fix for fix in locked.refused("plan", code=3)["fixes"])
    locked("lock")
    assert locked("plan", "--json").decisions == {"total": "cached"}


def test_what_must_not_be_shown_is_not_in_the_module(named) -> None:
    from stepwell.author.manifest import Data, Manifest
    from stepwell.dist.interface.modules import entries_of, module_of, stub_of
    from stepwell.dist.lock import Lock

    secret = Data(source="https://ann:s3cret@example.org/x.csv?token=s3cret")
    entries = entries_of(Manifest(data={"notes": secret}), Lock())
    assert "s3cret" not in module_of(entries, "stepwell.lock") + stub_of(entries)
    assert "https://example.org/x.csv" in module_of(entries, "stepwell.lock")
