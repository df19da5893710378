"""The description that the API gives of itself: complete, readable by its own rules, with an example of everything."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import BaseModel

from api import problems
from api.v1 import ROUTES, answers, credit_answers, schemas, statement_answers
from api.v1.description import describe
from api.v1.door import scope_of
from api.v1.examples import EXAMPLES
from domain.refusals import RULES
from store.api_keys import Scope

TOLD = describe(ROUTES)
OPERATIONS = [operation for path in TOLD["paths"].values() for operation in path.values()]
REFUSING = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": TOLD["components"]}


def fits(example: Any, schema: dict[str, Any]) -> None:
    """The example is what its schema says; the references lead into the description itself."""
    jsonschema.Draft202012Validator({**REFUSING, **schema}).validate(example)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation["operationId"])
def test_every_operation_says_what_it_needs_and_shows_an_example_of_each_answer(operation: dict[str, Any]) -> None:
    assert operation["x-scope"] in operation["description"]
    assert operation["security"] == [{"apiKey": []}]
    assert operation["tags"]
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].items()
        assert content[0] == "application/json"
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            fits(content["example"], content["schema"])
            assert (media_type == problems.MEDIA_TYPE) == (int(status) >= 400)
            if int(status) >= 400:
                assert content["example"]["status"] == int(status)
                assert all(f"`{rule}`" in answer["description"] for rule in [content["example"]["rule"]])
    for each in operation.get("parameters", ()):
        assert each["schema"], each


def test_what_is_sent_has_examples_that_may_be_sent() -> None:
    bodies: list[type[BaseModel]] = [
        schemas.NewPayment,
        schemas.NewRefund,
        schemas.NewApplyRequest,
        schemas.Approval,
        schemas.Reasoned,
        schemas.Question,
        schemas.Reply,
        schemas.NewSetup,
        schemas.NewLink,
        schemas.SettingChange,
    ]
    for model in bodies:
        (example,) = TOLD["components"]["schemas"][model.__name__]["examples"]
        model.model_validate(example)
        fits(example, {"$ref": f"#/components/schemas/{model.__name__}"})
    sent = {content["schema"]["$ref"].rpartition("/")[2] for content in _bodies()}
    assert sent == {model.__name__ for model in bodies}


def _bodies() -> list[dict[str, Any]]:
    return [each["requestBody"]["content"]["application/json"] for each in OPERATIONS if "requestBody" in each]


def test_each_example_is_read_by_its_model_and_has_every_field() -> None:
    for name, example in EXAMPLES.items():
        rooms = (answers, credit_answers, statement_answers)
        model: type[BaseModel] = next(getattr(room, name) for room in rooms if hasattr(room, name))
        assert set(example) == set(model.model_fields), name
        model.model_validate(example)


def test_operations_and_rules_have_names_of_their_own_and_scopes_are_all_used() -> None:
    assert len({each["operationId"] for each in OPERATIONS}) == len(OPERATIONS) == len(ROUTES)
    assert {scope_of(route) for route in ROUTES} == set(Scope) - {Scope.REQUESTS_APPROVE}
    for route in ROUTES:
        assert route.description, route.path
    for operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            named = [rule for rule in RULES if f"`{rule}`" in answer["description"]]
            assert all(RULES[rule][0] == int(status) for rule in named)


def test_a_payment_names_one_way_by_its_model_and_by_its_description() -> None:
    good = TOLD["components"]["schemas"]["NewPayment"]["examples"][0]
    for change, is_good in (
        ({}, True), ({"new_method": None}, True), ({"new_method": {"kind": "card"}}, False), ({"method_id": None}, False),
        ({"method_id": None, "new_method": {"kind": "card"}}, True),
    ):  # fmt: skip
        for judge in (
            schemas.NewPayment.model_validate,
            lambda body: fits(body, {"$ref": "#/components/schemas/NewPayment"}),
        ):
            try:
                judge({**good, **change})
            except (ValueError, jsonschema.ValidationError):
                assert not is_good, change
            else:
                assert is_good, change
