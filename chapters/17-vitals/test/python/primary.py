"""A primary that does with vitals as the Python original of chapters 17 and 18 does: it needs all four numbers of a node that
has told its hostname, and writes them into an InfluxDB, an int as an integer and a float as a float. What goes wrong ends the
thread of that node, whose connection stays open. It dates by its local time, and calls that UTC.

    primary.py CHAPTER PORT [INFLUX_PORT]"""
import base64
import calendar
import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

CHAPTER, PORT = int(sys.argv[1]), int(sys.argv[2])
INFLUX = "http://127.0.0.1:" + sys.argv[3] if len(sys.argv) > 3 else None
DATABASE = "rpi_cluster_node_vitals"
kept = []  # the connections of threads that have died stay open


def say(text):
    print(text, flush=True)


def post(path, body):
    request = urllib.request.Request(INFLUX + path, body.encode("utf-8"), method="POST")
    request.add_header("Authorization", "Basic " + base64.b64encode(b"root:root").decode())
    if path == "/query":
        request.add_header("Content-Type", "application/x-www-form-urlencoded")
    try:
        return urllib.request.urlopen(request, timeout=10).read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(str(error.code) + ": " + error.read().decode("utf-8"))


def query(text):
    if INFLUX:
        post("/query", "q=" + text.replace(" ", "+").replace('"', "%22"))


def write(measurement, node, fields):
    texts = [key + "=" + str(value) + ("i" if isinstance(value, int) else "") for key, value in fields.items() if value is not None]
    local = calendar.timegm(time.localtime()) * 10**9
    line = measurement + ",node=" + node + " " + ",".join(texts) + " " + str(local)
    if INFLUX:
        post("/write?db=" + DATABASE, line)
    say("Written " + line)


def take(vitals, baseinfo):
    node = baseinfo["hostname"]
    cpu = {"frequency": vitals["cpu_frequency"], "percentage": vitals["cpu_percentage"]}
    ram, swap = {"free": vitals["ram_free"]}, {"free": vitals["swap_free"]}
    if CHAPTER >= 18 and vitals.get("cpu_temperature"):
        cpu["temperature"] = vitals["cpu_temperature"]
    for measurement, fields in (("cpu", cpu), ("ram", ram), ("swap", swap)):
        write(measurement, node, fields)


def answer(own, question):
    if question == "uuid":
        return {"type": "uuid", "payload": own}
    if question == "node_baseinfo":
        info = {"hostname": "python", "ram": 1024**3, "swap": 0, "cpu": "", "cpu_cores": 4}
        return {"type": "primary_info", "payload": {**info, "cpu_frequency_max": 0.0, "cpu_frequency_min": 0.0}}
    if question == "secondary_details":
        return {"type": "secondary_details", "payload": {}}
    return {"type": "bad_message", "payload": "unknown"}


def serve(client, address):
    kept.append(client)
    own, baseinfo, text = uuid.uuid4().hex, None, ""
    while True:
        data = client.recv(512)
        if not data:
            say("Client disconnected")
            return
        text += data.decode("utf-8")
        while "\r" in text:
            frame, text = text.split("\r", 1)
            message = json.loads(frame)
            say(message["type"] + ": " + json.dumps(message["payload"]))
            if message["type"] == "node_baseinfo":
                baseinfo = message["payload"]
            elif message["type"] == "vitals":
                take(message["payload"], baseinfo)
            elif message["type"] == "info":
                client.send((json.dumps(answer(own, message["payload"])) + "\r").encode("utf-8"))


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", PORT))
listener.listen(10)
say("Starting primary...")
while True:
    client, address = listener.accept()
    query('CREATE DATABASE "' + DATABASE + '"')
    query('CREATE RETENTION POLICY "node_vitals_year_rp" ON "' + DATABASE + '" DURATION 365d REPLICATION 3 SHARD DURATION 0s DEFAULT')
    threading.Thread(target=serve, args=(client, address), daemon=True).start()
