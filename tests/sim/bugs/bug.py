"""What a bug is, and how it is put into the code and taken out again."""

import __future__

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType

_OURS = ("director", "regions", "tests")


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in the source of one function, or another value for one constant.

    Attributes:
        name: With the class before a dot, if it is a method or property.
        right: What the source says, or the value of the constant as it is written.
        wrong: What it is to say instead.
    """

    module: ModuleType
    name: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Arena:
    """Where a bug is played: a kind of world, narrowed so that the bug can show.

    Attributes:
        kind: The kind, for people.
        play: Plays one seed. Raises AssertionError when a checker speaks.
        seeds_in_check: How many seeds ``make check`` may play; 0 leaves it to ``make sim-bugs``.
    """

    kind: str
    play: Callable[[int], None]
    seeds_in_check: int


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug.

    Attributes:
        name: What the wrong code does, as a sentence.
        invariant: The invariant that it breaks.
        is_liveness: It makes nothing unsafe; the world does not get where it has to.
    """

    name: str
    invariant: str
    arena: Arena
    edits: tuple[Edit, ...]
    is_liveness: bool = False


class MisfitError(Exception):
    """The source changed, so that the bug cannot be put in any more: write the bug anew."""


@contextmanager
def put_in(bug: Bug) -> Iterator[None]:
    """Have the wrong code run within the context.

    Raises:
        MisfitError: The bug does not fit the source any more.
    """
    undo: list[Callable[[], None]] = []
    edits: dict[tuple[str, str], list[Edit]] = {}
    for edit in bug.edits:
        edits.setdefault((edit.module.__name__, edit.name), []).append(edit)
    try:
        for group in edits.values():
            undo += _put(group)
        yield
    finally:
        for each in reversed(undo):
            each()


def _put(edits: list[Edit]) -> list[Callable[[], None]]:
    module, full_name = edits[0].module, edits[0].name
    owner_name, _, name = full_name.rpartition(".")
    owner: object = getattr(module, owner_name) if owner_name else module
    right = inspect.getattr_static(owner, name)
    function = _function_of(right)
    wrong = _other_value(edits, right) if function is None else _rewritten(edits, function)[name]
    if owner is not module:
        return [_set(owner, name, wrong)]
    # Whoever imported it by name has a name of its own for it.
    return [_set(each, name, wrong) for each in _holders(name, right)]


def _function_of(value: object) -> FunctionType | None:
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    return value if isinstance(value, FunctionType) else None


def _rewritten(edits: list[Edit], function: FunctionType) -> dict[str, object]:
    """Return the namespace with the function, and its decorators, from the changed source."""
    source = textwrap.dedent(inspect.getsource(function))
    for edit in edits:
        if edit.right not in source:
            raise MisfitError(f"{edit.module.__name__}.{edit.name} does not say {edit.right!r}")
        source = source.replace(edit.right, edit.wrong)
    # Annotations may name what a module imports for the type checker only.
    flags = __future__.annotations.compiler_flag
    code = compile(source, f"<bug in {edits[0].name}>", "exec", flags, dont_inherit=True)
    namespace: dict[str, object] = {}
    exec(code, vars(edits[0].module), namespace)  # noqa: S102 - our own source
    return namespace


def _other_value(edits: list[Edit], value: object) -> object:
    (edit,) = edits
    if _evaluated(edit.right) != value:
        raise MisfitError(f"{edit.module.__name__}.{edit.name} is {value!r}, not {edit.right}")
    return _evaluated(edit.wrong)


def _evaluated(expression: str) -> object:
    return eval(expression)  # noqa: S307 - our own source


def _holders(name: str, value: object) -> list[ModuleType]:
    return [
        module
        for module_name, module in sorted(sys.modules.items())
        if module_name.partition(".")[0] in _OURS and _holds(module, name, value)
    ]


def _holds(module: ModuleType, name: str, value: object) -> bool:
    held = vars(module).get(name)
    return held is value or (not callable(value) and name in vars(module) and held == value)


def _set(owner: object, name: str, value: object) -> Callable[[], None]:
    before = inspect.getattr_static(owner, name)
    setattr(owner, name, value)
    return lambda: setattr(owner, name, before)
