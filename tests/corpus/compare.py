"""Uploads every file of a folder to a running server, and compares what it serves with what Pillow makes of the file.

    python3 tests/corpus/compare.py FOLDER [--url URL] [--tolerance N]

Compared are the pixels of ORIGINAL, which must be those of the file (of an animation, of its first 12 frames), and size and
mean RGBA of LARGE, which must be within N of 255 (3). Each file that only one of the two accepts is listed with the
reason. The exit code is 1 if pixels or colors differ, or if an upload ends in anything but an answer.
"""

import argparse
import io
import json
import secrets
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, ImageSequence

UPLOAD = """mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) {
  photos { id original: image(size: ORIGINAL) { url } large: image(size: LARGE) { url width height } }
  userErrors { code message } } }"""
DELETE = "mutation ($input: DeletePhotosInput!) { deletePhotos(input: $input) { deletedPhotoIds } }"
SIGN_UP = "mutation ($input: SignUpInput!) { signUp(input: $input) { tokens { accessToken } userErrors { message } } }"
SESSION_UPLOADS = 200
FRAMES = 12
LARGE = 1280

Image.MAX_IMAGE_PIXELS = None


class Client:
    """A new account on the server. It signs up again before its access token ends."""

    def __init__(self, url):
        self.url = url
        self.uploads = 0
        self.token = None

    def sign_up(self):
        name = f"corpus-{secrets.token_hex(6)}"
        account = {"username": name, "password": secrets.token_urlsafe(24)}
        payload = self.run(SIGN_UP, {"input": account})["signUp"]
        if payload["userErrors"]:
            raise SystemExit(f"sign-up: {payload['userErrors']}")
        self.token = payload["tokens"]["accessToken"]

    def run(self, query, variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        return self.send(body, "application/json")

    def upload(self, content):
        if self.uploads % SESSION_UPLOADS == 0:
            self.token = None
            self.sign_up()
        self.uploads += 1
        operations = {"query": UPLOAD, "variables": {"input": {"photos": [{"file": None}]}}}
        fields = {"operations": json.dumps(operations), "map": '{"0":["variables.input.photos.0.file"]}'}
        boundary = uuid.uuid4().hex
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        head += f'--{boundary}\r\nContent-Disposition: form-data; name="0"; filename="0"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self.send(body, f"multipart/form-data; boundary={boundary}")["uploadPhotos"]

    def send(self, body, content_type):
        headers = {"Content-Type": content_type}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url, body, headers)
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.load(response)
        if answer.get("errors"):
            raise RuntimeError(answer["errors"][0]["message"])
        return answer["data"]


def get(url):
    with urllib.request.urlopen(url, timeout=120) as response:
        return response.read()


def opened(content):
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def frames(content):
    """The pixels of the first frames, as they are shown."""
    image = Image.open(io.BytesIO(content))
    return [(frame.size, frame.convert("RGBA").tobytes()) for frame, _ in zip(ImageSequence.Iterator(image), range(FRAMES))]


def rendered(image):
    """The picture as it is shown: upright, in sRGB, no larger than LARGE."""
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if profile and image.mode in ("RGB", "RGBA", "L", "LA", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
            plain = image.convert(image.mode[:-1]) if alpha else image
            image = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if alpha:
                image.putalpha(alpha)
        except ImageCms.PyCMSError:
            pass
    if image.mode.startswith("I;16") or image.mode == "I":
        image = image.point(lambda value: value / 256).convert("L")
    image = image.convert("RGBA")
    image.thumbnail((LARGE, LARGE), Image.Resampling.BOX)
    return image


def mean(image):
    """Mean RGBA. What is transparent has no color."""
    return image.convert("RGBA").convert("RGBa").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))


def compare(client, content, tolerance):
    """What differs, or None."""
    try:
        reference, pixels = opened(content), frames(content)
    except Exception as error:  # Pillow raises many kinds.
        reference, reason = None, str(error)
    payload = client.upload(content)
    if payload["userErrors"]:
        message = payload["userErrors"][0]["message"]
        return None if reference is None else ("only Pillow", message)
    photo = payload["photos"][0]
    try:
        if reference is None:
            return ("only the server", reason)
        original, large = get(photo["original"]["url"]), opened(get(photo["large"]["url"]))
        if pixels != frames(original):
            return ("different", "the pixels of ORIGINAL")
        expected = rendered(reference)
        if abs(expected.width - large.width) > 1 or abs(expected.height - large.height) > 1:
            return ("different", f"LARGE is {large.size}, not {expected.size}")
        distance = max(abs(a - b) for a, b in zip(mean(expected), mean(ImageOps.exif_transpose(large))))
        if distance > tolerance:
            return ("different", f"LARGE has {mean(large)}, not {mean(expected)}")
        return None
    finally:
        client.run(DELETE, {"input": {"photoIds": [photo["id"]]}})


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--url", default="http://127.0.0.1:8000/graphql")
    arguments.add_argument("--tolerance", type=int, default=3)
    arguments = arguments.parse_args()
    client = Client(arguments.url)
    figures = {"files": 0, "same": 0, "only Pillow": 0, "only the server": 0, "different": 0, "failed": 0}
    for path in sorted(path for path in arguments.folder.rglob("*") if path.is_file()):
        figures["files"] += 1
        try:
            found = compare(client, path.read_bytes(), arguments.tolerance)
        except (RuntimeError, OSError, urllib.error.URLError) as error:
            found = ("failed", str(error))
        kind, text = found or ("same", "")
        figures[kind] += 1
        if found:
            print(f"{kind}: {path.relative_to(arguments.folder)}: {text}")
    print(json.dumps(figures))
    sys.exit(1 if figures["different"] + figures["failed"] else 0)


if __name__ == "__main__":
    main()
