"""The house: floors without a way up, files that say what they are, classes that are abstract or final.

Each law is a function from source text (or classes) to the list of its offenders. It is shown to catch one before it is asked about
the tree, so that an empty list means something.
"""

import ast
import graphlib
import importlib
import pathlib
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import pytest

import transduce

ROOT = pathlib.Path(__file__).parent.parent
FLOORS = (
    *("shelf", "programs", "units", "numerics", "parameters", "linear", "gaussian", "devices", "link", "qubit", "protocols", "design"),
    *("report", "study", "cli"),
)
"""Bottom to top. ``transduce/__init__.py``, the roof, may import from all of them."""

Sources = dict[str, str]
"""Path from the root of the checkout -> text."""


def sources(*folders: str) -> Sources:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


PACKAGE = sources("transduce")
EVERYTHING = PACKAGE | sources("tests", "experiments")


# The ladder


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(files: Sources) -> Iterator[tuple[str, str, str]]:
    """Every import within the package, those inside functions included: (module, imported module, where)."""
    known = {module_name(path) for path in files}
    for path, text in files.items():
        module = module_name(path)
        package = module if path.endswith("/__init__.py") else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                names = [alias.name for alias in node.names]
                targets = [f"{base}.{name}" if f"{base}.{name}" in known else base for name in names if (base, name) != ROOF_IS_OPEN]
            else:
                continue
            yield from ((module, target, f"{path}:{node.lineno}") for target in targets if target.split(".")[0] == "transduce")


ROOF_IS_OPEN = ("transduce", "__version__")
"""The one name of the roof that a floor may read."""


def climbs(files: Sources) -> list[str]:
    """Imports that run up a floor, modules that stand on none, and circles of imports."""
    found: list[str] = []
    graph: dict[str, set[str]] = {}
    for module, target, where in imports(files):
        graph.setdefault(module, set()).add(target)
        here, there = (name.split(".")[1] if "." in name else "" for name in (module, target))
        if here == "__main__":
            continue  # it calls the command line, which is the top
        if here not in FLOORS and here != "":
            found.append(f"{where}: {module} stands on no floor")
        elif here in FLOORS and here != FLOORS[-1] and (there not in FLOORS or FLOORS.index(there) > FLOORS.index(here)):
            found.append(f"{where}: {module} imports {target}, which is above it")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append("a circle: " + " <- ".join(error.args[1]))
    return found


@pytest.mark.parametrize(
    "offender",
    [
        {"transduce/units.py": "from .numerics import bose", "transduce/numerics.py": ""},
        {"transduce/link/fibre.py": "def f():\n    from ..qubit import encodings", "transduce/qubit/encodings.py": ""},
        {"transduce/devices/base.py": "import transduce.study.run", "transduce/study/run.py": ""},
        {"transduce/design/maximise.py": "import transduce as td", "transduce/__init__.py": ""},
        {"transduce/design/maximise.py": "from .. import device", "transduce/__init__.py": ""},
        {"transduce/link/a.py": "from . import b", "transduce/link/b.py": "def f():\n    from .a import x"},
        {"transduce/link/__init__.py": "from .a import x as x", "transduce/link/a.py": "from . import x"},
        {"transduce/tools.py": "from . import units", "transduce/units.py": ""},
    ],
)
def test_the_ladder_catches(offender):
    assert climbs(offender)


def test_no_import_runs_up_a_floor():
    allowed = {"transduce/__init__.py": "from .study.run import f as f", "transduce/study/run.py": "from .. import __version__, units"}
    assert climbs(allowed | {"transduce/cli.py": "import transduce as td", "transduce/units.py": "import math"}) == []
    assert climbs(PACKAGE) == []


def test_every_module_stands_on_a_floor():
    parts = (name.split(".") for name in map(module_name, PACKAGE))
    assert {part[1] for part in parts if len(part) > 1} - {*FLOORS, "__main__"} == set()


# Files


def without_docstring(files: Sources) -> list[str]:
    return [path for path, text in files.items() if not ast.get_docstring(ast.parse(text))]


def too_long(files: Sources) -> list[str]:
    """Files over 400 lines and functions over 60."""
    found = [f"{path}: {lines} lines" for path, text in files.items() if (lines := len(text.splitlines())) > 400]
    for path, text in files.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := (node.end_lineno or 0) - node.lineno + 1) > 60:
                found.append(f"{path}:{node.lineno}: {node.name} has {lines} lines")
    return found


