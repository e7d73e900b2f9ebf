"""A node of the posts 07 to 18 that connects, as it behaves on the wire.

    node.py KIND PORT SPEED    KIND: 07, 11, 14-web, ... as below; SPEED: how many times as fast its clock runs

It takes the next message for the answer that it waits for, whatever it is, and a plain one never reads again after its
greeting. Prints what it does, and what it finds in its socket that it has not asked for (without reading that)."""

import select
import socket
import sys
import threading
import time

from wire import Disconnection, StrictWire, Wire, say

KIND, PORT, SPEED = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
CHAPTER, IS_WEB = int(KIND[:2]), KIND.endswith("-web")
HAS_UUID = CHAPTER >= 15
DETAILS = "node_baseinfo" if CHAPTER >= 17 else "computer_details"
LIST = "secondary_details" if CHAPTER >= 16 else "slave_details"


def pause(seconds):
    time.sleep(seconds / SPEED)


def details():
    known = {"hostname": "python-" + KIND, "ram": 1, "cpu": "", "cpu_cores": 1}
    if CHAPTER >= 17:
        return {**known, "swap": 1, "cpu_frequency_max": 0.0, "cpu_frequency_min": 0.0}
    pause(1)  # to measure
    return {**known, "cpu_percent_used": 0.5}


class Node:
    def __init__(self):
        self.client = "7"
        self.vitals_at = None

    def ask(self, question):
        self.wire.send("info", question)
        answer = self.wire.message()
        say("asked " + question + ": " + answer["type"] + " " + str(answer["payload"]))
        return answer["payload"]

    def greet(self):
        if HAS_UUID:
            self.client = self.ask("uuid")
            say("My assigned UUID is " + self.client)
        self.wire.send(DETAILS, details())
        self.ask(DETAILS)
        self.vitals_at = None

    def act(self):
        if CHAPTER >= 17 and (self.vitals_at is None or time.monotonic() - self.vitals_at > 60 / SPEED):
            pause(1)  # to measure
            vitals = {"cpu_percentage": 0.5, "cpu_frequency": 600.0, "ram_free": 1, "swap_free": 1}
            self.wire.send("vitals", {**vitals, "cpu_temperature": 40.5} if CHAPTER >= 18 else vitals)
            self.vitals_at = time.monotonic()
        self.wire.send("message", "I am still alive, client: " + self.client)
        say("beat")
        if IS_WEB:
            self.ask(DETAILS)
            if CHAPTER >= 15:
                self.ask(LIST)
        else:
            self.look()
        pause(5)

    def look(self):
        if not select.select([self.wire.connection], [], [], 0)[0]:
            return
        try:
            unasked = self.wire.connection.recv(512, socket.MSG_PEEK)
        except OSError:
            return
        if unasked:
            say("UNASKED " + repr(unasked))

    def connect(self):
        connection = socket.socket()
        connection.connect(("127.0.0.1", PORT))
        self.wire = (StrictWire if CHAPTER >= 16 else Wire)(connection)
        say("connected from 127.0.0.1:" + str(connection.getsockname()[1]))

    def run_once(self):
        """As up to chapter 10: the end of the connection is that of the program."""
        self.connect()
        try:
            self.greet()
            while True:
                self.act()
        except Disconnection as error:
            if CHAPTER < 10:
                raise
            say("lost: " + str(error))

    def run(self):
        """As from chapter 11 on: nothing is waited for after a loss, and a minute when nobody listens."""
        while True:
            try:
                self.connect()
            except OSError:
                say("waiting")
                pause(60)
                continue
            try:
                self.greet()
                while True:
                    self.act()
            except Disconnection as error:
                say("lost: " + str(error))


node = Node()
if CHAPTER >= 13:
    threading.Thread(target=node.run).start()  # so that the program ends with code 0, whatever happened
elif CHAPTER >= 11:
    node.run()
else:
    node.run_once()
