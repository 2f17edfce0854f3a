#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Unmodified programs under `naru run`, over a TAP, with the kernel's TCP at the other end: curl both ways with
# checksums, a server, fork and exec with sockets, SCM_RIGHTS, and what the peer sees of exit() and kill -9.
set -u

skip() { echo "skipped: $1"; exit 77; }
fail() { echo "FAILED: $1"; exit 1; }

if [ -z "${NARU_LIVE_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || skip "needs root (network namespace and TAP)"
	[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
	for tool in unshare ip curl python3 sha256sum; do
		command -v $tool >/dev/null || skip "$tool is not installed"
	done
	[ -x "${NARU:-}" ] || skip "NARU does not name the tool"
	unshare -n true 2>/dev/null || skip "network namespaces are not allowed"
	NARU_LIVE_INSIDE=1 exec unshare -n "$0" "$@"
fi

PY=$(command -v /usr/bin/python3 || command -v python3)
DIR=$(mktemp -d)
PIDS=
trap 'kill $PIDS 2>/dev/null; rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
ip link set lo up
run() { timeout 60 "$NARU" run "$@"; }

head -c 67108864 /dev/urandom >big
SUM=$(sha256sum <big)

cat >server.py <<'PYTHON'
import hashlib, http.server, sys

class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                return
            left -= len(piece)
            digest.update(piece)
        text = (digest.hexdigest() + "  -\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer((sys.argv[1], 8000), Handler).serve_forever()
PYTHON

# What the kernel's side reads until the end: number of bytes and how it ended.
cat >ends.py <<'PYTHON'
import socket, sys
s = socket.create_server(("0.0.0.0", 9000))
print("ready", flush=True)
for _ in range(int(sys.argv[1])):
    c, _ = s.accept()
    n = 0
    try:
        while d := c.recv(65536):
            n += len(d)
        print(n, "eof", flush=True)
    except ConnectionResetError:
        print(n, "reset", flush=True)
PYTHON

"$PY" server.py 0.0.0.0 & PIDS="$PIDS $!"
sleep 1

[ "$(run -- curl -sS http://10.77.0.1:8000/big | sha256sum)" = "$SUM" ] || fail "download"
[ "$(run -- curl -sS -H Expect: -T big http://10.77.0.1:8000/x)" = "$SUM" ] || fail "upload"
got=$(run -- env -i "$(command -v curl)" -sS -o /dev/null -w '%{local_ip}' http://10.77.0.1:8000/server.py)
[ "$got" = 10.77.0.2 ] || fail "exec with an empty environment left the stack: $got"

"$NARU" run -- "$PY" server.py 0.0.0.0 & SERVER=$!
PIDS="$PIDS $SERVER"
sleep 1
[ "$(curl -sS -m 60 http://10.77.0.2:8000/big | sha256sum)" = "$SUM" ] || fail "download from a server under naru"
[ "$(curl -sS -m 60 -H Expect: -T big http://10.77.0.2:8000/x)" = "$SUM" ] || fail "upload to a server under naru"
kill "$SERVER"
wait "$SERVER"
[ $? = 143 ] || fail "the exit status of a program killed by SIGTERM is 143"

got=$(run -- sh -c '"$0" server.py 127.0.0.1 & p=$!; sleep 1; curl -sS http://127.0.0.1:8000/big | sha256sum; kill $p' "$PY")
[ "$got" = "$SUM" ] || fail "client and server in one tree"

run -- "$PY" -c '
import os, socket
l = socket.create_server(("0.0.0.0", 7000))
c, _ = l.accept()
if not os.fork():
    os.dup2(c.fileno(), 0)
    os.dup2(c.fileno(), 1)
    os.closerange(3, 65536)
    os.execv("/bin/cat", ["cat"])
c.close()
os.wait()' & INETD=$!
PIDS="$PIDS $INETD"
sleep 1
got=$("$PY" -c '
import socket
s = socket.create_connection(("10.77.0.2", 7000))
s.sendall(b"through fork and exec")
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())')
wait "$INETD"
[ "$got" = "through fork and exec" ] || fail "a socket as stdin and stdout of another program"

got=$(run -- "$PY" -c '
import os, socket
a, b = socket.socketpair()
if not os.fork():
    s = socket.create_connection(("10.77.0.1", 8000))
    socket.send_fds(a, [b"x"], [s.fileno()])
    os._exit(0)
_, fds, _, _ = socket.recv_fds(b, 10, 1)
os.wait()
s = socket.socket(fileno=fds[0])
s.sendall(b"GET /server.py HTTP/1.0\r\n\r\n")
print(s.recv(12).decode())')
[ "$got" = "HTTP/1.1 200" ] || fail "a socket received over a unix socket: $got"

"$PY" ends.py 4 >ends.out & PIDS="$PIDS $!"
sleep 1
for how in 'os._exit(0)' 'os.kill(os.getpid(), 9)' 's.recv(1)' 'os.execv("/bin/true", ["true"])'; do
	case $how in s.recv*) limit="timeout -s KILL 1" ;; *) limit= ;; esac
	run -- $limit "$PY" -c "
import os, socket, time
s = socket.create_connection(('10.77.0.1', 9000))
s.sendall(b'x' * 1000)
time.sleep(0.1)
$how" 2>/dev/null
done
sleep 0.5
cat >expected <<'END'
ready
1000 eof
1000 reset
1000 reset
1000 eof
END
cmp -s ends.out expected || { cat ends.out; fail "what the peer sees of exit, kill, kill in a call, exec"; }

run -- false
[ $? = 1 ] || fail "exit status"
echo "all programs did what they do on the kernel"
