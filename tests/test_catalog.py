"""Every question: its header tells the truth, its compiled text is fresh, it reads only what it says."""

from __future__ import annotations

import json
import re

import pytest

from queries import boards
from queries.catalog import catalog
from queries.local.compile_catalog import documents
from queries.local.compiled import PACKAGED
from queries.local.hogql.compiler import compile_query
from workspace.errors import LoopdeskError

NAMES = catalog.names()


def test_the_packaged_sql_is_what_the_catalog_compiles_to():
    assert json.loads(PACKAGED.read_text(encoding="utf-8")) == documents(), (
        "run python -m queries.local.compile_catalog"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_header_names_the_columns_and_types_that_come_out(name: str):
    question = catalog.load(name)
    compiled = compile_query(question.text, question.types)
    said = [(column.name, column.type) for column in question.columns]
    bare = [re.sub(r"^Nullable\((.*)\)$", r"\1", type) for type in compiled.types]
    bare = [
        re.sub(r"\(.*Nullable\((\w+)\)\)", r"(\1)", re.sub(r"DateTime64?\(.*\)|DateTime64", "DateTime", t))
        for t in bare
    ]
    assert said == list(zip(compiled.columns, bare, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_question_has_a_time_range_and_its_own_limit(name: str):
    question = catalog.load(name)
    assert {"since", "until"} <= set(compile_query(question.text, question.types).placeholders)
    assert question.text.endswith(f"LIMIT {question.limit}")
    assert "OFFSET" not in question.text


@pytest.mark.parametrize("name", NAMES)
def test_a_question_names_the_events_it_reads(name: str):
    question = catalog.load(name)
    if question.events == {"*"}:  # a trace has events of any name
        assert not re.search(r"WHERE [^;]*\bevent\b", question.text)
        return
    read = r"'((?:round|proposal|model|stop|step|eval|finetune|token_machine)[._]\w+|\$\w+)'"
    assert set(re.findall(read, question.text)) == question.events


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_used_and_declared(name: str):
    question = catalog.load(name)
    assert set(re.findall(r"{(\w+)}", question.text)) == {param.name for param in question.params}


def test_every_board_asks_questions_of_the_catalog():
    for name in boards.NAMES:
        assert boards.events_of(name)


def test_a_name_that_is_not_there_lists_those_that_are():
    with pytest.raises(LoopdeskError, match=r"The catalog has .*best_by_day"):
        catalog.load("round_funel")
    with pytest.raises(LoopdeskError):
        catalog.load("../catalog/rounds")


def test_a_value_that_is_missing_is_named():
    with pytest.raises(LoopdeskError, match="needs a value for until"):
        catalog.load("rounds").values({"since": "2026-01-01"})
