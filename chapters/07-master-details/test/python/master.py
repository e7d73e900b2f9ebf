"""A master that answers as the Python original of chapter 07 does: one frame after the other, after a moment, with the
type and payload that it knows. It knows no ids, so it repeats none."""
import json
import socket
import sys
import time

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(1)
print("Listening", flush=True)

client, address = listener.accept()
buffer = b""
while True:
    data = client.recv(512)
    if not data:
        break
    buffer += data
    while b"\r" in buffer:
        frame, buffer = buffer.split(b"\r", 1)
        message = json.loads(frame.decode("utf-8"))
        print(message["type"] + ": " + json.dumps(message["payload"]), flush=True)
        if message["type"] != "info":
            continue
        answer = {"type": "bad_message", "payload": "unknown"}
        if message["payload"] == "computer_details":
            time.sleep(0.1)
            answer = {"payload": {"cpu": "", "hostname": "k\u00fcche"}, "type": "master_info"}
        client.send((json.dumps(answer) + "\r").encode("utf-8"))
print("Client disconnected", flush=True)
