"""A master that reads the wire as the strictest nodes of the Python original do, those of chapters 16 to 18: 512 bytes at
a time, each piece decoded by itself. The earlier ones join the bytes first, and take all that this one takes."""
import json
import socket
import sys

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(1)
print("Listening", flush=True)

client, address = listener.accept()
buffer = ""
while True:
    data = client.recv(512)
    if not data:
        break
    buffer += data.decode("utf-8")
    while "\r" in buffer:
        frame, buffer = buffer.split("\r", 1)
        message = json.loads(frame)
        print(message["type"] + ": " + json.dumps(message["payload"]), flush=True)
print("Client disconnected", flush=True)
