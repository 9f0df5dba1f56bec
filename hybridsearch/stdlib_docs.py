"""What is there to read in the documentation of the running Python's own standard library?

`documents()` yields one document for every module, class, function and method that has
something to say, in the same order and with the same ids on every run of one Python. The
sources are parsed and never executed; only compiled modules are imported, because their
documentation exists nowhere else. Nothing is printed, warned or written.

    from hybridsearch.stdlib_docs import documents

    by_id = {document["id"]: document for document in documents()}
    by_id["csv.DictReader"]["signature"]      # "(f, fieldnames=None, restkey=None, ..."

An object has one document, under the name that people import it by: `os.path.join` and not
`posixpath.join`, `asyncio.sleep` and not `asyncio.tasks.sleep`, `open` and not `io.open`,
`random.randint` and not `random.Random.randint`. Where a module exists in C and in Python
the longer of the two texts is kept. The text is what `help()` would show: the docstring, or
without one that of `__init__`, the comment right above the definition, or for a name that its
module lists in `__all__` the head of the definition. Helpers with a leading underscore take
part when they have a docstring; properties count as methods.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.machinery import ExtensionFileLoader, PathFinder
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

__all__ = ["documents"]

Top: TypeAlias = tuple[str, str]  # a module and a name bound at its top level
Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_SKIPPED = {"test", "tests", "idle_test", "turtledemo", "site-packages", "__main__", "__phello__"}
_SKIPPED |= {"posixpath", "ntpath"} - {os.path.__name__}
_SKIPPED |= {"antigravity", "this", "_tkinter", "readline", "_ctypes_test"}
_RENAMED = {"genericpath": "os.path", "_collections_abc": "collections.abc"}
_RENAMED |= {"nt": "os", "posix": "os"}
_LONGEST_CHAIN = 4  # _asyncio -> asyncio.events -> asyncio is the longest seen
# Modules that name C classes or complete docstrings only while they are imported.
_BOUND_AT_IMPORT = ("base64", "hashlib", os.path.__name__, "re", "types")
_MEMBERS = (
    types.BuiltinFunctionType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.MethodDescriptorType,
    classmethod,
    staticmethod,
)


def documents() -> Iterator[dict[str, Any]]:
    """Every documented object of the standard library, sorted by id.

    Each document has `id` (unique, at most 511 bytes), `name` ("csv.DictReader"), `module`
    ("csv"), `kind` ("module", "class", "function" or "method"), `signature` ("" when not
    known), `text` (never empty) and `length` (characters of text). Takes a few seconds.
    """
    sources = [_read(name, path) for name, path in _source_files()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled, again = _compiled()
    found = [entry for source in sources for entry in source.found]
    yield from _published([*found, *compiled], _Names(sources, compiled, again))


@dataclass(frozen=True)
class _Entry:
    """One object where it is defined; `path` is its dotted name inside the module."""

    module: str
    path: str
    kind: str
    signature: str
    text: str


@dataclass(frozen=True)
class _Source:
    """What one source file defines, and which names it takes from elsewhere."""

    module: str
    found: list[_Entry]
    bound: list[tuple[str, Top]]  # a name here and where it may come from
    stars: list[str]  # modules imported with *
    listed: frozenset[str]  # the names written out in __all__
    methods: dict[str, str]  # "Random.randint" -> "randint": a method of a shared instance


# Source files


def _source_files() -> Iterator[tuple[str, Path]]:
    """Names and files of the standard library's Python modules, by name."""
    root = Path(sysconfig.get_path("stdlib"))
    for name in sorted(sys.stdlib_module_names - _SKIPPED):
        folder, single = root / name, root / f"{name}.py"
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [single]:
            parts = path.relative_to(root).with_suffix("").parts
            if path.is_file() and not _SKIPPED.intersection(parts):
                yield ".".join(parts).removesuffix(".__init__"), path


def _read(module: str, path: Path) -> _Source:
    """What the file at `path` defines and binds; nothing in it is executed."""
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(content)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    nodes = list(_statements(tree.body))
    listed = _listed(nodes)
    place = _Place(module, content.decode("utf-8", "replace").splitlines(), listed)
    found = list(_definitions(nodes, place))
    if text := ast.get_docstring(tree):
        found.append(_Entry(module, "", "module", "", text))
    imported = _imports(nodes, package)
    bound = [*imported, *_late_imports(tree, package, listed), *_assigned(nodes, module, imported)]
    stars = [_absolute(node, package) for node in nodes if _is_star(node)]
    return _Source(module, found, bound, stars, listed, _shared_methods(nodes))


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The statements of a body and of the branches in it, in order."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With | ast.ExceptHandler):
            for field in ("body", "handlers", "orelse", "finalbody"):
                yield from _statements(getattr(node, field, ()))


