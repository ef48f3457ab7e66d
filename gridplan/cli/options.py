"""Options that several verbs share, each written down once."""

from __future__ import annotations

import inspect
import locale
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from gridplan.errors import Finding, UsageError
from gridplan.params import Params, load_params

Lang = Literal["zh", "en"]


def _option(*names: str, panel: str, **more: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **more)


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line, beyond a verb's own arguments."""

    output: Annotated[Path | None, _option(
        "-o", "--output", panel="Output", help="Where the result goes.")] = None
    force: Annotated[bool, _option(
        "--force", panel="Output", help="Replace files that are in the way.")] = False
    no_copy: Annotated[bool, _option(
        "--no-copy", panel="Output",
        help="Stop when the target is open elsewhere, instead of writing a dated copy.")] = False
    dry_run: Annotated[bool, _option(
        "--dry-run", panel="Output", help="Do everything except writing.")] = False
    strict: Annotated[bool, _option(
        "--strict", panel="Output", help="Exit with 4 and write nothing if a grid is an "
        "exception.")] = False
    config: Annotated[Path | None, _option(
        "--config", panel="Plan", help="A gridplan.toml; gridplan init writes one.")] = None
    seed: Annotated[int | None, _option(
        "--seed", panel="Plan", min=0, help="Seed of every random choice.")] = None
    effort: Annotated[Literal["fast", "normal", "best"] | None, _option(
        "--effort", panel="Plan", help="How long to search.")] = None
    trust: Annotated[Literal["totals", "buildings"] | None, _option(
        "--trust", panel="Plan", help="Which wins where totals and buildings disagree.")] = None
    column: Annotated[list[str], _option(
        "--column", panel="Reading", metavar="OURS=THEIRS",
        help="Name a column that is not recognised; repeatable. layer.ours=theirs holds for one "
        "layer.")] = field(default_factory=list)
    layer: Annotated[list[str], _option(
        "--layer", panel="Reading", metavar="NAME|ROLE=NAME",
        help="The layer or sheet to read, where a file has several; repeatable.")] = field(
            default_factory=list)
    crs: Annotated[list[str], _option(
        "--crs", panel="Reading", metavar="CRS|ROLE=CRS",
        help="The CRS of files that state none; repeatable.")] = field(default_factory=list)
    datum: Annotated[list[str], _option(
        "--datum", panel="Reading", metavar="DATUM|ROLE=DATUM",
        help="gcj02 or bd09 where coordinates are shifted so; repeatable.")] = field(
            default_factory=list)
    drop_null: Annotated[bool, _option(
        "--drop-null", panel="Reading", help="Leave out rows without geometry.")] = False
    drop_columns: Annotated[bool, _option(
        "--drop-columns", panel="Reading",
        help="Leave out columns that look like a resident's, instead of stopping.")] = False
    allow_remote: Annotated[bool, _option(
        "--allow-remote", panel="Reading", help="Also read from the network.")] = False
    lang: Annotated[Lang | None, _option(
        "--lang", panel="Everywhere", help="Language; else that of the system.")] = None
    json: Annotated[bool, _option(
        "--json", panel="Everywhere", help="Result as JSON on stdout, log on stderr.")] = False
    debug: Annotated[bool, _option(
        "--debug", panel="Everywhere", help="Show where an unexpected error came from.")] = False

    @property
    def language(self) -> Lang:
        """The language of the texts: asked for, or that of the system."""
        return self.lang or system_language(os.environ)


# What precedes the equals sign of ROLE=VALUE; a CRS written as +proj=… is a plain value.
_ROLE = re.compile(r"[a-z_]+=")
_OPTION_ROLES = {"boundaries": "communities", "special": "specials", "must_link": "must_links"}
EVERYWHERE = ("lang", "json", "debug")
WRITING = ("output", "force", "no_copy", "dry_run")
PLANNING = ("config", "seed", "effort", "strict")
READING = ("column", "layer", "crs", "datum", "drop_null", "drop_columns", "allow_remote")


