"""The original's way: a send a message; recv 512 bytes, split at carriage returns, json.loads.

    original.py receive WARM_UP_MS MEASURE_MS LOOKS_EVERY   prints its port, then what it found, as JSON
    original.py send PORT SIZE                              sends until it is ended
"""

import json
import resource
import socket
import sys
import time

buffer = ""  # the original's is global too


def receive(warm_up, measure, every):
    global buffer
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    print(json.dumps({"port": server.getsockname()[1]}), flush=True)
    client, _ = server.accept()
    count = 0
    first = begin = None
    while True:
        data = client.recv(512)
        if not data:
            sys.exit("the sender left")
        buffer += data.decode("utf-8")
        *messages, buffer = buffer.split("\r")
        for message in messages:
            json.loads(message)
            count += 1
            if count % every != 0:
                continue
            now = time.perf_counter() * 1000
            if first is None:
                first = now
            elif begin is None:
                if now - first >= warm_up:
                    begin = (now, count)
            elif now - begin[0] >= measure:
                rate = (count - begin[1]) * 1000 / (now - begin[0])
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(json.dumps({"perSecond": rate, "peakMiB": peak}), flush=True)
                sys.exit()


def send(port, size):
    around = len(json.dumps({"type": "message", "payload": ""}, separators=(",", ":")))
    messages = []
    for n in range(max(4, min(50_000, 16 * 1024 * 1024 // size))):
        beat = f"I am still alive, client: {10_000 + n} "
        payload = (beat * (size // len(beat) + 1))[: size - around]
        messages.append({"type": "message", "payload": payload})
    master = socket.create_connection(("127.0.0.1", port))
    while True:
        for message in messages:
            master.sendall((json.dumps(message, separators=(",", ":")) + "\r").encode("utf-8"))


if sys.argv[1] == "receive":
    receive(*map(int, sys.argv[2:5]))
else:
    send(*map(int, sys.argv[2:4]))