@dataclass(frozen=True)
class _Place:
    """Where definitions stand: in a module, inside the class `prefix` ("" outside of any)."""

    module: str
    lines: list[str]
    listed: frozenset[str]
    prefix: str = ""
    kind: str = "function"


def _definitions(nodes: Iterable[ast.AST], place: _Place) -> Iterator[_Entry]:
    """The documented classes, functions and methods among statements, nested classes too."""
    for node in nodes:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        path = f"{place.prefix}{node.name}"
        if text := ast.get_docstring(node) or _undocumented(node, path, place):
            kind = "class" if isinstance(node, ast.ClassDef) else place.kind
            yield _Entry(place.module, path, kind, _signature(node), text)
        if isinstance(node, ast.ClassDef):
            inside = list(_statements(node.body))
            yield from _definitions(inside, replace(place, prefix=f"{path}.", kind="method"))


def _undocumented(node: Definition, path: str, place: _Place) -> str:
    """What stands for a missing docstring: that of the maker, the comment, the head."""
    if node.name.startswith("_"):
        return ""
    maker = _maker(node)
    text = (maker and ast.get_docstring(maker)) or _comment_above(node, place.lines)
    return text or (_head(node) if path in place.listed else "")


def _head(node: Definition) -> str:
    """The line that `help()` begins with, and the public methods of a class."""
    if not isinstance(node, ast.ClassDef):
        return f"function {node.name}{_signature(node)}"
    inner = [each.name for each in _statements(node.body) if isinstance(each, ast.FunctionDef)]
    methods = ", ".join(dict.fromkeys(name for name in inner if not name.startswith("_")))
    head = f"class {node.name}{_signature(node)}"
    return f"{head}\n\nMethods: {methods}" if methods else head


def _comment_above(node: Definition, lines: list[str]) -> str:
    """The comment right above a definition, or "" when it says next to nothing."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    last = first
    while first > 0 and lines[first - 1].strip().startswith("#"):
        first -= 1
    said = (line.strip().lstrip("#") for line in lines[first:last])
    text = inspect.cleandoc("\n".join(line for line in said if line.strip(" =-*~_") or not line))
    return text if len(text.split()) >= 4 else ""


def _signature(node: Definition) -> str:
    """The parameters as written in the source, without self; a class has those of its maker."""
    if not isinstance(node, ast.ClassDef):
        return _without_self(f"({ast.unparse(node.args)})")
    maker = _maker(node)
    return _signature(maker) if maker else ""


def _maker(node: Definition) -> ast.FunctionDef | None:
    """The method that takes the arguments of a class."""
    body = _statements(node.body) if isinstance(node, ast.ClassDef) else ()
    functions = {each.name: each for each in body if isinstance(each, ast.FunctionDef)}
    return functions.get("__init__") or functions.get("__new__")


def _without_self(signature: str) -> str:
    return re.sub(r"^\((\$\w+|self|cls)(, /)?(, |(?=\)))", "(", signature)


# Names that a source file binds


def _imports(nodes: Iterable[ast.AST], package: str) -> list[tuple[str, Top]]:
    """Names bound by `from m import a as b`; a plain `import m as b` binds b to (m, "")."""
    bound: list[tuple[str, Top]] = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and not _is_star(node):
            source = _absolute(node, package)
            bound += [(each.asname or each.name, (source, each.name)) for each in node.names]
        elif isinstance(node, ast.Import):
            bound += [(each.asname or each.name, (each.name, "")) for each in node.names]
    return bound


def _late_imports(tree: ast.Module, package: str, listed: frozenset[str]) -> list[tuple[str, Top]]:
    """Listed names that a function of the module imports when they are first asked for."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    nodes = [node for each in functions for node in ast.walk(each)]
    tops = [top for _, top in _imports(nodes, package)]
    return [(top[1], top) for top in tops if top[1] in listed]


