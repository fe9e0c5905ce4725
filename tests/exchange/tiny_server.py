"""What the real Hub spawns in tests in place of JupyterLab: answers 200, shows its environment."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


if __name__ == "__main__":
    folder, user = os.environ["TINY_SERVER_FOLDER"], os.environ["JUPYTERHUB_USER"]
    Path(folder, f"{user}.json").write_text(json.dumps(dict(os.environ)))
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    HTTPServer((url.hostname or "127.0.0.1", url.port or 80), Handler).serve_forever()
