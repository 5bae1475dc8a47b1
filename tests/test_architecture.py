"""Hold the import rules of the house: downward only, stages apart, screens light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "gexdesk"
STAGES = {"sources", "formats", "gex", "gates", "guidelines", "queues", "stores", "metrics", "fleet"}

# What each room may import of the house, apart from itself.
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "model": set(),
    **{stage: {"model"} for stage in STAGES},
    "sample": {"model"},
    "certify": {"api", "sample", "model"},
    "engine": {"model", *STAGES},
    "desk": {"model"},
    "api": {"desk", "model", "__init__"},
    "tui": {"desk", "model"},
    "settings": {"model"},
    "assemble": {"settings", "engine", "sample", "model", *STAGES},
    "cli": {"assemble", "tui", "api", "settings", "desk", "model", "sample", "certify", "__init__"},
    "__main__": {"cli"},
}
# The only arrow out of a stage: a source names the program and its version to the servers it asks.
EXCEPTIONS = {("sources", "__init__")}


def room_of(path: Path) -> str:
    """Return the room a file belongs to: its folder, or its own name at the top."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def runtime_imports(tree: ast.AST) -> list[str]:
    """Return every module a file imports, wherever in the file, but for type checking only."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the rooms they cross"
            module = node.module or ""
            found += [f"{module}.{alias.name}" for alias in node.names] if module == "gexdesk" else [module]
    return found


def arrows() -> set[tuple[str, str, str]]:
    """Return (room, imported room, file) for every import inside the house."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for name in runtime_imports(ast.parse(path.read_text(encoding="utf-8"))):
            parts = name.split(".")
            if parts[0] != "gexdesk":
                continue
            target = parts[1] if len(parts) > 1 else "__init__"
            target = "__init__" if target.startswith("__version") else target
            if target != room_of(path):
                found.add((room_of(path), target, str(path.relative_to(PACKAGE))))
    return found


def test_every_import_goes_downward() -> None:
    wrong = [a for a in arrows() if a[1] not in ALLOWED[a[0]] and (a[0], a[1]) not in EXCEPTIONS]
    assert not wrong, f"imports against the house: {sorted(wrong)}"


def test_every_room_is_in_the_plan() -> None:
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")}
    assert rooms == set(ALLOWED), "a room came or went: change the plan in gexdesk/README.md and here, in one step"


def test_the_rules_would_catch_a_stage_that_imports_another() -> None:
    tree = ast.parse("from gexdesk.stores.lake import Lake")
    assert runtime_imports(tree) == ["gexdesk.stores.lake"]
    assert "stores" not in ALLOWED["queues"]


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("gexdesk.assemble", ["textual"]),
        ("gexdesk.engine.pool_child", ["textual", "duckdb", "fastapi"]),
        ("gexdesk.tui.app", ["duckdb", "polars", "numpy", "fastapi", "pydantic", "httpx2"]),
        ("gexdesk.api.client", ["duckdb", "polars", "numpy", "fastapi", "textual"]),
        ("gexdesk.cli.main", ["duckdb", "polars", "numpy", "fastapi", "textual", "pydantic"]),
    ],
)
def test_heavy_modules_stay_where_they_belong(module: str, never: list[str]) -> None:
    code = f"import sys, {module}; print([m for m in {never!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert found == "[]", f"{module} loads {found}"


def test_the_top_level_holds_six_things_and_dot_files() -> None:
    root = PACKAGE.parent
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False)
    names = {line.split("/")[0] for line in listed.stdout.splitlines()} or {p.name for p in root.iterdir()}
    shown = {name for name in names if not name.startswith(".")}
    assert shown == {"pyproject.toml", "README.md", "gexdesk", "tests", "themes", "sample_data"}