def system_language(environ: Mapping[str, str]) -> Lang:
    """Return ``zh`` on a Chinese system, else ``en``.

    >>> system_language({"LANG": "zh_CN.UTF-8"}), system_language({"LANG": "C"})
    ('zh', 'en')
    >>> system_language({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"})
    'en'
    """
    said = next((environ[n] for n in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(n)), None)
    if said is None:
        said = locale.getlocale()[0] or ""
    return "zh" if said.lower().startswith(("zh", "chinese")) else "en"


def with_options(body: Callable[..., None], names: Iterable[str],
                 run: Callable[[Options, Callable[[Any], None]], int]) -> Callable[..., None]:
    """Give a verb the shared options ``names``; ``run`` gets them and calls the verb.

    The first parameter of the verb is what ``run`` hands it; the others are its own options.
    """
    hints = get_type_hints(Options, include_extras=True)
    known = {f.name: f for f in fields(Options)}
    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
    shared = [inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[name],
        default=[] if name in ("column", "layer", "crs", "datum") else known[name].default)
        for name in names]

    def command(**given: Any) -> None:
        options = Options(**{name: given.pop(name) for name in names})
        code = run(options, lambda first: body(first, **given))
        if code:
            raise typer.Exit(code)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__name__, command.__doc__ = body.__name__, body.__doc__
    return command


def make_params(options: Options) -> Params:
    """Return the parameters of a run: the file's, with what the command line says on top."""
    from dataclasses import replace

    params = load_params(options.config)
    if options.seed is not None:
        params = replace(params, seed=options.seed)
    if options.effort is not None:
        params = replace(params, partition=replace(params.partition, effort=options.effort))
    return params


def split_pairs(option: str, values: Iterable[str]) -> dict[str, str]:
    """Read ``["a=b", …]``.

    Raises
    ------
    UsageError
        A value has no equals sign, or nothing on one side of it; all of them at once.
    """
    pairs = {value: value.partition("=") for value in values}
    bad = [v for v, (left, _, right) in pairs.items() if not left.strip() or not right.strip()]
    if bad:
        raise UsageError(*(Finding("cli.not_a_pair", field=option, values={"value": v})
                           for v in bad))
    return {left.strip(): right.strip() for left, _, right in pairs.values()}


def by_role(option: str, values: Iterable[str],
            roles: Iterable[str]) -> dict[str, str] | str | None:
    """Read ``["NAME"]``, which holds for every file, or ``["role=NAME", …]``.

    >>> by_role("--crs", ["EPSG:4490"], ["roads"]), by_role("--crs", [], ["roads"])
    ('EPSG:4490', None)
    >>> by_role("--crs", ["roads=EPSG:4490"], ["roads"])
    {'roads': 'EPSG:4490'}

    A file may be named by its option too: ``boundaries`` holds the communities.

    >>> by_role("--layer", ["boundaries=two"], ["communities"])
    {'communities': 'two'}

    Raises
    ------
    UsageError
        Several values for every file, a value both for every and for one, or an unknown role.
    """
    known, listed = list(roles), [_own_role(v) for v in values]
    strange = [v for v in listed if _ROLE.match(v) and v.partition("=")[0] not in known]
    if strange:
        raise UsageError(*(Finding("cli.unknown_role", field=option, values={
            "value": v, "roles": ", ".join(known)}) for v in strange))
    named = [v for v in listed if _ROLE.match(v)]
    plain = [v for v in listed if v not in named]
    if len(plain) > 1 or (plain and named):
        raise UsageError(Finding("cli.several_plain", field=option,
                                 values={"value": ", ".join(plain)}))
    return plain[0] if plain else split_pairs(option, named) or None


def name_links(files: Iterable[Path]) -> dict[str, Path]:
    """Return a role for each file of must-links.

    >>> list(name_links([Path("a"), Path("b")]))
    ['must_links', 'must_links:2']
    """
    return {"must_links" if n == 1 else f"must_links:{n}": path
            for n, path in enumerate(files, start=1)}


def _own_role(value: str) -> str:
    role, equals, rest = value.partition("=")
    return _OPTION_ROLES.get(role.strip(), role.strip()) + equals + rest if equals else value
