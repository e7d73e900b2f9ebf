"""A slave that talks as the Python original of chapter 07 does: it describes itself, asks, takes the next frame for the
answer whatever it is, and only then says that it is alive."""
import json
import socket
import sys

master = socket.create_connection(("127.0.0.1", int(sys.argv[1])))


def say(kind, payload):
    master.send((json.dumps({"type": kind, "payload": payload}) + "\r").encode("utf-8"))


def listen():
    buffer = b""
    while b"\r" not in buffer:
        buffer += master.recv(512)
    return json.loads(buffer[: buffer.index(b"\r")].decode("utf-8"))


say("computer_details", {"hostname": "pi", "cpu": ""})
for question in sys.argv[2:]:
    say("info", question)
    answer = listen()
    print(question + ": " + answer["type"] + " " + json.dumps(answer["payload"]), flush=True)
say("message", "I am still alive, client: 1")
master.close()
