"""A TCP proxy between the page and the sandbox, which a check can cut."""

import socket
import socketserver
import threading


class Proxy:
    """A context manager: the proxy stops at its end."""

    def __init__(self, host):
        name, port = host.split(":")
        self.target = (name, int(port))
        self.is_cut = False
        self.instead = b""
        # Set once the proxy has refused a connection after the cut.
        self.refused = threading.Event()
        self.open = set()
        self.lock = threading.Lock()
        proxy = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self):
                proxy.connect(self.request)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.serving = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.serving.start()
        return self

    def __exit__(self, *_):
        self.cut()
        self.server.shutdown()
        self.server.server_close()

    def cut(self, instead=b""):
        """Closes every connection, and sends later ones only this answer."""
        with self.lock:
            self.is_cut = True
            self.instead = instead
            self.refused.clear()
            for end in self.open:
                end.close_both()

    def restore(self):
        with self.lock:
            self.is_cut = False

    def connect(self, near):
        with self.lock:
            if self.is_cut:
                near.recv(65_536)
                near.sendall(self.instead)
                self.refused.set()
                return
            pair = _Pair(near, socket.create_connection(self.target))
            self.open.add(pair)
        there = threading.Thread(target=pair.pump, args=(pair.near, pair.far), daemon=True)
        there.start()
        pair.pump(pair.far, pair.near)
        there.join()
        with self.lock:
            self.open.discard(pair)
        pair.far.close()


class _Pair:
    """The two ends of one connection."""

    def __init__(self, near, far):
        self.near = near
        self.far = far

    def pump(self, source, sink):
        """Forwards bytes until one of the ends closes."""
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        self.close_both()

    def close_both(self):
        for end in (self.near, self.far):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
