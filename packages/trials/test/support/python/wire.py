"""What the Python nodes of the posts 07 to 18 have in common on the wire: frames, sent by one call and read 512 bytes at a
time. Those of 07 to 15 join the bytes first and have one buffer for all their connections; those of 16 to 18 decode each
piece by itself and have one for each."""

import json
import sys


class Disconnection(Exception):
    pass


def say(text):
    # In one piece: what threads print at once would stand in one line.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Wire:
    """One end of a connection, as up to chapter 15."""

    buffer = b""
    queue = []

    def __init__(self, connection):
        self.connection = connection

    def send(self, kind, payload):
        frame = json.dumps({"type": kind, "payload": payload}) + "\r"
        try:
            self.connection.send(frame.encode("utf-8"))
        except OSError:
            raise Disconnection("Failed to send message")

    def receive(self):
        try:
            data = self.connection.recv(512)
        except OSError:
            raise Disconnection("Failed to receive messages")
        if not data:
            raise Disconnection("No further messages received")
        return data

    def message(self):
        """The next message, whatever it is, and whoever's it was."""
        while not Wire.queue:
            Wire.buffer += self.receive()
            *whole, Wire.buffer = Wire.buffer.split(b"\r")
            Wire.queue += filter(None, (json.loads(frame.decode("utf-8")) for frame in whole))
        return Wire.queue.pop(0)


class StrictWire(Wire):
    """The same, from chapter 16 on."""

    def __init__(self, connection):
        super().__init__(connection)
        self.text = ""
        self.messages = []

    def message(self):
        while not self.messages:
            self.text += self.receive().decode("utf-8")
            *whole, self.text = self.text.split("\r")
            self.messages += filter(None, (json.loads(frame) for frame in whole))
        return self.messages.pop(0)
