"""The floor plan: a module imports from its own floor or from below, and optional libraries only when used."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "neon").rglob("*.py"))

FLOORS = {
    "neon.errors": 0,
    "neon.lrp": 1,
    "neon.rules": 1,
    "neon.composites": 1,
    "neon.targets": 1,
    "neon.nn": 2,
    "neon.baselines": 2,
    "neon.converters": 3,
    "neon.extend": 3,
    "neon.clusters": 4,
    "neon.dependence": 4,
    "neon.explainer": 4,
    "neon.explanation": 4,
    "neon.plots": 4,
    "neon.report": 4,
    "neon.anomalies": 5,
    "neon.artifacts": 5,
    "neon.cli": 5,
    "neon.evaluate": 5,
    "neon.mlflow": 5,
    "neon.scale": 5,
    "neon.shift": 5,
    "neon": 6,  # the package's front door, `neon/__init__.py`, may import everything
}

# The one circle: the lazy property `Explanation.plot` gives the plots, which take explanations.
KNOWN_CIRCLES = [
    {
        "neon.explanation.explanation",
        "neon.plots._accessor",
        "neon.plots._rows",
        "neon.plots._tokens",
        "neon.plots._tokens_html",
    },
]


def floor(module: str) -> int:
    """Floor of a dotted module name; ``neon._anything`` stands below everything."""
    parts = module.split(".")
    if len(parts) > 1 and parts[1].startswith("_") and not parts[1].startswith("__"):
        return 0
    for length in range(len(parts), 1, -1):
        name = ".".join(parts[:length])
        if name in FLOORS:
            return FLOORS[name]
    if len(parts) > 1:
        raise LookupError(f"{module} has no floor: give it one in FLOORS")
    return FLOORS[module]


def module_name(path: Path, root: Path = ROOT) -> str:
    """Dotted name of a file: neon/lrp/__init__.py -> neon.lrp."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield the dotted names a module imports, wherever the statement stands in it.

    A name imported from a package stands as ``package.name``: it may be a module itself.
    """
    yield from _imports_of(ast.walk(ast.parse(source)), module, is_package=is_package)


def _imports_of(nodes: Iterator[ast.AST], module: str, *, is_package: bool) -> Iterator[str]:
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def upward_imports(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return the imports that point to a higher floor."""
    # `from neon import x` names neon.x; what is no module there is a name of the front door, on the top floor
    ours = [name for name in imports(source, module, is_package=is_package) if name.split(".")[0] == "neon"]
    return [name for name in ours if _floor_or_top(name) > floor(module)]


def _floor_or_top(name: str) -> int:
    try:
        return floor(name)
    except LookupError:
        return FLOORS["neon"]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_downwards(path: Path) -> None:
    upwards = upward_imports(path.read_text(), module_name(path), is_package=path.stem == "__init__")
    assert not upwards, f"{module_name(path)} (floor {floor(module_name(path))}) imports {upwards}"


@pytest.mark.parametrize("path", sorted((ROOT / "neon" / "lrp").rglob("*.py")), ids=module_name)
def test_engine_knows_nothing_of_scikit_learn(path: Path) -> None:
    names = imports(path.read_text(), module_name(path), is_package=path.stem == "__init__")
    assert not {name.split(".")[0] for name in names} & {"sklearn", "scipy"}


@pytest.mark.parametrize(
    ("module", "source", "upwards"),
    [
        ("neon.lrp.tape", "import neon.nn.pooling", ["neon.nn.pooling"]),
        ("neon.lrp.tape", "def f():\n    from neon.converters import registry", ["neon.converters.registry"]),
        ("neon.lrp.tape", "from ..nn import functional", ["neon.nn.functional"]),
        ("neon.lrp.tape", "from .. import nn", ["neon.nn"]),
        ("neon.lrp.tape", "from neon import explain", ["neon.explain"]),
        ("neon.nn.pooling", "import neon", ["neon"]),
        ("neon.errors", "from neon.lrp import LRP", ["neon.lrp.LRP"]),
        ("neon._chunks", "from neon.lrp import LRP", ["neon.lrp.LRP"]),
        ("neon.explanation", "from neon.cli import main", ["neon.cli.main"]),
        ("neon.cli", "from neon import explain", ["neon.explain"]),
        ("neon.lrp.tape", "import torch, neon.errors\nfrom . import rules\nfrom neon._chunks import rows", []),
        ("neon.nn.pooling", "from ..lrp.tape import Tape\nfrom .functional import soft_min", []),
        ("neon.cli", "from .converters import neuralize\nfrom .explainer import Explainer", []),
    ],
)
def test_checker(module: str, source: str, upwards: list[str]) -> None:
    assert upward_imports(source, module) == upwards