def banned(files: Sources) -> list[str]:
    """A file of odds and ends, work put off, a question about type asked of an attribute, and modules that this house does without."""
    word = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    found = [path for path in files if pathlib.Path(path).stem in ("utils", "util", "helpers", "misc")]
    for path, text in files.items():
        found += [f"{path}:{number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if word.search(line)]
        for node in ast.walk(ast.parse(text)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}: {name}" for name in modules if name.split(".")[0] in ("pint", "yaml", "pickle")]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hasattr":
                found.append(f"{path}:{node.lineno}: hasattr")
    return found


def factors(node: ast.expr, power: int = 1) -> Iterator[tuple[object, int]]:
    """The constants and names that a product or quotient multiplies, each with its power of 1 or -1."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from factors(node.left, power)
        yield from factors(node.right, power if isinstance(node.op, ast.Mult) else -power)
    elif isinstance(node, ast.UnaryOp):
        yield from factors(node.operand, power)
    elif isinstance(node, ast.Constant):
        yield abs(node.value) if isinstance(node.value, int | float | complex) else node.value, power
    elif isinstance(node, ast.Name | ast.Attribute):
        yield node.id if isinstance(node, ast.Name) else node.attr, power


def two_pi(files: Sources) -> list[str]:
    """Where 2 pi is written, as a product, as tau or in digits."""
    found = set()
    for path, text in files.items():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.expr | ast.stmt):
                continue
            if isinstance(node, ast.BinOp):
                there = set(factors(node))
                bad = {(2, 1), ("pi", 1)} <= there or {(2, -1), ("pi", -1)} <= there
            else:
                bad = isinstance(node, ast.Attribute) and node.attr == "tau"
                bad |= isinstance(node, ast.ImportFrom) and any(alias.name == "tau" for alias in node.names)
                bad |= isinstance(node, ast.Constant) and isinstance(node.value, float) and abs(node.value - 6.2831853) < 1e-3
            if bad:
                found.add(f"{path}:{node.lineno}")
    return sorted(found)


@pytest.mark.parametrize(
    ("law", "path", "text"),
    [
        (without_docstring, "transduce/a.py", "x = 1"),
        (too_long, "transduce/a.py", "x = 1\n" * 401),
        (too_long, "transduce/a.py", "def f():\n" + "    x = 1\n" * 60),
        (banned, "transduce/link/utils.py", ""),
        (banned, "transduce/a.py", "# TO" + "DO: later"),
        (banned, "transduce/a.py", "def f(x):\n    return hasattr(x, 'y')"),
        (banned, "transduce/a.py", "import pickle"),
        (two_pi, "transduce/a.py", "y = 2 * np.pi * x"),
        (two_pi, "transduce/a.py", "y = x * jnp.pi * 2.0"),
        (two_pi, "transduce/a.py", "y = -2j * pi * x"),
        (two_pi, "transduce/a.py", "y = x / (2 * math.pi)"),
        (two_pi, "transduce/a.py", "y = x / 2 / jnp.pi"),
        (two_pi, "transduce/a.py", "y = math.tau"),
        (two_pi, "transduce/a.py", "y = 6.283185307"),
    ],
)
def test_each_law_catches(law: Callable[[Sources], list[str]], path, text):
    assert law({path: text})


def test_every_file_says_what_it_is():
    assert without_docstring(EVERYTHING) == []


def test_files_and_functions_are_short():
    assert too_long(EVERYTHING) == []


def test_nothing_is_put_off():
    assert banned(EVERYTHING) == []


def test_two_pi_lives_in_units():
    assert two_pi({"transduce/a.py": "y = jnp.pi / 2 + 2 * x / jnp.sqrt(jnp.pi) + 2 * x / jnp.pi"}) == []
    assert two_pi({path: text for path, text in PACKAGE.items() if path != "transduce/units.py"}) == []


# Classes


def neither_abstract_nor_final(classes: list[Any]) -> list[str]:
    """Modules whose name does not tell whether they are abstract, final ones with a subclass, and concrete methods overridden."""
    found = []
    for cls in classes:
        called = cls.__name__.lstrip("_").startswith("Abstract")
        if called != bool(cls.__abstractmethods__ | cls.__abstractvars__ | cls.__abstractclassvars__):
            found.append(f"{cls.__qualname__} is {'not ' * called}abstract")
        for base in [base for base in cls.__mro__[1:] if base in classes]:
            if not base.__name__.lstrip("_").startswith("Abstract"):
                found.append(f"{cls.__qualname__} inherits from the final {base.__qualname__}")
            kinds = (property, classmethod, staticmethod)
            methods = {name for name, value in vars(base).items() if callable(value) or isinstance(value, kinds)}
            methods -= {"__init__", "__check_init__", "__post_init__", *base.__abstractmethods__}  # Equinox runs every __check_init__
            methods -= {field.name for field in base.__dataclass_fields__.values()}
            found += [f"{cls.__qualname__}.{name} overrides {base.__qualname__}'s" for name in methods & vars(cls).keys()]
    return found


class AbstractGood(eqx.Module):
    """Abstract by its variable and its method."""

    x: eqx.AbstractVar[int]

    @property
    def double(self) -> int:
        return 2 * self.x


class Good(AbstractGood):
    """Final."""

    x: int


class AbstractBad(eqx.Module):
    """Has nothing abstract."""


class Bad(AbstractGood):
    """Leaves a variable abstract."""


class Worse(AbstractGood):
    """Overrides."""

    x: int

    @property
    def double(self) -> int:
        return 3 * self.x


class Worst(Good):
    """Inherits from a final class."""


def test_the_law_of_classes_catches():
    assert neither_abstract_nor_final([AbstractGood, Good]) == []
    for cls in (AbstractBad, Bad, Worse, Worst):
        assert len(neither_abstract_nor_final([AbstractGood, Good, cls])) == 1, cls


def test_classes_are_abstract_or_final():
    for found in pkgutil.walk_packages(transduce.__path__, "transduce."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)

    def below(cls: type) -> Iterator[type]:
        children: list[type] = type.__subclasses__(cls)
        for child in children:
            yield child
            yield from below(child)

    classes = sorted({cls for cls in below(eqx.Module) if cls.__module__.split(".")[0] == "transduce"}, key=lambda cls: cls.__qualname__)
    assert classes
    assert neither_abstract_nor_final(classes) == []


# The package from outside


def test_import_is_light(fresh_python):
    heavy = ["matplotlib", "typer", "pydantic", "qutip", "mpmath", "pytest", "skrf", "xarray", "h5py", "numpyro", "orbax", "marimo"]
    answer = fresh_python(f"import sys, transduce; print([name for name in {heavy} if name in sys.modules])")
    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


def test_the_version_is_stated_once_and_again_alike():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == transduce.__version__
