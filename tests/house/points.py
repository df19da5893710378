"""Where fault points are missing, found in the source: commits without a name, calls that move something without points."""

import ast
from collections.abc import Iterator
from typing import Final

MOVES: Final = {
    "charge",
    "open_payment_page",
    "cancel_charge",
    "refund",
    "start_setup",
    "cancel_setup",
    "detach_method",
    "post_payment",
    "post_reversal",
    "post_refund",
    "post_refund_reversal",
    "post_application",
}
"""What the ports of providers and ERPs have that changes something over there. Mail is sent by `_mail.send`."""

Function = ast.AsyncFunctionDef | ast.FunctionDef


def nameless_commits(tree: ast.Module) -> Iterator[str]:
    """A transaction that the drill cannot name, or a way around `Database.begin`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_begin(node) and not _is_literal(node.args):
            yield f"line {node.lineno}: begin() without a literal name"
        if isinstance(node, ast.Attribute) and node.attr == "engine":
            yield f"line {node.lineno}: the engine itself, whose commits have no points"


def _is_begin(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "begin"


def _is_literal(arguments: list[ast.expr]) -> bool:
    return bool(arguments) and isinstance(arguments[0], ast.Constant) and isinstance(arguments[0].value, str)


def calls_without_points(tree: ast.Module) -> Iterator[str]:
    """Calls that move something in a function that neither passes points itself nor is called only by such that do."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
    guarded = {each.name for each in functions if {"before_send", "after_answer"} <= set(_points(each))}
    for each in functions:
        if each.name in guarded or not any(_moves(node) for node in ast.walk(each)):
            continue
        callers = [other.name for other in functions if each.name in set(_calls(other))]
        if not callers or not set(callers) <= guarded:
            yield f"line {each.lineno}: {each.name} moves something without points around it"


def _points(function: Function) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reach":
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value.rpartition(".")[2]


def _moves(node: ast.AST) -> bool:
    """`provider.charge(…)`, `self._mail.send(…)`; not `self.charge(…)`, which is ours."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner = ast.unparse(node.func.value)
    return (node.func.attr in MOVES and owner != "self") or (node.func.attr == "send" and owner.endswith("_mail"))


def _calls(function: Function) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "self":
            yield node.func.attr