def test_checker_reads_relative_imports_of_packages() -> None:
    assert list(imports("from . import tape", "neon.lrp", is_package=True)) == ["neon.lrp.tape"]
    assert list(imports("from . import lrp", "neon.lrp", is_package=False)) == ["neon.lrp"]


def import_graph(sources: Mapping[str, str], packages: set[str]) -> dict[str, set[str]]:
    """Which modules each module imports, wherever in its file; sources by dotted name.

    What is imported for type checkers alone does not count. A name that a package's ``__init__`` hands on stands for
    the module that it comes from.
    """

    def found_in(name: str, asking: str) -> str | None:
        """The module that a dotted name leads to."""
        if name in sources:
            return name
        owner, _, last = name.rpartition(".")
        if owner in packages and owner != asking:
            for handed_on in running_imports(sources[owner], owner, is_package=True):
                if handed_on.rpartition(".")[2] == last:
                    return found_in(handed_on, owner)
        return found_in(owner, asking) if owner else None

    graph = {}
    for module, source in sources.items():
        found = {found_in(name, module) for name in running_imports(source, module, is_package=module in packages)}
        graph[module] = {name for name in found if name is not None and name != module}
    return graph


@functools.cache
def running_imports(source: str, module: str, *, is_package: bool) -> list[str]:
    """As `imports`, without those under ``if TYPE_CHECKING``."""

    def nodes(node: ast.AST) -> Iterator[ast.AST]:
        yield node
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in node.orelse if typing_only and isinstance(node, ast.If) else ast.iter_child_nodes(node):
            yield from nodes(child)

    return list(_imports_of(nodes(ast.parse(source)), module, is_package=is_package))


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, round about: each set of those that all lead to one another."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen, todo = set(), list(graph[start])
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo.extend(graph.get(module, ()))
        reached[start] = seen
    rings = {frozenset(b for b in reached[a] if a in reached[b]) for a in graph if a in reached[a]}
    return sorted(sorted(ring) for ring in rings)


def test_no_import_circle() -> None:
    """Lazy imports included: what a function imports when it is called, its module depends on."""
    sources = {module_name(path): path.read_text() for path in MODULES}
    packages = {module_name(path) for path in MODULES if path.stem == "__init__"}
    found = circles(import_graph(sources, packages))
    assert not [ring for ring in found if not any(set(ring) <= known for known in KNOWN_CIRCLES)]


@pytest.mark.parametrize("path", sorted((ROOT / "neon" / "explanation").glob("*.py")), ids=module_name)
def test_explanations_know_plots_by_one_property(path: Path) -> None:
    names = running_imports(path.read_text(), module_name(path), is_package=path.stem == "__init__")
    plots = [name for name in names if name.startswith("neon.plots")]
    assert plots == (["neon.plots._accessor.PlotAccessor"] if path.stem == "explanation" else [])


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"n": "", "n.a": "from n import b", "n.b": "def f():\n    import n.a"}, [["n.a", "n.b"]]),
        ({"n": "", "n.a": "import n.b", "n.b": "from .c import x", "n.c": "from . import a"}, [["n.a", "n.b", "n.c"]]),
        ({"n": "from n.a import f", "n.a": "import n.b", "n.b": "from n import f"}, [["n.a", "n.b"]]),
        ({"n": "from n.a import f", "n.a": "import n.b", "n.b": "", "n.c": "from n import f"}, []),
        ({"n": "", "n.a": "import n.b", "n.b": "if TYPE_CHECKING:\n    import n.a\nelse:\n    x = 1"}, []),
        (
            {"n": "", "n.a": "import n.b", "n.b": "if TYPE_CHECKING:\n    x = 1\nelse:\n    import n.a"},
            [["n.a", "n.b"]],
        ),
    ],
)
def test_checker_of_circles(sources: dict[str, str], expected: list[list[str]]) -> None:
    assert circles(import_graph(sources, {"n"})) == expected


def test_every_module_has_a_floor() -> None:
    assert len(MODULES) > 1
    with pytest.raises(LookupError, match=r"neon\.attic"):
        floor("neon.attic.trunk")


def test_every_name_stands_for_one_class() -> None:
    found: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(module_name(path))
    assert not {name: modules for name, modules in found.items() if len(modules) > 1}


OPTIONAL = [
    "xgboost",
    "lightgbm",
    "catboost",
    "shap",
    "captum",
    "numba",
    "polars",
    "skops",
    "matplotlib",
    "lime",
    "mlflow",
    "ot",
]


@pytest.mark.parametrize("statement", ["import neon", "import neon.cli", "import neon.evaluate"])
def test_import_is_light(statement: str) -> None:
    """Optional libraries, and matplotlib with its slow start, are imported where they are used."""
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    loaded = set(answer.stdout.split())
    assert "neon" in loaded
    assert not loaded & set(OPTIONAL)
