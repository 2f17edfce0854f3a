#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's end of the live tests: an HTTP server that hashes what it gets and counts how connections end.

    http_peer.py [--bind ADDRESS] --port N --root FOLDER

GET /NAME gives FOLDER/NAME; GET /counts the counts below as JSON; PUT and POST take a body (with Content-Length,
or chunked) and answer its SHA-256 in hex.  Counts: taken (whole bodies), given (whole files), reset (connections
that ended with ECONNRESET or EPIPE), cut (the peer said it was done before the body was whole).
"""
import argparse
import hashlib
import http.server
import json
import os
import socket
import threading

IO_BYTES = 1 << 20


class Counts:
    """Totals of all connections."""

    def __init__(self):
        self.lock = threading.Lock()
        self.values = {'taken': 0, 'given': 0, 'reset': 0, 'cut': 0, 'bytes': 0}

    def add(self, name, num=1):
        with self.lock:
            self.values[name] += num

    def text(self):
        with self.lock:
            return json.dumps(self.values).encode() + b'\n'


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = 'HTTP/1.1'
    rbufsize = IO_BYTES

    def log_message(self, *_):
        """Quiet: the tests print what matters."""

    def handle(self):
        try:
            super().handle()
        except (ConnectionResetError, BrokenPipeError):
            self.server.counts.add('reset')
            self.close_connection = True

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == '/counts':
            self.answer(self.server.counts.text())
            return
        path = os.path.join(self.server.root, os.path.basename(self.path))
        try:
            with open(path, 'rb') as file:
                size = os.fstat(file.fileno()).st_size
                self.send_response(200)
                self.send_header('Content-Length', str(size))
                self.end_headers()
                self.wfile.flush()
                self.connection.sendfile(file)
        except FileNotFoundError:
            self.answer(b'no such file\n', 404)
            return
        self.server.counts.add('given')

    def pieces(self):
        """The body, piece by piece; raises EOFError when it is cut short."""
        if self.headers.get('Transfer-Encoding', '') == 'chunked':
            while True:
                left = int(self.rfile.readline() or b'0', 16)
                yield from self.exactly(left)
                self.rfile.readline()
                if not left:
                    return
        yield from self.exactly(int(self.headers.get('Content-Length', 0)))

    def exactly(self, left):
        while left:
            piece = self.rfile.read1(min(left, IO_BYTES))
            if not piece:
                raise EOFError
            left -= len(piece)
            self.server.counts.add('bytes', len(piece))
            yield piece

    def do_PUT(self):
        total = hashlib.sha256()
        try:
            for piece in self.pieces():
                total.update(piece)
        except EOFError:
            self.server.counts.add('cut')
            self.close_connection = True
            return
        self.answer(total.hexdigest().encode() + b'\n')
        self.server.counts.add('taken')

    do_POST = do_PUT


class Server(http.server.ThreadingHTTPServer):
    """Threads, one for each connection; both families."""
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, root):
        super().__init__(address, Handler)
        self.root = root
        self.counts = Counts()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bind', default='::')
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--root', required=True)
    args = parser.parse_args()
    Server((args.bind, args.port), args.root).serve_forever()


if __name__ == '__main__':
    main()
