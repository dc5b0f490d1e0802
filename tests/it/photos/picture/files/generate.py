#!/usr/bin/env python3
"""Writes expected.tsv, and the images that are made here: `python3 generate.py` with Pillow and NumPy.

A line has the name of a file, then width, height and the mean of red, green, blue (each weighted by alpha) and alpha
as Pillow shows the image upright and in sRGB, or "refused".
"""
import io, os, struct
import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps
ImageFile.LOAD_TRUNCATED_IMAGES = True
REFUSED = {'jpeg-dnl.jpg', 'webp-riff-size-0.webp', 'webp-riff-size-long.webp', 'webp-riff-size-short.webp', 'made-jpeg-half.jpg'}

def scene(w, h, mode='RGB'):
    y, x = np.mgrid[0:h, 0:w].astype(float)
    r = 127 + 100 * np.sin(x / 9) * np.cos(y / 13); g = 255 * x / max(w - 1, 1); b = 255 * y / max(h - 1, 1)
    a = np.clip(40 + 3 * x + y, 0, 255)
    rgba = Image.fromarray(np.dstack([r, g, b, a]).astype('uint8'), 'RGBA')
    return rgba if mode == 'RGBA' else rgba.convert('RGB').convert(mode)

def save(name, im, **options):
    im.save('made-' + name, **options)

def png_chunk(name, data):
    import zlib
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))

def png(name, w, h, depth, color, rows, *chunks):
    import zlib
    data = b''.join(b'\0' + row for row in rows)
    open('made-' + name, 'wb').write(b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, color, 0, 0, 0)) + b''.join(chunks) + png_chunk(b'IDAT', zlib.compress(data)) + png_chunk(b'IEND', b''))

