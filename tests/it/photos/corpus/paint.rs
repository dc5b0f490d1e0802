//! What the pictures show: four corners of different colours, so that turning and mirroring can be told apart.

/// Red at the top left, green at the top right, blue at the bottom left, white at the bottom right.
pub const CORNERS: [[u8; 3]; 4] = [[200, 20, 20], [20, 180, 20], [20, 20, 200], [240, 240, 240]];

/// A picture of four corners.
pub fn rgb(width: usize, height: usize) -> Vec<u8> {
    pixels(width, height).flatten().collect()
}

/// The same, whose left half shows through.
pub fn rgba(width: usize, height: usize) -> Vec<u8> {
    let alpha = (0..height).flat_map(|_| (0..width).map(|x| if x < width / 2 { 0 } else { 255 }));
    pixels(width, height).zip(alpha).flat_map(|([r, g, b], alpha)| [r, g, b, alpha]).collect()
}

/// Lines of one pixel on white, as of text.
pub fn screen(width: usize, height: usize) -> Vec<u8> {
    let is_line = |at: usize| (at % width) % 16 < 8 && (at / width).is_multiple_of(16) || (at % width) % 32 == 3;
    (0..width * height).flat_map(|at| if is_line(at) { [200, 0, 0] } else { [255, 255, 255] }).collect()
}

/// What compresses badly: a photo of sand.
pub fn noise(width: usize, height: usize) -> Vec<u8> {
    let mut random = 12_345_u32;
    let next = || {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        100 + u8::try_from(random & 31).expect("five bits")
    };
    std::iter::repeat_with(next).take(width * height * 3).collect()
}

/// The same as [`rgb`], as numbers into [`CORNERS`].
pub fn indices(width: usize, height: usize) -> Vec<u8> {
    (0..height).flat_map(|y| (0..width).map(move |x| corner(width, height, x, y))).collect()
}

fn pixels(width: usize, height: usize) -> impl Iterator<Item = [u8; 3]> {
    indices(width, height).into_iter().map(|corner| CORNERS[usize::from(corner)])
}

fn corner(width: usize, height: usize, x: usize, y: usize) -> u8 {
    u8::from(x >= width / 2) + 2 * u8::from(y >= height / 2)
}
