"""A master of the posts 07 to 13, as it behaves on the wire.

    master.py CHAPTER PORT SPEED    SPEED: how many times as fast its clock runs

Those of 07 and 08 serve one slave and end with it. From 09 on there is a thread for each, and whichever looks first takes a
message, whosever it is, and answers on its own connection; one that dies may leave its socket open. None can listen again
while the system remembers its connections. Prints what it hears."""

import socket
import sys
import threading
import time

from wire import Disconnection, Wire, say

CHAPTER, PORT, SPEED = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


def serve(connection, address):
    wire = Wire(connection)
    say("Got client at " + str(address))
    try:
        while True:
            message = wire.message()
            if message["type"] == "message":
                say("Received message: " + message["payload"])
            elif message["type"] == "computer_details":
                say("Computer specifications: " + str(message["payload"]))
            elif message["type"] == "info":
                say("Slave wants to know my info about " + message["payload"])
                if message["payload"] == "computer_details":
                    time.sleep(1 / SPEED)  # to measure
                    wire.send("master_info", {"hostname": "python", "cpu": ""})
                else:
                    wire.send("bad_message", "unknown")
    except Disconnection as error:
        say("Client disconnected: " + str(error))


listener = socket.socket()
listener.bind(("", PORT))
listener.listen(1 if CHAPTER < 9 else 10)
say("Starting script...")
if CHAPTER < 9:
    serve(*listener.accept())
else:
    while True:
        client, where = listener.accept()
        threading.Thread(target=serve, args=(client, where)).start()