def _is_star(node: ast.AST) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that a `from ... import` reads, without leading dots."""
    if not node.level:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _assigned(
    nodes: Iterable[ast.AST], module: str, imported: list[tuple[str, Top]]
) -> list[tuple[str, Top]]:
    """Names bound by `a = b`, `a = m.b` and `class a(m.b)`, where b comes from elsewhere."""
    known = dict(imported)
    bound: list[tuple[str, Top]] = []
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            tops = [top for base in node.bases if (top := _top(base, module, known))]
            bound += [(node.name, top) for top in tops if top[1].lstrip("_") == node.name]
        elif isinstance(node, ast.Assign) and (top := _top(node.value, module, known)):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            bound += [(name, top) for name in names]
            known |= {name: top for name in names}
    return bound


def _top(value: ast.AST, module: str, known: dict[str, Top]) -> Top | None:
    """What a name or `m.name` refers to, when that is a top level name of some module."""
    if isinstance(value, ast.Name):
        return known.get(value.id, (module, value.id))
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        source, name = known.get(value.value.id, ("", "?"))
        return (source, value.attr) if not name else None
    return None


def _listed(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The names written out in `__all__`; empty when there is none."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets):
                words = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
                names.update(word for word in words if isinstance(word, str))
    return frozenset(names)


def _shared_methods(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Methods that a module offers as functions: `_inst = Random()`, `seed = _inst.seed`."""
    makers: dict[str, str] = {}
    methods: dict[str, str] = {}
    for node in nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        value = node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            makers[node.targets[0].id] = value.func.id
        elif isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            maker = makers.get(value.value.id, "")
            methods[f"{maker}.{value.attr}"] = node.targets[0].id
    return methods


# Compiled modules


def _compiled() -> tuple[list[_Entry], dict[Top, Top]]:
    """The documented objects of compiled modules, and the other names of the same objects."""
    entries: list[_Entry] = []
    first: dict[int, Top] = {}
    again: dict[Top, Top] = {}
    for name in _compiled_names():
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        entries += _described(name, "", "module", module)
        for path, value in _members(module):
            if id(value) in first:
                again[name, path] = first[id(value)]
            elif not path.startswith("__"):
                first[id(value)] = (name, path)
                entries += _inspected(name, path, value)
    return entries, again


def _members(module: types.ModuleType) -> list[tuple[str, object]]:
    """What a module holds, own names first; a hook that was replaced counts as it was."""
    names = {name: getattr(value, "__name__", "") for name, value in vars(module).items()}
    original = {own: name for name, own in names.items() if name == f"__{own}__"}
    ordered = sorted(names, key=lambda name: (name != names[name], name))
    return [(name, getattr(module, original.get(name, name))) for name in ordered]


def _compiled_names() -> list[str]:
    """Compiled modules, `builtins` first and private ones last."""
    folders = [sysconfig.get_path("stdlib"), *sys.path]
    names = {*sys.builtin_module_names, *_BOUND_AT_IMPORT}
    for name in sys.stdlib_module_names - names - _SKIPPED:
        spec = PathFinder.find_spec(name, folders)
        if spec and isinstance(spec.loader, ExtensionFileLoader):
            names.add(name)
    kept = (name for name in names - _SKIPPED if not name.startswith(("xx", "_xx", "_test")))
    return sorted(kept, key=lambda name: (name != "builtins", name.startswith("_"), name))


def _inspected(module: str, path: str, value: object) -> Iterator[_Entry]:
    """The entry of a function, or those of a class and its compiled public members."""
    own = inspect.isfunction(value) and value.__module__ == module
    if own or inspect.isbuiltin(value):
        yield from _described(module, path, "function", value)
    elif inspect.isclass(value):
        yield from _described(module, path, "class", value)
        for name, member in sorted(vars(value).items()):
            if isinstance(member, _MEMBERS) and not name.startswith("_"):
                yield from _described(module, f"{path}.{name}", "method", member)


def _described(module: str, path: str, kind: str, value: object) -> Iterator[_Entry]:
    inner = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    text = inner.__doc__
    if isinstance(text, str) and text.strip():
        signature = _without_self(getattr(inner, "__text_signature__", None) or "")
        yield _Entry(module, path, kind, signature, inspect.cleandoc(text))


# The name that people import


