"""GPT-2-shaped folders, small and with random weights, and a stand-in for the model hub."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch

from hub.host.models import Published
from tests.course_package.test_models import gpt2_checkpoint


def published_layout(folder: Path, name: str) -> Path:
    """A tiny GPT-2 with the peculiarities of the published file: no `transformer.` before the
    names, causal masks among the tensors, and numbers that do not begin at a multiple of four."""
    from safetensors.torch import load_file

    gpt2_checkpoint(folder, name)
    file = folder / name / "model.safetensors"
    tensors = {k.removeprefix("transformer."): v for k, v in load_file(file).items()}
    tensors["h.0.attn.bias"] = torch.ones(8, 8).tril().view(1, 1, 8, 8)
    header, end = {}, 0
    for key, tensor in tensors.items():
        size = tensor.numel() * 4
        header[key] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [end, end + size],
        }
        end += size
    text = json.dumps(header).encode()
    text += b" " * ((3 - len(text)) % 4)
    body = b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors.values())
    file.unlink()
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return folder / name


@dataclass
class StandInHub:
    """Serves the files of a folder as the model hub does."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)
    cut_after: int | None = None  # bytes of a body after which the line goes dead

    def published(self) -> Published:
        files = {
            file.name: (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
            for file in sorted(self.folder.iterdir())
        }
        return Published("somebody/model", "0" * 40, "MIT", files, endpoint=self.url)


@contextmanager
def stand_in_hub(folder: Path) -> Iterator[StandInHub]:
    hub = StandInHub(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            file = hub.folder / self.path.rpartition("/")[2]
            if f"/somebody/model/resolve/{'0' * 40}/" not in self.path or not file.is_file():
                self.send_error(404)
                return
            data = file.read_bytes()
            start = 0
            if wanted := self.headers.get("Range"):
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                if first != last:
                    start = int(first)
            hub.asked.append(f"{self.command} {file.name} {start}")
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if body:
                end = None if hub.cut_after is None else start + hub.cut_after
                self.wfile.write(data[start:end])
                if hub.cut_after is not None and start + hub.cut_after < len(data):
                    self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
