"""The rules of the house: who may import whom, what a text needs, what stays out of files."""

import ast
import re
import resource
import string
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gridplan import i18n

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gridplan"
MODULES = sorted(PACKAGE.rglob("*.py"))

BASE = {"i18n": set(), "errors": {"i18n"}, "params": {"i18n", "errors"}}
GROUND = {"categories", "datum", "layers", "outputs", "pages", "regions", "sheets"}
STAGES = {"read", "osm", "ledger", "households", "blocks", "partition", "assign", "network",
          "plan", "check", "maps", "report", "export", "town", "patrol", "circle", "siting",
          "merge", "roster", "diff", "log"}
EVERYONE_MAY = {*BASE, *GROUND, "network", "plan"}
CHECK_LIBRARIES = {"shapely", "geopandas", "pyogrio", "sqlite3", "numpy", "pandas", "networkx"}
HEAVY = ("geopandas", "pandas", "shapely", "numpy", "scipy", "numba", "ortools", "folium",
         "osmium", "osmnx", "fiona", "pyogrio", "networkx", "pyarrow", "fpdf", "fontTools", "gpxpy")


def room_of(module: Path) -> str:
    """The room a file belongs to; the package's own __init__ is the room ''."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py").replace("__init__", "")


def may_import(room: str) -> set[str]:
    if room in BASE:
        return BASE[room]
    if room in GROUND:
        # A page shows roads by their class.
        return {*BASE, *(("layers",) if room == "pages" else ())}
    if room == "check":
        return {"errors", "layers"}
    if room in STAGES:
        return EVERYONE_MAY
    if room == "pipeline":
        return EVERYONE_MAY | STAGES
    if room == "cli":
        return EVERYONE_MAY | STAGES | {"pipeline"}
    return {"__main__": {"cli"}, "": set()}[room]


def imports_of(module: Path) -> set[str]:
    """Every dotted name that a file imports, those inside functions as well."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_imports_only_go_down(module):
    room = room_of(module)
    rooms = {name.split(".")[1] for name in imports_of(module) if name.startswith("gridplan.")}
    forbidden = rooms - may_import(room) - {room, "__version__"}
    assert not forbidden, f"{room or 'gridplan'} may not import {sorted(forbidden)}"


def test_the_verifier_stands_on_named_libraries_only():
    modules = [m for m in MODULES if room_of(m) == "check"]
    roots = {name.split(".")[0] for m in modules for name in imports_of(m)}
    assert modules
    assert roots - set(sys.stdlib_module_names) - CHECK_LIBRARIES <= {"gridplan"}


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=True, cwd=ROOT).stdout


def test_the_command_line_loads_nothing_heavy():
    loaded = run_python("import sys, gridplan.cli; print(*{m.split('.')[0] for m in sys.modules})")
    assert not set(loaded.split()) & set(HEAVY)


def test_help_answers_at_once():
    def cpu_seconds(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], capture_output=True, check=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    bare = min(cpu_seconds("-c", "pass") for _ in range(3))
    help_ = min(cpu_seconds("-m", "gridplan", "--help") for _ in range(3))
    assert help_ - bare <= 0.5


def test_nothing_happens_on_import():
    assert run_python("import gridplan") == ""


# ---- texts ---------------------------------------------------------------------------------

ROOMS = sorted(p.stem for p in (PACKAGE / "i18n").glob("*.toml"))
TEXTS = [(room, name) for room in ROOMS for name in i18n.load_room(room)]
ALWAYS = {"count", "file", "layer", "row", "field"}


# The same number, written in the manner of the language.
MANNERS = {"numeral": "number"}


def fields(text: str) -> set[str]:
    return {MANNERS.get(name, name) for _, name, _, _ in string.Formatter().parse(text)
            if name is not None}


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_has_both_languages_and_names_the_same_values(room):
    for name, texts in i18n.load_room(room).items():
        where = f"{room}.{name}"
        assert set(texts) == set(i18n.LANGUAGES), where
        assert all(texts.values()), where
        assert fields(texts["en"]) == fields(texts["zh"]), where
        words = re.search("[A-Za-z]{2}", re.sub("{.*?}", "", texts["en"]))
        assert re.search("[一-鿿]", texts["zh"]) or not words or (
            texts["en"] == texts["zh"]), where


@pytest.mark.parametrize("room", ROOMS)
def test_a_mend_mends_something(room):
    names = set(i18n.load_room(room))
    assert {n.removesuffix(".mend") for n in names if n.endswith(".mend")} <= names