class _Names:
    """Where each object is to be imported from."""

    def __init__(
        self, sources: Iterable[_Source], compiled: Iterable[_Entry], again: dict[Top, Top]
    ) -> None:
        self._sources = {source.module: source for source in sources}
        self._again = again
        self._offered: dict[str, set[str]] = {}
        for module, name in [*((entry.module, entry.path) for entry in compiled), *again]:
            self._offered.setdefault(module, set()).add(name.partition(".")[0])
        self._methods = {
            f"{source.module}.{method}": f"{source.module}.{name}"
            for source in self._sources.values()
            for method, name in source.methods.items()
        }
        self._moved = self._moves()

    def public(self, entry: _Entry) -> _Entry:
        """The same entry under the module and path that people import it by."""
        first, dot, rest = entry.path.partition(".")
        top = (entry.module, first)
        for _ in range(_LONGEST_CHAIN):
            top = self._moved.get(top) or self._moved.get((_renamed(top[0]), top[1]), top)
        module, path = _renamed(top[0]), f"{top[1]}{dot}{rest}"
        function = self._methods.get(f"{module}.{path}")
        if function:
            return replace(entry, module=module, path=function[len(module) + 1 :], kind="function")
        return replace(entry, module=module, path=path)

    def _moves(self) -> dict[Top, Top]:
        """For each name that has a better one: the best of those on offer."""
        moved: dict[Top, Top] = {}
        for source in self._sources.values():
            for name, top in self._bindings(source):
                origin, offer = self._again.get(top, top), (source.module, name)
                if origin == ("builtins", name):
                    moved[offer] = origin
                elif self._accepts(source, name, origin):
                    offers = (offer, moved.get(origin, offer))
                    moved[origin] = min(offers, key=lambda each: self._rank(origin, each))
        return moved

    def _bindings(self, source: _Source) -> list[tuple[str, Top]]:
        """The names that a source takes from elsewhere, those of stars included."""
        stars = ((star, name) for star in source.stars for name in self._exports(star))
        return [*source.bound, *((top[1], top) for top in stars)]

    def _exports(self, module: str) -> set[str]:
        """The names that `from module import *` would bring."""
        source = self._sources.get(module)
        if source is None:
            return self._offered.get(module, set())
        own = {entry.path.partition(".")[0] for entry in source.found} | {
            name for name, _ in source.bound
        }
        own |= {name for star in source.stars for name in self._exports(star)}
        return {name for name in own if not name.startswith("_")} - {""}

    def _accepts(self, source: _Source, name: str, origin: Top) -> bool:
        """Whether an object of `origin` is better known as `name` of this source."""
        if name.startswith("_") or not origin[1] or _is_private((source.module, "")):
            return False
        if f"{source.module}.{name}" == ".".join(origin):
            return False
        if origin[0] == source.module and name in source.listed:
            return origin[1] not in source.listed
        inside = origin[0].startswith(f"{source.module}.") and origin[0] not in _RENAMED
        return _is_private((_renamed(origin[0]), origin[1])) or inside

    def _rank(self, origin: Top, offer: Top) -> tuple[bool, bool, int, bool, Top]:
        """Listed names first, then a module or a name like the origin's, then the shortest."""
        unlisted = offer[1] not in self._sources[offer[0]].listed
        unlike = offer[0].rpartition(".")[2] != origin[0].rpartition(".")[2].lstrip("_")
        return unlisted, unlike, offer[0].count("."), offer[1] != origin[1], offer


def _renamed(module: str) -> str:
    """The public name of a module that stands for another one."""
    if module.startswith("_py") and module[3:] in sys.stdlib_module_names:
        return module[3:]
    return "os.path" if module == os.path.__name__ else _RENAMED.get(module, module)


def _is_private(top: Top) -> bool:
    return any(part.startswith("_") for part in [*top[0].split("."), top[1]])


# Documents


def _published(entries: Iterable[_Entry], names: _Names) -> Iterator[dict[str, Any]]:
    """One document for each public name, sorted by id."""
    best: dict[tuple[str, bool], _Entry] = {}
    for entry in entries:
        public = names.public(entry)
        key = (_dotted(public), public.kind == "module")
        best[key] = _merged(best[key], public) if key in best else public
    documents = [
        _document(entry, (name, not is_module) in best and is_module)
        for (name, is_module), entry in best.items()
    ]
    yield from sorted(documents, key=lambda document: str(document["id"]))


def _merged(one: _Entry, other: _Entry) -> _Entry:
    """The entry with the longer text, with the signature of either."""
    longer = one if len(one.text) >= len(other.text) else other
    return replace(longer, signature=longer.signature or one.signature or other.signature)


def _dotted(entry: _Entry) -> str:
    if entry.module == "builtins" and entry.path:
        return entry.path
    return f"{entry.module}.{entry.path}".rstrip(".")


def _document(entry: _Entry, clashes: bool) -> dict[str, Any]:
    name = _dotted(entry)
    return {
        "id": f"{name}:module" if clashes else name,
        "name": name,
        "module": entry.module,
        "kind": entry.kind,
        "signature": entry.signature,
        "text": entry.text,
        "length": len(entry.text),
    }