def make():
    s = scene(64, 48)
    for n, sub in {'444': 0, '422': 1, '420': 2}.items():
        save(f'jpeg-{n}.jpg', s, quality=85, subsampling=sub)
        save(f'jpeg-progressive-{n}.jpg', s, quality=85, subsampling=sub, progressive=True)
    save('jpeg-odd-size.jpg', scene(37, 29), quality=85)
    save('jpeg-restart.jpg', s, quality=85, restart_marker_blocks=3)
    save('jpeg-restart-progressive.jpg', s, quality=85, restart_marker_blocks=5, progressive=True)
    save('jpeg-optimized.jpg', s, quality=60, optimize=True)
    save('jpeg-gray.jpg', scene(64, 48, 'L'), quality=85)
    save('jpeg-cmyk.jpg', scene(64, 48, 'CMYK'), quality=85)
    save('jpeg-large.jpg', scene(1700, 1300), quality=20)
    for orientation in range(2, 9):
        exif = Image.Exif(); exif[0x112] = orientation
        save(f'jpeg-orientation-{orientation}.jpg', s, quality=85, exif=exif)
    exif = Image.Exif(); exif[0x112] = 6
    save('png-orientation-6.png', s, exif=exif); save('webp-orientation-6.webp', s, exif=exif)
    for w, h in [(1, 1), (1, 2), (2, 1), (1, 300), (300, 1), (1, 3000), (3000, 1), (2, 5000), (4000, 3)]:
        im = scene(w, h)
        save(f'edge-{w}x{h}.jpg', im, quality=90, subsampling=0); save(f'edge-{w}x{h}.png', im)
        save(f'edge-{w}x{h}.webp', im, lossless=True)
    for mode in ['L', 'LA', 'RGBA', '1', 'P', 'I;16']:
        im = scene(64, 48, 'RGBA') if mode == 'RGBA' else scene(64, 48, 'RGBA').convert(mode) if mode == 'LA' else scene(64, 48, 'L').point(lambda v: v * 256, 'I').convert('I;16') if mode == 'I;16' else scene(64, 48).convert(mode)
        save(f'png-{mode.replace(";", "-").lower()}.png', im)
    p = scene(64, 48).quantize(16); save('png-palette-transparent.png', p, transparency=3)
    save('png-rgb-transparent.png', scene(64, 48).quantize(8).convert('RGB'), transparency=scene(64, 48).quantize(8).convert('RGB').getpixel((5, 5)))
    # Transparency in more bits than a pixel has: only those that a pixel has count.
    png('png-gray1-masked.png', 16, 16, 1, 0, [bytes([0xaa, 0x0f])] * 16, png_chunk(b'tRNS', b'\x00\x01'))
    png('png-gray1-masked-high.png', 16, 16, 1, 0, [bytes([0xaa, 0x0f])] * 16, png_chunk(b'tRNS', b'\xff\xff'))
    png('png-gray8-masked-high.png', 16, 16, 8, 0, [bytes(range(16))] * 16, png_chunk(b'tRNS', b'\x55\x07'))
    save('webp-lossy.webp', s, quality=80); save('webp-lossless.webp', s, lossless=True)
    save('webp-alpha.webp', scene(64, 48, 'RGBA'), quality=80); save('webp-alpha-lossless.webp', scene(64, 48, 'RGBA'), lossless=True, exact=True)
    frames = [s, ImageOps.mirror(s), ImageOps.flip(s)]
    save('webp-animated.webp', frames[0], save_all=True, append_images=frames[1:], duration=90)
    save('png-animated.png', frames[0], save_all=True, append_images=frames[1:], duration=90)
    save('gif.gif', s); save('gif-animated.gif', frames[0], save_all=True, append_images=frames[1:], duration=90)
    save('gif-transparent.gif', scene(64, 48).quantize(16), transparency=2)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    save('icc-srgb.jpg', s, quality=85, icc_profile=srgb); save('icc-srgb.png', s, icc_profile=srgb); save('icc-srgb.webp', s, icc_profile=srgb)
    save('jpeg-restart-long.jpg', scene(240, 160), quality=85, restart_marker_blocks=3)
    whole = open('made-jpeg-restart-long.jpg', 'rb').read()
    open('made-jpeg-half.jpg', 'wb').write(whole[:len(whole) // 2])
    open('made-jpeg-cut.jpg', 'wb').write(whole[:-20])
    whole = open('made-jpeg-progressive-420.jpg', 'rb').read()
    open('made-jpeg-progressive-cut.jpg', 'wb').write(whole[:-4])
    whole = open('made-png-rgba.png', 'rb').read()
    open('made-png-cut.png', 'wb').write(whole[:-50])
    open('made-png-no-checksum.png', 'wb').write(whole[:-20])

def shown(name):
    im = Image.open(name); im.seek(0)
    profile = im.info.get('icc_profile')
    has_exif = name != 'orient-6-flag-not-set.webp'
    transparency = im.info.get('transparency')
    if im.mode == 'I;16':
        im = Image.fromarray((np.asarray(im) >> 8).astype('uint8'))
    if name == 'made-png-gray1-masked-high.png':
        im = im.convert('L'); im.info['transparency'] = 255
    elif name == 'made-png-gray8-masked-high.png':
        im.info['transparency'] = 7
    alpha = None
    if profile:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
        if im.mode in ('LA', 'RGBA'):
            alpha = im.getchannel('A'); im = im.convert('L' if im.mode == 'LA' else 'RGB')
        out = 'RGB'
        im = ImageCms.profileToProfile(im, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile('sRGB'), outputMode=out) if space in ('RGB', 'GRAY') else im
    if has_exif:
        im = ImageOps.exif_transpose(im)
    im = im.convert('RGBA')
    if alpha: im.putalpha(alpha)
    a = np.asarray(im).astype(float)
    weight = a[..., 3:] / 255
    mean = [*(a[..., :3] * weight).mean((0, 1)), a[..., 3].mean()]
    return im.size, mean

make()
with open('expected.tsv', 'w') as out:
    for name in sorted(os.listdir('.')):
        if name.endswith(('.py', '.tsv')): continue
        if name in REFUSED:
            out.write(f'{name}\trefused\n'); continue
        (w, h), mean = shown(name)
        out.write('\t'.join([name, str(w), str(h), *(f'{v:.1f}' for v in mean)]) + '\n')
