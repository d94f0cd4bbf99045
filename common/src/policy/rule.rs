//! What one cluster may get.

use std::fmt;

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
    pub fn new(weight: u32, min: u32, max: Option<u32>) -> Result<Self, RuleError> {
        let too_large = |field, value, limit| Err(RuleError::TooLarge { field, value, limit });
        if weight > WEIGHT_MAX {
            return too_large("weight", weight, WEIGHT_MAX);
        }
        if min > REPLICAS_MAX {
            return too_large("min", min, REPLICAS_MAX);
        }
        match max {
            Some(max) if max > REPLICAS_MAX => too_large("max", max, REPLICAS_MAX),
            Some(max) if max < min => Err(RuleError::MaxBelowMin { min, max }),
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

/// Why a rule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleError {
    /// A number is beyond its limit.
    TooLarge {
        /// The field that is too large.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The largest allowed value.
        limit: u32,
    },
    /// No number satisfies both bounds.
    MaxBelowMin {
        /// The minimum.
        min: u32,
        /// The maximum.
        max: u32,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { field, value, limit } => {
                write!(f, "{field}: {value} is too large; give at most {limit}")
            }
            Self::MaxBelowMin { min, max } => {
                write!(f, "max: {max} is below min {min}; raise max or lower min")
            }
        }
    }
}

impl std::error::Error for RuleError {}

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
