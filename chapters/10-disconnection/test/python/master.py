"""A master as in the posts 09 to 15: a thread for each slave, and one buffer and one queue of messages for all of them.

    master.py PORT SECONDS [reuse]    SECONDS: how long it looks at its machine before it answers, and all wait for it
                                      reuse: one that is started again need not wait, as the posts' has to, until
                                      the system has forgotten the connections of the one before

Whichever thread looks first takes a message, whoever sent it, and answers on its own connection. Prints what went wrong.
"""

import json
import socket
import sys
import threading
import time

buffer = ""
queue = []


def get_message(client):
    global buffer
    while not queue:
        data = client.recv(512)
        if not data:
            return None
        buffer += data.decode("utf-8")
        *whole, buffer = buffer.split("\r")
        queue.extend(json.loads(text) for text in whole)
    return queue.pop(0)


def serve(client, name):
    try:
        while True:
            message = get_message(client)
            if message is None:
                break
            if message["type"] == "info":
                time.sleep(float(sys.argv[2]))
                answer = {"type": "master_info", "payload": {"hostname": "pi"}}
                client.sendall((json.dumps(answer) + "\r").encode("utf-8"))
        print(f"{name} left", flush=True)
    except Exception as error:
        print(f"{name}: {type(error).__name__}", flush=True)


server = socket.socket()
if "reuse" in sys.argv:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(10)
print("Listening", flush=True)
while True:
    client, (_, port) = server.accept()
    threading.Thread(target=serve, args=(client, port), daemon=True).start()
