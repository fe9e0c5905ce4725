"""The headers of everything that the exchange answers."""

from __future__ import annotations

from tornado.web import RequestHandler


class SecureHeaders(RequestHandler):
    """Headers of every response: no caching, sniffing, framing or scripts, and no version."""

    style_source = "'none'"

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src {self.style_source}; frame-ancestors 'none'; "
            "base-uri 'none'; form-action 'none'",
        )
        self.clear_header("Server")
