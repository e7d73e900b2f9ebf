"""A slave as the Python original writes the wire: type and payload (as JSON) by turns, after the port."""
import json
import socket
import sys

master = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for kind, payload in zip(sys.argv[2::2], sys.argv[3::2]):
    master.send((json.dumps({"type": kind, "payload": json.loads(payload)}) + "\r").encode("utf-8"))
master.close()
