"""A slave as in the posts 11 to 13: it connects again when it has lost its master.

    slave.py PORT PAUSE BEAT    PAUSE: how long it waits after a try that failed, BEAT: between two messages, in seconds

Prints what it does, and each answer.
"""

import json
import socket
import sys
import time

buffer = ""


class Disconnection(Exception):
    pass


def send(master, kind, payload):
    frame = json.dumps({"type": kind, "payload": payload}) + "\r"
    try:
        master.send(frame.encode("utf-8"))
    except OSError:
        raise Disconnection()


def get_message(master):
    global buffer
    while "\r" not in buffer:
        data = master.recv(512)
        if not data:
            raise Disconnection()
        buffer += data.decode("utf-8")
    message, buffer = buffer.split("\r", 1)
    return json.loads(message)


while True:
    master = socket.socket()
    try:
        master.connect(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        print("waiting", flush=True)
        time.sleep(float(sys.argv[2]))
        continue
    try:
        send(master, "computer_details", {"hostname": "python", "cpu": "", "cpu_cores": 1, "ram": 1, "cpu_percent_used": 0.0})
        send(master, "info", "computer_details")
        print(f"answer {get_message(master)['type']}", flush=True)
        while True:
            send(master, "message", "I am still alive, client: 7")
            time.sleep(float(sys.argv[3]))
    except (Disconnection, OSError):
        print("lost", flush=True)
