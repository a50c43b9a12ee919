//! A part of a whole.

use serde::Deserialize;

/// A part of a whole, from 0 to 1: written as a fraction, or as a percentage.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "WrittenShare")]
pub struct Share(f64);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a fraction such as 0.1, or a percentage such as \"10%\"")]
enum WrittenShare {
    Whole(i64),
    Fraction(f64),
    Percentage(String),
}

impl TryFrom<WrittenShare> for Share {
    type Error = String;

    fn try_from(written: WrittenShare) -> Result<Self, String> {
        let share = match &written {
            WrittenShare::Whole(0) => Some(0.0),
            WrittenShare::Whole(1) => Some(1.0),
            WrittenShare::Whole(_) => None,
            WrittenShare::Fraction(fraction) => Some(*fraction),
            WrittenShare::Percentage(text) => {
                let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
                number.map(|percent| percent / 100.0)
            }
        };
        let share = share.filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| "must be from 0 to 1, or from \"0%\" to \"100%\"".to_owned())
    }
}

impl Share {
    /// The fraction.
    pub fn fraction(self) -> f64 {
        self.0
    }
}
