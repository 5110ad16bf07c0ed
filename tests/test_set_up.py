"""What ./spp sets up, where it comes from, and what it says when it cannot be had."""

import functools
import hashlib
import http.server
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading

import pytest

from scripts import nightly, paths, services
from scripts.series import Odoo
from scripts.steps import Failed, NotToBeHad


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def archive(tmp_path):
    """An archive as Odoo's own is: a Debian index with checksums, and a package."""
    folder = tmp_path / "archive"
    folder.mkdir()
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w:xz") as data:
        for name, text in {"release.py": "version_info = (17, 0, 0)\n", "addons/web/__init__.py": ""}.items():
            entry = tarfile.TarInfo(f"./usr/lib/python3/dist-packages/odoo/{name}")
            entry.size = len(text)
            data.addfile(entry, io.BytesIO(text.encode()))
    package = b"!<arch>\n" + b"".join(
        f"{name:16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode() + body + b"\n" * (len(body) % 2)
        for name, body in (("debian-binary", b"2.0\n"), ("data.tar.xz", tree.getvalue()))
    )
    (folder / "odoo_17.0_all.deb").write_bytes(package)
    digest = hashlib.sha256(package).hexdigest()
    (folder / "Packages").write_text(f"Package: odoo\nFilename: ./odoo_17.0_all.deb\nSHA256: {digest}\n\n")
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_odoo_is_downloaded_from_the_archive_and_checked(archive, tmp_path):
    _folder, url = archive
    nightly.download(tmp_path / "odoo-17.0", url)
    odoo = Odoo("17.0", tmp_path / "odoo-17.0")
    assert odoo.core_addons == [tmp_path / "odoo-17.0/odoo/addons"]
    assert (odoo.source / "odoo/release.py").read_text() == "version_info = (17, 0, 0)\n"


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(archive, tmp_path):
    folder, url = archive
    with open(folder / "odoo_17.0_all.deb", "ab") as package:
        package.write(b"x")
    with pytest.raises(Failed, match="checksum"):
        nightly.download(tmp_path / "cache" / "odoo-17.0", url)
    assert not list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else True


def test_a_machine_without_that_network_is_told_what_to_do(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    with pytest.raises(NotToBeHad) as failure:
        nightly.download(tmp_path / "odoo-17.0", url)
    assert "ODOO_SRC" in failure.value.todo


def test_a_service_is_found_again_and_its_number_is_not_mistaken(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "FOLDER", tmp_path)
    services.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
    record = services.running("sleeper")
    os.kill(record["pid"], signal.SIGKILL)
    while services.running("sleeper"):
        pass
    (tmp_path / "sleeper.json").write_text(f'{{"pid": {os.getpid()}, "began": 1}}')
    assert services.running("sleeper") is None
    assert services.stop("sleeper") is False


def test_every_command_is_explained():
    help_text = subprocess.run(
        [sys.executable, paths.ROOT / "spp", "--help"], capture_output=True, text=True
    ).stdout
    for command in ("run", "test", "bench", "shell", "update", "stop", "reset"):
        assert f"\n    {command} " in help_text
