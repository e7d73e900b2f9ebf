"""A master that answers as the Python original of chapter 14 does: a thread for each node, its own details after a moment,
no ids, and not a word that nobody has asked for."""
import json
import socket
import sys
import threading
import time


def say(text):
    # In one piece: what threads print at once would stand in one line.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
say("Listening")


def serve(client):
    buffer = b""
    while True:
        data = client.recv(512)
        if not data:
            say("Client disconnected")
            return
        buffer += data
        while b"\r" in buffer:
            frame, buffer = buffer.split(b"\r", 1)
            message = json.loads(frame.decode("utf-8"))
            say(message["type"] + ": " + json.dumps(message["payload"]))
            if message["type"] != "info":
                continue
            answer = {"type": "bad_message", "payload": "unknown"}
            if message["payload"] == "computer_details":
                time.sleep(0.1)
                details = {"ram": 1024**3, "cpu": "", "cpu_cores": 4, "hostname": "k\u00fcche", "cpu_percent_used": 2.5}
                answer = {"payload": details, "type": "master_info"}
            client.send((json.dumps(answer) + "\r").encode("utf-8"))


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
