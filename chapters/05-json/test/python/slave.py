"""A slave as the Python original writes the wire. Its messages are the arguments after the port."""
import json
import socket
import sys

master = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for text in sys.argv[2:]:
    master.send((json.dumps({"msg": text}) + "\r").encode("utf-8"))
master.close()
