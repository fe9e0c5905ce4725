"""How this site reaches package indexes, from the caller's environment and pip's configuration.

Builds get it as secrets and predefined arguments, which no layer and no history keeps.
"""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Passed on unchanged.
HANDED_ON = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_NO_INDEX"),
    *("PIP_DEFAULT_TIMEOUT", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_NO_INDEX", "UV_INSECURE_HOST"),
    *("UV_HTTP_TIMEOUT", "npm_config_registry", "NPM_CONFIG_REGISTRY"),
)
# uv installs most packages, and has its own names for pip's settings.
ALSO_FOR_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}
# Docker predefines these build arguments and keeps them out of the history.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
FIND_LINKS = "PIP_FIND_LINKS"


@dataclass(frozen=True)
class Site:
    """`variables`: for the installers; `bundle`: the file of all trusted CA certificates;
    `extra`: a file of additional trusted ones; `wheels`: folders of wheels."""

    variables: Mapping[str, str]
    bundle: Path | None = None
    extra: Path | None = None
    wheels: tuple[Path, ...] = ()
    proxies: tuple[str, ...] = ()

    @property
    def shell(self) -> str:
        """`variables` as shell assignments."""
        return "".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in self.variables.items()
        )


def pip_configuration(texts: Iterable[str]) -> dict[str, str]:
    """pip's configuration files, lowest precedence first, as environment variables."""
    found: dict[str, str] = {}
    for text in texts:
        parser = configparser.RawConfigParser()
        parser.read_string(text)
        for section in ("global", "install"):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    name = "PIP_" + key.upper().replace("-", "_")
                    found[name] = " ".join(value.split())
    if "PIP_TIMEOUT" in found:
        found["PIP_DEFAULT_TIMEOUT"] = found["PIP_TIMEOUT"]
    return found


def site(environ: Mapping[str, str], configuration: Mapping[str, str]) -> Site:
    """The site described by `environ` and, with lower precedence, pip's `configuration`.

    Indexes that are local folders are left out: a build cannot see them.
    """
    known = {**configuration, **{name: value for name, value in environ.items() if value}}
    variables = {}
    for name in HANDED_ON:
        parts = [part for part in known.get(name, "").split() if not part.startswith("file:")]
        if parts:
            variables[name] = " ".join(parts)
    for name, other in ALSO_FOR_UV.items():
        if name in variables:
            variables.setdefault(other, variables[name])
    bundle = next((known[name] for name in BUNDLES if name in known), "")
    extra = known.get("NODE_EXTRA_CA_CERTS", "")
    links = known.get(FIND_LINKS, "").split()
    return Site(
        variables=variables,
        bundle=Path(bundle) if bundle else None,
        extra=Path(extra) if extra else None,
        wheels=tuple(
            Path(link.removeprefix("file://")) for link in links if link.startswith(("/", "file:"))
        ),
        proxies=tuple(name for name in PROXIES if known.get(name)),
    )


def site_here() -> Site:
    """The site of this process."""
    home = Path(os.environ.get("HOME") or "/nonexistent")
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    if named := os.environ.get("PIP_CONFIG_FILE"):
        files.append(Path(named))
    texts = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    return site(os.environ, pip_configuration(texts))
