"""The integer service as it was: a dictionary in memory, and a GET that writes.

A restart forgets everything, and under several worker processes each has a dictionary of its own: they hand out the
same numbers. The benchmark's ledger says so. The token names its user, so that workers need not know each other's users.
"""

import jwt
from flask import Flask, jsonify, request

from token_user import SECRET, user

app = Flask(__name__)
users = {}
integers = {}


@app.post("/sign_up")
def sign_up():
    body = request.get_json()
    users[body["email"]] = body["password"]
    return jsonify(token=jwt.encode({"sub": body["email"]}, SECRET, algorithm="HS256")), 201


@app.get("/current")
def current():
    return jsonify(current=integers.get(user(), 0))


@app.put("/current")
def set_current():
    integers[user()] = request.get_json()["current"]
    return jsonify(current=integers[user()])


@app.get("/next")
def next_integer():
    email = user()
    integers[email] = integers.get(email, 0) + 1
    return jsonify(current=integers[email])
