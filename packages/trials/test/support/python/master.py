"""A master of the posts 07 to 18 (from 16 on it is called primary), as it behaves on the wire.

    master.py CHAPTER PORT SPEED    SPEED: how many times as fast its clock runs

Those of 07 and 08 serve one slave and end with it. From 09 on there is a thread for each, and up to 15 whichever looks first
takes a message, whosever it is, and answers on its own connection; one that dies may leave its socket open, and from 15 on it
does. Those of 17 and 18 need all numbers of a node's vitals, and its hostname before them, to write them into a database, which
here takes them all. None can listen again while the system remembers its connections. Prints what it hears."""

import socket
import sys
import threading
import time
import uuid

from wire import Disconnection, StrictWire, Wire, say

CHAPTER, PORT, SPEED = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
INFO, LIST = ("primary_info", "secondary_details") if CHAPTER >= 16 else ("master_info", "slave_details")
DETAILS = "node_baseinfo" if CHAPTER >= 17 else "computer_details"
clients = {}
kept = []


def point(measurement, node, **fields):
    """As it goes into the database: an int is an integer there for ever, and a float a float."""
    texts = [key + "=" + repr(value) + ("i" if isinstance(value, int) else "") for key, value in fields.items()]
    say("Written " + measurement + ",node=" + node + " " + ",".join(texts))


def take(vitals, baseinfo):
    node = baseinfo["hostname"]
    temperature = {"temperature": vitals["cpu_temperature"]} if CHAPTER >= 18 and vitals.get("cpu_temperature") else {}
    point("cpu", node, frequency=vitals["cpu_frequency"], percentage=vitals["cpu_percentage"], **temperature)
    point("ram", node, free=vitals["ram_free"])
    point("swap", node, free=vitals["swap_free"])


def serve(connection, address):
    if CHAPTER >= 15:
        kept.append(connection)
    wire = (StrictWire if CHAPTER >= 16 else Wire)(connection)
    baseinfo = None
    own = uuid.uuid4().hex
    clients[own] = {"uuid": own, "address": "%s:%d" % address}
    say("Got client at " + str(address))
    try:
        while True:
            message = wire.message()
            if message["type"] == "message":
                say("Received message: " + message["payload"])
            elif message["type"] == DETAILS:
                baseinfo = message["payload"]
                say("Computer specifications: " + str(baseinfo))
            elif message["type"] == "vitals" and CHAPTER >= 17:
                take(message["payload"], baseinfo)
            elif message["type"] == "info":
                say("Slave wants to know my info about " + message["payload"])
                if message["payload"] == DETAILS:
                    if CHAPTER < 17:
                        time.sleep(1 / SPEED)  # to measure
                    wire.send(INFO, {"hostname": "python", "cpu": ""})
                elif CHAPTER >= 15 and message["payload"] == "uuid":
                    wire.send("uuid", own)
                elif CHAPTER >= 15 and message["payload"] == LIST:
                    wire.send(LIST, clients)
                else:
                    wire.send("bad_message", "unknown")
    except Disconnection as error:
        del clients[own]
        say("Client disconnected: " + str(error))


listener = socket.socket()
# The posts' masters do not. But a test may have this port a moment after another one had connections on it.
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("", PORT))
listener.listen(1 if CHAPTER < 9 else 10)
say("Starting script...")
if CHAPTER < 9:
    serve(*listener.accept())
else:
    while True:
        client, where = listener.accept()
        threading.Thread(target=serve, args=(client, where)).start()
