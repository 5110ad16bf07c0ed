"""Odoo from Debian's packages: a real archive over HTTP, real apt, and a key of the test's own."""

import functools
import hashlib
import http.server
import shutil
import subprocess
import threading

import pytest

from scripts import debian
from scripts.steps import NotToBeHad

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("apt-get", "dpkg-deb", "gpg", "gpgconf")),
    reason="needs apt-get, dpkg-deb, gpg and gpgconf",
)
ADDONS = "usr/lib/python3/dist-packages/odoo/addons"
#: package → {file: text}; as in Debian, Odoo's package links to files of the others
PACKAGES = {
    "odoo-19": {f"{ADDONS}/web/__manifest__.py": "{}"},
    "libjs-jquery": {f"{ADDONS}/web/static/lib/jquery/jquery.js": "jQuery"},
    "fonts-font-awesome": {f"{ADDONS}/web/static/lib/fontawesome/fonts/fontawesome-webfont.woff2": "font"},
}


class Archive:
    """A Debian archive with a stable and an unstable suite."""

    def __init__(self, folder, uri):
        self.folder, self.uri, self.home = folder, uri, folder / "gnupg"
        self.home.mkdir(mode=0o700)
        self.gpg("--passphrase", "", "--quick-generate-key", "archive@example.org")
        self.keyring = folder / "keyring.gpg"
        self.gpg("--export", "--output", self.keyring)

    def gpg(self, *arguments):
        subprocess.run(["gpg", "--homedir", self.home, "--batch", "--quiet", *arguments], check=True)
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "gpg-agent"], check=True)

    def publish(self, suite, packages):
        entries = []
        for name, files in packages.items():
            root = self.folder / "build" / suite / name
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
            (root / "DEBIAN").mkdir(parents=True)
            (root / "DEBIAN/control").write_text(control)
            deb = self.folder / f"{name}_{suite}.deb"
            subprocess.run(
                ["dpkg-deb", "--build", "--root-owner-group", root, deb], check=True, capture_output=True
            )
            digest = hashlib.sha256(deb.read_bytes()).hexdigest()
            entries.append(f"{control}Filename: {deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n")
        release = self.folder / "dists" / suite / "Release"
        architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True)
        index = release.parent / f"main/binary-{architecture.stdout.strip()}/Packages"
        index.parent.mkdir(parents=True)
        index.write_text("\n".join(entries))
        digest = hashlib.sha256(index.read_bytes()).hexdigest()
        release.write_text(
            f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nComponents: main\n"
            f"Architectures: {architecture.stdout.strip()}\nDate: Sat, 21 Nov 2026 00:00:00 UTC\n"
            f"SHA256:\n {digest} {index.stat().st_size} {index.relative_to(release.parent)}\n"
        )
        self.gpg("--clearsign", "--output", release.parent / "InRelease", release)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """The archive, which this machine's apt names as its own."""
    folder = tmp_path / "archive"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        archive = Archive(folder, f"http://127.0.0.1:{server.server_port}/")
        archive.publish("sid", {"odoo-19": PACKAGES["odoo-19"]})
        own = {name: PACKAGES.get(name, {}) for name in debian.WEB}
        archive.publish("stable", own)
        sources = tmp_path / "sources"
        sources.mkdir()
        (sources / "own.sources").write_text(
            f"Types: deb\nURIs: {archive.uri}\nSuites: stable\nComponents: main\nSigned-By: {archive.keyring}\n"
        )
        (tmp_path / "apt.conf").write_text(
            f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{sources}";\nAcquire::Retries "0";\n'
        )
        monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
        monkeypatch.setattr(debian, "KEYRINGS", (str(archive.keyring),))
        yield archive
        server.shutdown()


def test_odoo_and_what_its_web_client_needs_come_from_the_machines_own_mirror(archive, tmp_path):
    target = tmp_path / "cache/odoo-19.0"
    debian.download(target)
    for files in PACKAGES.values():
        for path, text in files.items():
            assert (target / path).read_text() == text
    assert (target / ADDONS / debian.STRIPPED).read_text() == ""
    assert [path.name for path in target.parent.iterdir()] == ["odoo-19.0"]


def refused(tmp_path, reason):
    with pytest.raises(NotToBeHad, match=reason) as failure:
        debian.download(tmp_path / "cache/odoo-19.0")
    assert "ODOO_SRC" in failure.value.todo
    assert not list((tmp_path / "cache").glob("*"))


def test_a_package_that_is_not_what_the_archive_signed_is_refused(archive, tmp_path):
    with open(archive.folder / "odoo-19_sid.deb", "r+b") as package:
        package.seek(200)
        package.write(b"x")
    refused(tmp_path, "apt-get said: Failed to fetch .*Hash Sum mismatch")


def test_an_archive_signed_by_somebody_else_is_refused(archive, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    other = Archive(tmp_path / "other", archive.uri)
    monkeypatch.setattr(debian, "KEYRINGS", (str(other.keyring),))
    refused(tmp_path, "apt-get said: .*signed")


def test_an_archive_without_odoo_is_refused(archive, tmp_path):
    shutil.rmtree(archive.folder / "dists/sid")
    shutil.rmtree(archive.folder / "build/sid")
    archive.publish("sid", {})
    refused(tmp_path, "odoo-19")


def test_packages_that_lack_what_the_web_client_loads_are_refused(archive, tmp_path):
    shutil.rmtree(archive.folder / "dists/stable")
    shutil.rmtree(archive.folder / "build/stable")
    archive.publish("stable", {name: {} for name in debian.WEB})
    refused(tmp_path, "do not hold")


def test_a_machine_that_is_no_debian_is_told_so(archive, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{tmp_path}/empty";\n'
    )
    refused(tmp_path, "no Debian archive")
    monkeypatch.setenv("PATH", "/nonexistent")
    refused(tmp_path, "there is no apt-get")
