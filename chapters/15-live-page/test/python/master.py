"""A master that answers as the Python original of chapter 15 does: a thread for each node, an identity for each connection,
a list of those that are here, no ids, and not a word that nobody has asked for."""
import json
import socket
import sys
import threading
import uuid


def say(text):
    # In one piece: what threads print at once would stand in one line.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
say("Listening")
clients = {}


def answer(own, question):
    if question == "uuid":
        return {"type": "uuid", "payload": own}
    if question == "computer_details":
        return {"type": "master_info", "payload": {"hostname": "python", "ram": 1024**3, "cpu": "", "cpu_cores": 4}}
    if question == "slave_details":
        return {"type": "slave_details", "payload": clients}
    return {"type": "bad_message", "payload": "unknown"}


def serve(client, address):
    own = uuid.uuid4().hex
    clients[own] = {"uuid": own, "address": "%s:%d" % address}
    buffer = b""
    while True:
        data = client.recv(512)
        if not data:
            del clients[own]
            say("Client disconnected")
            return
        buffer += data
        while b"\r" in buffer:
            frame, buffer = buffer.split(b"\r", 1)
            message = json.loads(frame.decode("utf-8"))
            say(message["type"] + ": " + json.dumps(message["payload"]))
            if message["type"] == "info":
                client.send((json.dumps(answer(own, message["payload"])) + "\r").encode("utf-8"))


while True:
    threading.Thread(target=serve, args=listener.accept(), daemon=True).start()
