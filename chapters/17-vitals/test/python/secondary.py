"""A secondary that speaks as the Python original of chapters 17 and 18 does: its identity, its base info, a question, and then
vitals and messages. It takes whatever comes for the answer to what it asked last.

    secondary.py CHAPTER PORT"""
import json
import socket
import sys
import time

CHAPTER = int(sys.argv[1])
connection = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
text = ""


def send(kind, payload):
    connection.sendall((json.dumps({"type": kind, "payload": payload}) + "\r").encode("utf-8"))


def ask(question):
    global text
    send("info", question)
    while "\r" not in text:
        data = connection.recv(512)
        if not data:
            sys.exit("The primary has gone")
        text += data.decode("utf-8")
    frame, text = text.split("\r", 1)
    message = json.loads(frame)
    print(question + ": " + message["type"] + ": " + json.dumps(message["payload"]), flush=True)
    return message["payload"]


own = ask("uuid")
info = {"hostname": "snake", "ram": 1024**3, "swap": 0, "cpu": "", "cpu_cores": 4}
send("node_baseinfo", {**info, "cpu_frequency_max": 1500.0, "cpu_frequency_min": 600.0})
ask("node_baseinfo")
while True:
    vitals = {"cpu_percentage": 2.0, "cpu_frequency": 600.0, "ram_free": 512 * 10**6, "swap_free": 0}
    send("vitals", {**vitals, "cpu_temperature": 40.5} if CHAPTER >= 18 else vitals)
    send("message", "I am still alive, client: " + own)
    print("beat", flush=True)
    time.sleep(0.5)
