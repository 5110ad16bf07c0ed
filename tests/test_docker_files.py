"""The container files name only what exists, keep secrets out of files, and listen on loopback.

What they do together can not be tried without Docker; what they name is checked here.
"""

import ast
import configparser
import pathlib
import re
import subprocess

import pytest
import yaml

from scripts import packages, series

ROOT = pathlib.Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SETUP = (ROOT / "docker/setup.sh").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES = COMPOSE["services"]
LONG_RUNNING = ("db", "odoo", "sandbox")

VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([?-])[^}]*)?\}")


@pytest.fixture(scope="module")
def conf():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "docker/odoo.conf")
    return parser["options"]


@pytest.fixture(scope="module")
def instructions():
    """[(keyword, rest)] of the Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in joined if line.strip()]


def copies(instructions):
    """[(source, destination)] of all COPY instructions."""
    pairs = []
    for keyword, rest in instructions:
        if keyword == "COPY":
            *sources, destination = [word for word in rest.split() if not word.startswith("--")]
            pairs += [(source, destination) for source in sources]
    return pairs


def test_the_image_is_the_official_one_and_ends_as_an_ordinary_user(instructions):
    assert instructions[0] == ("FROM", "odoo:17.0")
    assert [rest for keyword, rest in instructions if keyword == "USER"][-1] == "odoo"


def test_everything_copied_exists_and_is_in_the_build_context(instructions):
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    for source, _destination in copies(instructions):
        assert (ROOT / source).exists(), source
        assert "!" + source.split("/")[0] in let_in, source


def test_requirements_are_the_pinned_ones_that_everything_else_runs_with(instructions):
    installed = set(re.findall(r"-r /opt/spp/(\S+)", DOCKERFILE))
    assert installed == {source for source, _ in copies(instructions) if source.startswith("requirements")}
    for name in installed:
        for line in (ROOT / name).read_text().splitlines():
            assert not line.strip() or line.startswith("#") or "==" in line, line
    for pinned in (packages.UV, series.SERIES["17.0"].queue_job):
        assert pinned in DOCKERFILE
    python = re.search(r"--python (3\.\d+) ", DOCKERFILE)[1]
    assert f"/lib/python{python}/site-packages/odoo" in DOCKERFILE
    assert python in ("3.11", "3.12", "3.13")


def test_the_addons_path_is_what_the_image_makes(conf, instructions):
    made = {destination for _source, destination in copies(instructions)}
    made |= {f"{target}/odoo/addons" for target in re.findall(r"--target (\S+)", DOCKERFILE)}
    made.add("/mnt/extra-addons")  # of the official image, empty
    assert set(conf["addons_path"].split(",")) <= made
    assert (
        "/opt/spp/addons" in conf["addons_path"] and "/opt/spp/queue_job/odoo/addons" in conf["addons_path"]
    )


def test_every_module_named_exists(conf):
    named = re.search(r"^modules=(\S+)$", SETUP, re.M)[1].split(",")
    for module in named:
        assert (ROOT / "addons" / module / "__manifest__.py").exists(), module
    assert conf["server_wide_modules"].split(",") == ["base", "web", "queue_job"]


def test_installing_what_is_named_installs_every_addon_but_the_demonstration():
    """By dependencies or auto_install, so that none is left out of the container. Who wants to be shown installs it."""
    manifests = {
        path.parent.name: ast.literal_eval(path.read_text()) for path in ROOT.glob("addons/*/__manifest__.py")
    }
    wanted, installed = re.search(r"^modules=(\S+)$", SETUP, re.M)[1].split(","), set()
    while wanted:
        module = wanted.pop()
        if module in manifests and module not in installed:
            installed.add(module)
            wanted += manifests[module].get("depends", [])
        if not wanted:
            wanted = [
                name
                for name, manifest in manifests.items()
                if name not in installed
                and manifest.get("auto_install")
                and not set(manifest["depends"]) - installed
            ]
    assert installed == manifests.keys() - {"spp_mis_demo"}


def test_odoo_runs_with_workers_and_leaves_some_to_people(conf):
    channels = re.search(r"SPP_QUEUE_JOB_CHANNELS:-root:(\d+)", COMPOSE_TEXT)[1]
    assert 0 < int(channels) < int(conf["workers"])
    assert SERVICES["odoo"]["environment"]["ODOO_QUEUE_JOB_PORT"] == "8069"
    assert conf.getboolean("list_db") is False


def test_no_secret_is_in_a_file(conf):
    assert not [name for name in conf if "passw" in name]
    example = dict(re.findall(r"^#?(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.M))
    used = {name: sign for name, sign in VARIABLE.findall(COMPOSE_TEXT)}
    assert used.keys() == example.keys()
    secret = {name for name in used if "PASSWORD" in name}
    assert secret and all(used[name] == "?" and example[name] == "" for name in secret)
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert re.fullmatch(r"\$\{\w*PASSWORD:\?[^}]+\}", value), f"{name}: {variable}"
    assert not re.search(r"^\s*(ENV|ARG)\s.*(PASSW|SECRET|TOKEN)", DOCKERFILE, re.M | re.I)


def test_ports_are_on_loopback_only_and_the_database_has_none():
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published and all(port.startswith("127.0.0.1:") for port in published)
    assert "ports" not in SERVICES["db"]
    assert SERVICES["sandbox"]["network_mode"] == "service:odoo"  # it listens on 127.0.0.1 only


def test_every_service_that_stays_up_has_a_health_check():
    for name in LONG_RUNNING:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", name
    assert "http://127.0.0.1:8069/web/health" in SERVICES["odoo"]["healthcheck"]["test"]
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == (
                "service_healthy" if other in LONG_RUNNING else "service_completed_successfully"
            ), name


def test_volumes_and_commands_name_what_exists(instructions):
    made = [destination for _source, destination in copies(instructions)] + ["/opt/spp/venv/bin/python"]
    mounted = []
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            mounted.append(source)
            if source.startswith("."):
                assert (ROOT / source / "__main__.py").exists()
                assert f"{service['working_dir']}/sandbox" == target
        command = service.get("command", ["odoo"])[0]
        assert command == "odoo" or command in made
        if "build" in service:
            assert (ROOT / service["build"]["context"] / "Dockerfile").exists()
    assert {name for name in mounted if not name.startswith(".")} == COMPOSE["volumes"].keys()
    assert SERVICES["db"]["image"] == "postgres:16"
    assert SERVICES["sandbox"]["profiles"] == ["sandbox"]


def test_the_setup_script_is_a_script():
    path = ROOT / "docker/setup.sh"
    assert path.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(path)], capture_output=True).returncode == 0
    for variable in ("HOST", "USER", "PASSWORD", "DATABASE", "ADMIN_PASSWORD"):
        assert variable in SETUP and variable in SERVICES["setup"]["environment"]
