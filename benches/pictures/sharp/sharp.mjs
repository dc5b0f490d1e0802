// Makes the three sizes of the picture named on the command line, once for every line on standard input, and answers
// with the milliseconds it took. The way its manual says is fastest: shrink on load, each size from the one before, on
// one thread, without a cache.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);
const file = readFileSync(process.argv[2]);
const jpeg = { quality: 80 };

async function pixels(image) {
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return () => sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
}

async function sizes() {
  const large = await pixels(sharp(file).rotate().resize(1280, 1280, { fit: "inside", withoutEnlargement: true }));
  const small = await pixels(large().resize(320, 320, { fit: "inside", withoutEnlargement: true }));
  const thumbnail = small().resize(160, 160, { fit: "cover", withoutEnlargement: true });
  return [await large().jpeg(jpeg).toBuffer(), await small().jpeg(jpeg).toBuffer(), await thumbnail.jpeg(jpeg).toBuffer()];
}

for await (const _ of createInterface({ input: process.stdin })) {
  const began = performance.now();
  const made = await sizes();
  console.log(performance.now() - began, ...made.map((size) => size.length));
}
