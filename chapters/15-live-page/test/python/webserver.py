"""A web node that speaks as the Python original of chapter 15 does: its identity first, then its details, and from then on a
message and two questions a turn. It takes whatever comes for the answer to what it asked last."""
import json
import socket
import sys
import time

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
buffer = b""


def send(kind, payload):
    connection.sendall((json.dumps({"type": kind, "payload": payload}) + "\r").encode("utf-8"))


def ask(question):
    global buffer
    send("info", question)
    while b"\r" not in buffer:
        data = connection.recv(512)
        if not data:
            sys.exit("The master has gone")
        buffer += data
    frame, buffer = buffer.split(b"\r", 1)
    message = json.loads(frame.decode("utf-8"))
    print(question + ": " + message["type"] + ": " + json.dumps(message["payload"]), flush=True)
    return message["payload"]


own = ask("uuid")
send("computer_details", {"hostname": "snake", "cpu_percent_used": 2.5, "ram": 1024**3, "cpu": "", "cpu_cores": 4})
while True:
    send("message", "I am still alive, client: " + own)
    ask("computer_details")
    ask("slave_details")
    time.sleep(0.5)
