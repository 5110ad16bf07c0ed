"""The examples of docs/ work as written."""

import ast
import re

from conftest import PASSWORD

from scripts import paths


def test_the_examples_of_the_xmlrpc_page_run_as_one_script(system):
    text = (paths.ROOT / "docs" / "xmlrpc.md").read_text()
    script = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    exec(
        compile(script, "docs/xmlrpc.md", "exec"),
        {"URL": system.url, "DATABASE": system.name, "PASSWORD": PASSWORD},
    )


def test_every_path_and_command_of_the_readme_exists():
    text = (paths.ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (paths.ROOT / link).exists(), link
    for name in re.findall(r"`((?:addons|sandbox|scripts|tests|docs|benchmarks)/[\w./]*)`", text):
        assert (paths.ROOT / name).exists(), name
    for addon in re.findall(r"^\| `(spp_\w+)`", text, re.MULTILINE):
        assert (paths.ADDONS / addon / "__manifest__.py").exists(), addon


def test_every_test_that_the_page_of_faults_names_exists():
    text = (paths.ROOT / "docs" / "faults.md").read_text()
    money, security = (
        dict(re.findall(r"^\| (\d+) \| .* \| (.*) \|$", part, re.M)) for part in text.split("\n## ")[1:]
    )
    assert list(map(int, money)) == list(range(1, 17))
    assert list(map(int, security)) == list(range(1, 11))
    for cell in (*money.values(), *security.values()):
        named = re.findall(r"`([^`]+)::([^`]+)`", cell)
        assert named and len(named) == cell.count("`") // 2, cell
        for path, test in named:
            tree = ast.parse((paths.ROOT / path).read_text())
            found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert test in found, f"{path}::{test}"