def named_findings():
    """Every text that code names literally: where, the key, the values given, all of them?"""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            key = node.args[0]
            if called not in ("add", "Finding", "translate") or not (
                    isinstance(key, ast.Constant) and isinstance(key.value, str)):
                continue
            if "." not in key.value:
                continue
            told = [a.value for a in node.args[1:] if isinstance(a, ast.Constant)]
            needs_mend = called != "translate" and "repaired" not in told
            values = {MANNERS.get(k.arg, k.arg) for k in node.keywords
                      if k.arg not in (None, "values")}
            known = all(k.arg is not None for k in node.keywords)
            for keyword in node.keywords:
                if keyword.arg != "values":
                    continue
                if isinstance(keyword.value, ast.Dict):
                    values |= {k.value for k in keyword.value.keys
                               if isinstance(k, ast.Constant)}
                known &= isinstance(keyword.value, ast.Dict) and None not in keyword.value.keys
            yield (f"{module.relative_to(ROOT)}:{node.lineno}", key.value, needs_mend,
                   values | (ALWAYS if called != "translate" else set()), known)


def test_every_text_that_code_names_exists_and_gets_its_values():
    checked = 0
    for where, key, needs_mend, values, known in named_findings():
        room, _, name = key.partition(".")
        texts = i18n.load_room(room)
        assert name in texts, f"{where}: no text {key}"
        if needs_mend:
            assert f"{name}.mend" in texts, f"{where}: {key} says nothing of how to mend it"
        for part in (name, f"{name}.mend"):
            if known and part in texts:
                lacks = fields(texts[part]["en"]) - values
                assert not lacks, f"{where}: {room}.{part} lacks {sorted(lacks)}"
        checked += 1
    assert checked > 10


# ---- files ---------------------------------------------------------------------------------

@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_hashes_and_name_no_place(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = re.split(r"\n(?=\S)", text.strip())
    assert len(pins) > 30
    for pin in pins:
        assert re.match(r"[a-z0-9-]+==[\w.]+( ; [^\n]+?)? \\\n    --hash=sha256:", pin), pin[:80]
    assert not re.search(r"://|file:| @ |--index|--find|--extra", text)


def test_both_locks_pin_the_same_versions():
    run, dev = ({line.rstrip("\\ ") for line in (ROOT / lock).read_text().splitlines()
                 if "==" in line and not line.startswith(" ")}
                for lock in ("requirements.lock", "requirements-dev.lock"))
    names = {line.partition("=")[0] for line in run}
    assert {line.partition("=")[0] for line in dev} >= names
    pinned = {line.partition(" ;")[0] for line in dev}
    assert {line.partition(" ;")[0] for line in run} <= pinned


def test_every_dependency_is_pinned_and_explained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    told = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    pinned = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for requirement in project["project"]["dependencies"]:
        name = re.match(r"[\w-]+", requirement)[0].lower()
        assert re.search(rf"^{name}==", pinned, re.MULTILINE), name
        assert name in told, f"docs/dependencies.md does not say why {name} was picked"


def our_files() -> list[Path]:
    """The files that are, or are about to be, in the repository."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                            capture_output=True, check=True).stdout.decode("utf-8")
    return [p for name in sorted(set(listed.split("\0"))) if name and (p := ROOT / name).is_file()]


def test_no_file_names_a_place_on_somebody_s_machine():
    place = re.compile(r"(?<![\w./])/(?:work|farm|root|home|opt|Users|tmp/\w+)/|[A-Z]:\\\\?Users")
    for path in our_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = place.search(text)
        assert not found, f"{path.relative_to(ROOT)}: {text[found.start():][:60]}"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_files_and_functions_fit_the_eye(module):
    text = module.read_text(encoding="utf-8")
    assert text.count("\n") <= 600
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False)
            size = node.end_lineno - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
            assert size <= 70, f"{node.name} has {size} lines"


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda p: p.name)
def test_scripts_stay_short(script):
    assert script.read_text(encoding="utf-8").count("\n") <= 30


PAGES = [ROOT / name for name in ("README.md", "README.zh.md", "docs/guide.md",
                                  "docs/guide.zh.md", "CONTRIBUTING.md")]


def examples(page: Path) -> str:
    """The commands a page shows, without its prose."""
    return "\n".join(re.findall(r"(?s)```(?:sh|bat)\n(.*?)```", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_name_only_verbs_and_options_that_exist(page):
    from typer.main import get_command

    from gridplan.cli import app

    commands = get_command(app).commands
    options = {o for c in commands.values() for p in c.params for o in p.opts}
    for verb, rest in re.findall(r"(?m)^\S*gridplan ([a-z-]+)((?:\\\n|.)*)$", examples(page)):
        assert verb in commands, f"{page.name}: gridplan {verb}"
        for option in re.findall(r"(?<!\S)(--?[a-z][\w-]*)", rest):
            assert option in options, f"{page.name}: gridplan {verb} … {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_in_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(("english", "chinese"), [(PAGES[0], PAGES[1]), (PAGES[2], PAGES[3])])
def test_both_languages_have_the_same_chapters_and_examples(english, chinese):
    def outline(page: Path) -> tuple[list[str], list[list[str]]]:
        text = page.read_text(encoding="utf-8")
        return re.findall(r"(?m)^#+ ", text), re.findall(r"(?m)^gridplan ([a-z]+)",
                                                          examples(page))

    assert outline(english) == outline(chinese)
