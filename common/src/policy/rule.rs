//! What one cluster may get.

use super::mistake::{Mistake, Step};

/// The largest weight; weights are ratios, so nobody needs more, and it fits the `int32` of Kubernetes APIs.
pub const WEIGHT_MAX: u32 = i32::MAX as u32;

/// The largest number of replicas, a Kubernetes `int32`.
pub const REPLICAS_MAX: u32 = i32::MAX as u32;

/// What one cluster may get: a share by weight, never less than the minimum nor more than the maximum.
/// Valid by construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    weight: u32,
    min: u32,
    max: Option<u32>,
}

impl Rule {
    /// A rule within bounds: a weight of 0 means the minimum and no more; the minimum is a floor of the share.
    pub fn new(weight: u32, min: u32, max: Option<u32>) -> Result<Self, Mistake> {
        let within = |field, value, limit| match value {
            value if value <= limit => Ok(()),
            value => {
                let remedy = format!("give at most {limit}");
                Err(Mistake::new(&[Step::Field(field)], format!("{value} is too large"), remedy))
            }
        };
        within("weight", weight, WEIGHT_MAX)?;
        within("min", min, REPLICAS_MAX)?;
        within("max", max.unwrap_or(0), REPLICAS_MAX)?;
        match max {
            Some(max) if max < min => {
                let problem = format!("{max} is below min {min}");
                Err(Mistake::new(&[Step::Field("max")], problem, "raise max or lower min"))
            }
            Some(_) | None => Ok(Self { weight, min, max }),
        }
    }

    /// The share's size in relation to other clusters' weights.
    pub fn weight(self) -> u32 {
        self.weight
    }

    /// The least number of replicas, as far as the total suffices.
    pub fn min(self) -> u32 {
        self.min
    }

    /// The greatest number of replicas.
    pub fn max(self) -> Option<u32> {
        self.max
    }
}

impl Default for Rule {
    /// An even share without bounds.
    fn default() -> Self {
        Self { weight: 1, min: 0, max: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_beyond_its_bounds_is_refused_by_field_and_value() {
        let refused = |weight, min, max| Rule::new(weight, min, max).unwrap_err().to_string();
        let over = i32::MAX as u32 + 1;
        assert_eq!(refused(over, 0, None), "weight: 2147483648 is too large; give at most 2147483647");
        assert_eq!(refused(1, over, None), "min: 2147483648 is too large; give at most 2147483647");
        assert_eq!(refused(1, 0, Some(over)), "max: 2147483648 is too large; give at most 2147483647");
        assert_eq!(refused(1, 3, Some(2)), "max: 2 is below min 3; raise max or lower min");
        assert!(Rule::new(WEIGHT_MAX, REPLICAS_MAX, Some(REPLICAS_MAX)).is_ok());
    }
}
