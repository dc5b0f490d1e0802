"""Who asks: the subject of the HS256 token in the Authorization header."""

import os

import jwt
from flask import abort, request

SECRET = os.environ["TOKEN_SECRET"]


def user() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        abort(401)
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]
    except (jwt.InvalidTokenError, KeyError):
        abort(401)
