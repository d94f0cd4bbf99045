//! Amounts of resources as people read them: of clusters and of quotas alike.

/// What huge pages are called, before their size; they are counted in bytes.
const HUGE_PAGES: &str = "hugepages-";

/// How amounts of a resource are shown. CPU is given in thousandths of a core, everything else in whole units.
pub(crate) fn of(resource: &str) -> fn(u64) -> String {
    match resource {
        "cpu" => cores,
        "memory" | "ephemeral-storage" => bytes,
        pages if pages.starts_with(HUGE_PAGES) => bytes,
        _ => |count| count.to_string(),
    }
}

/// Cores, such as `1.5`, to the thousandth.
pub(crate) fn cores(millis: u64) -> String {
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Mebibytes, shown as [`bytes`] are.
pub(crate) fn mebibytes(mebibytes: u32) -> String {
    bytes(u64::from(mebibytes) << 20)
}

/// Bytes in the largest unit that has a whole number of them, as they are mostly written: `1536Mi`, `20Gi`. Where that
/// number is 10,240 or more, it is rounded down to the next unit, which still has two digits: `19Gi` for `20001Mi`.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut shown = bytes.to_string();
    let mut amount = bytes;
    for unit in UNITS {
        let divides = amount.is_multiple_of(1024);
        if amount == 0 || (!divides && amount < 10_240) {
            break;
        }
        amount /= 1024;
        shown = format!("{amount}{unit}");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_units_that_suit_them() {
        assert_eq!([0, 500, 1500, 2000, 12_001].map(cores), ["0", "0.5", "1.5", "2", "12.001"]);
        let mib = 1 << 20;
        assert_eq!(
            [0, 1000, 64 * mib, 1536 * mib, 20 * 1024 * mib, 20_001 * mib, u64::MAX].map(bytes),
            ["0", "1000", "64Mi", "1536Mi", "20Gi", "19Gi", "15Ei"]
        );
        assert_eq!([0, 2048, 10_239, 10_241].map(mebibytes), ["0", "2Gi", "10239Mi", "10Gi"]);
    }

    #[test]
    fn each_resource_has_its_unit() {
        for (resource, shown) in [
            ("replicas", "2048"),
            ("cpu", "2.048"),
            ("memory", "2Ki"),
            ("ephemeral-storage", "2Ki"),
            ("hugepages-2Mi", "2Ki"),
            ("nvidia.com/gpu", "2048"),
        ] {
            assert_eq!(of(resource)(2048), shown, "{resource}");
        }
    }
}
