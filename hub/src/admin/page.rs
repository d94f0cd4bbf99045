//! Pages of lists: bounded in count and in bytes, and continued by a token that means nothing to the caller.

use prost::Message;
use tonic::Status;

use super::fields::invalid;

/// When the caller does not say.
const PAGE_DEFAULT: u32 = 500;
/// However many the caller asks for.
const PAGE_MAX: u32 = 1_000;
/// gRPC clients take 4 MiB by default; a page stays well below.
const PAGE_BYTES_MAX: usize = 2 << 20;

/// Which page a caller wants.
#[derive(Debug)]
pub(super) struct Page {
    list: &'static str,
    size: usize,
    /// The key after which it begins.
    pub(super) after: Option<String>,
}

impl Page {
    /// Reads a request. `list` marks the tokens: one of another list is refused.
    pub(super) fn new(list: &'static str, size: u32, token: &str) -> Result<Self, Status> {
        let size = match size {
            0 => PAGE_DEFAULT,
            size => size.min(PAGE_MAX),
        };
        let after = match token {
            "" => None,
            token => Some(Self::open(list, token).ok_or_else(Self::bad_token)?),
        };
        Ok(Self { list, size: size as usize, after })
    }

    /// What to say of a token whose key is none of the list's.
    pub(super) fn bad_token() -> Status {
        invalid(
            "page_token",
            "it is not one of this list: give next_page_token of the answer before, or leave it empty",
        )
    }

    /// Takes as many as fit, each with its key; and the token of the next page, if there is one.
    pub(super) fn fill<M: Message>(&self, items: impl Iterator<Item = (String, M)>) -> (Vec<M>, String) {
        let mut page = Vec::new();
        let mut bytes = 0;
        let mut last = None;
        for (key, item) in items {
            bytes += item.encoded_len();
            // One item that is too large alone is still a page: otherwise the list would end here.
            if page.len() >= self.size || (bytes > PAGE_BYTES_MAX && !page.is_empty()) {
                let token = last.map(|last: String| self.seal(&last));
                return (page, token.unwrap_or_default());
            }
            page.push(item);
            last = Some(key);
        }
        (page, String::new())
    }

    fn seal(&self, key: &str) -> String {
        let text = format!("{}/{key}", self.list);
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn open(list: &str, token: &str) -> Option<String> {
        if !token.len().is_multiple_of(2) || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..token.len()).step_by(2).map(byte).collect();
        let text = String::from_utf8(bytes?).ok()?;
        text.strip_prefix(list)?.strip_prefix('/').map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use godwit_proto::v1::Share;

    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let names: Vec<String> = (0..2_345).map(|number| format!("n{number:05}")).collect();
        for size in [0, 1, 7, 1_000, u32::MAX] {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let page = Page::new("names", size, &token).unwrap();
                let rest = names.iter().filter(|name| page.after.as_ref().is_none_or(|after| *name > after));
                let (items, next) = page.fill(rest.map(|name| (name.clone(), share(name))));
                assert!(items.len() <= 1_000);
                seen.extend(items.into_iter().map(|share| share.cluster));
                if next.is_empty() {
                    break;
                }
                token = next;
            }
            assert_eq!(seen, names, "size {size}");
        }
    }

    #[test]
    fn large_items_make_short_pages_but_never_empty_ones() {
        let page = Page::new("names", 0, "").unwrap();
        let large = |bytes: usize| (0..4).map(move |number| (number.to_string(), share(&"x".repeat(bytes))));
        assert_eq!(page.fill(large(PAGE_BYTES_MAX / 2 - 100)).0.len(), 2);
        assert_eq!(page.fill(large(PAGE_BYTES_MAX * 2)).0.len(), 1);
    }

    #[test]
    fn other_tokens_are_refused() {
        let other = Page::new("others", 0, "").unwrap().seal("n1");
        for bad in [other.as_str(), "x", "zz", "6e616d", "ff", "é!"] {
            let status = Page::new("names", 0, bad).unwrap_err();
            assert!(status.message().contains("next_page_token"), "{bad}: {status}");
        }
    }

    fn share(cluster: &str) -> Share {
        Share { cluster: cluster.to_owned(), replicas: 1 }
    }
}
