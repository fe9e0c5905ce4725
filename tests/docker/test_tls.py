"""A certificate is fetched, renewed automatically, and used, with Debian's ACME test server.

The gateway's image runs as `make up` runs it, in this host's network, before a page of the test's.
"""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.serve import free_port
from tests.docker.stage import CHECKOUT, docker
from tests.needs import TAG

DOMAIN = "course.example"
SECONDS = 90
# Caddy renews in the last third of a certificate's life.
LIFE_SECONDS = 60

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.needs("deployments", "pebble"),
]


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@dataclass
class Authority:
    directory: str
    root: Path


def _own_certificate(folder: Path) -> tuple[Path, Path]:
    """The test server's own certificate, for localhost."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return key, certificate


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Iterator[Authority]:
    folder = tmp_path_factory.mktemp("pebble")
    key, certificate = _own_certificate(folder)
    listen, manage, names, dns_manage = (free_port() for _ in range(4))
    config = {
        "pebble": {
            "listenAddress": f"127.0.0.1:{listen}",
            "managementListenAddress": f"127.0.0.1:{manage}",
            "certificate": str(certificate),
            "privateKey": str(key),
            "httpPort": 8080,
            "tlsPort": 8443,
            "certificateValidityPeriod": LIFE_SECONDS,
        }
    }
    (folder / "pebble.json").write_text(json.dumps(config))
    dns = subprocess.Popen(
        [
            *("pebble-challtestsrv", "-dns01", f"127.0.0.1:{names}", "-http01", "", "-https01", ""),
            *("-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""),
            *("-management", f"127.0.0.1:{dns_manage}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ca = subprocess.Popen(
        [
            *("pebble", "-config", str(folder / "pebble.json")),
            *("-dnsserver", f"127.0.0.1:{names}"),
        ],
        env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Authority(f"https://localhost:{listen}/dir", certificate)
    finally:
        for process in (ca, dns):
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def gateway(page, authority) -> Iterator[str]:
    for port in (8080, 8443):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("0.0.0.0", port))
    name = "lltls-gateway"
    docker("rm", "-f", name, check=False)
    environment = {
        "DOMAIN": DOMAIN,
        "ACME_CA": authority.directory,
        "ACME_CA_ROOT": "/run/root.pem",
        "RENEW_INTERVAL": "2s",
        "UPSTREAM": f"http://127.0.0.1:{page}",
        "HSTS_SECONDS": "31536000",
    }
    docker(
        *("run", "-d", "--name", name, "--network=host", "--read-only", "--tmpfs=/tmp"),
        *("--cap-drop=ALL", "--security-opt=no-new-privileges:true"),
        *("--tmpfs=/var/lib/caddy:uid=915,gid=915,mode=0700",),
        *(f"--env={key}={value}" for key, value in environment.items()),
        f"--volume={authority.root}:/run/root.pem:ro",
        f"--volume={CHECKOUT}/docker/gateway:/opt/logitlab/gateway:ro",
        f"logitlab/gateway:{TAG}",
    )
    try:
        yield name
    finally:
        docker("rm", "-f", name, check=False)


def certificate() -> str | None:
    """Serial number of the certificate that the gateway shows, or None while it has none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", 8443), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=DOMAIN) as secure,
        ):
            der = secure.getpeercert(binary_form=True)
    except OSError:
        return None
    output = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-noout", "-serial", "-issuer"],
        input=der,
        capture_output=True,
        timeout=20,
    ).stdout.decode()
    return output if "Pebble" in output else None


def wait_for(what, seconds: float = SECONDS):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.5)
    raise AssertionError(docker("logs", "--tail=20", "lltls-gateway", check=False))


def asked(port: int, secure: bool) -> tuple[str, str]:
    """Status line and headers, then body, of GET / for the domain."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(plain, server_hostname=DOMAIN) if secure else plain
        connection.sendall(
            f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n".encode()
        )
        output = b""
        while chunk := connection.recv(65536):
            output += chunk
    head, _, body = output.decode().partition("\r\n\r\n")
    return head, body


def test_a_certificate_is_issued_and_renewed_before_it_ends(gateway):
    first = wait_for(certificate)
    # Never without one meanwhile, and another one before the first ends.
    wait_for(lambda: (now := certificate()) and now != first, LIFE_SECONDS + SECONDS)


def test_the_page_is_served_with_tls_and_knows_it(gateway):
    wait_for(certificate)
    head, body = asked(8443, secure=True)
    assert " 200 " in head.splitlines()[0]
    assert "strict-transport-security: max-age=31536000" in head.lower()
    assert json.loads(body)["X-Forwarded-Proto"] == "https"


def test_plain_http_leads_to_tls(gateway):
    wait_for(certificate)
    head, _ = asked(8080, secure=False)
    assert " 308 " in head.splitlines()[0]
    assert f"location: https://{DOMAIN}/" in head.lower()
