//! Colours of equal lightness, from the OKLCH space (Ottosson 2020).

use std::f64::consts::TAU;

/// The colour of one of `count` communities.
pub fn of_community(community: u32, count: usize) -> String {
    let turn = if count <= 12 {
        f64::from(community) / count.max(1) as f64
    } else {
        // Any number of hues, each far from the last ones: steps of the golden angle.
        f64::from(community) * 0.381_966_011
    };
    oklch(0.70, 0.145, 0.09 + turn)
}

/// `lightness` from 0 to 1, `chroma` up to about .2, `hue` in turns.
pub fn oklch(lightness: f64, chroma: f64, hue: f64) -> String {
    let (a, b) = (chroma * (TAU * hue).cos(), chroma * (TAU * hue).sin());
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let byte = |linear: f64| {
        let linear = linear.clamp(0.0, 1.0);
        let gamma = match linear <= 0.003_130_8 {
            true => 12.92 * linear,
            false => 1.055 * linear.powf(1.0 / 2.4) - 0.055,
        };
        (255.0 * gamma).round() as u8
    };
    let red = byte(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s);
    let green = byte(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s);
    let blue = byte(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        assert_eq!(oklch(1.0, 0.0, 0.0), "#ffffff");
        assert_eq!(oklch(0.0, 0.0, 0.0), "#000000");
        assert_eq!(oklch(0.627_955, 0.257_683, 29.233_9 / 360.0), "#ff0000");
    }
}
