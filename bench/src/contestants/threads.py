"""The original's way to serve many: a thread for each client, which reads 512 bytes at a time and logs nothing.

    threads.py    prints its port as JSON; then, for each line on its input, what it has used
"""

import json
import resource
import socket
import sys
import threading

counts = {"messages": 0, "connected": 0}
counting = threading.Lock()


def serve(client):
    buffer = ""  # the original's is one for all clients
    with counting:
        counts["connected"] += 1
    while True:
        data = client.recv(512)
        if not data:
            break
        buffer += data.decode("utf-8")
        *messages, buffer = buffer.split("\r")
        for message in messages:
            json.loads(message)
        with counting:
            counts["messages"] += len(messages)
    with counting:
        counts["connected"] -= 1


def accept(server):
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


server = socket.socket()
server.bind(("0.0.0.0", 0))
server.listen(4096)
threading.Thread(target=accept, args=(server,), daemon=True).start()
port = server.getsockname()[1]

for line in sys.stdin:
    used = resource.getrusage(resource.RUSAGE_SELF)
    with counting:
        report = {
            "port": port,
            "connected": counts["connected"],
            "messages": counts["messages"],
            "hellos": 0,
            "memory": resident(),
            "cpuMs": (used.ru_utime + used.ru_stime) * 1000,
        }
    print(json.dumps(report), flush=True)
