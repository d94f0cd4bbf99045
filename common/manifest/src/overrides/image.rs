//! The parts of an image's name: `registry/prefix/repository:tag@digest`.

use serde::Deserialize;
use serde_json::Value;

/// What is different about images.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Image {
    registry: Option<String>,
    prefix: Option<String>,
    tag: Option<String>,
}

impl Image {
    /// Changes the image of a container.
    pub(super) fn put(&self, container: &mut Value) -> Result<(), String> {
        let Self { registry: None, prefix: None, tag: None } = self else {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let Some(Value::String(image)) = container.get_mut("image") else {
                return Err(format!("container {name} has no image"));
            };
            *image = self.of(image);
            return Ok(());
        };
        Ok(())
    }

    /// The name that takes the place of another. A prefix that is there is not put there again.
    fn of(&self, image: &str) -> String {
        let (name, digest) =
            image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            Some(_) | None => (None, name),
        };
        let (repository, tag) = path.rsplit_once(':').map_or((path, None), |(path, tag)| (path, Some(tag)));
        let mut out = String::new();
        if let Some(host) = self.registry.as_deref().or(host) {
            out.push_str(host);
            out.push('/');
        }
        let prefix = self.prefix.as_ref().map(|prefix| format!("{prefix}/"));
        if let Some(prefix) = prefix.filter(|prefix| !repository.starts_with(prefix.as_str())) {
            out.push_str(&prefix);
        }
        out.push_str(repository);
        let (tag, digest) = match &self.tag {
            Some(tag) => (Some(tag.as_str()), None),
            None => (tag, digest),
        };
        for (sign, part) in [(':', tag), ('@', digest)] {
            if let Some(part) = part {
                out.push(sign);
                out.push_str(part);
            }
        }
        out
    }
}

/// Whether the first part of a name is a registry, as container runtimes tell.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_name_is_changed_on_its_own() {
        let some = |text: &str| Some(text.to_owned());
        let eu = Image { registry: some("eu.example.com:5000"), ..Image::default() };
        for (from, to) in [
            ("web", "eu.example.com:5000/web"),
            ("web:1", "eu.example.com:5000/web:1"),
            ("shop/web:1", "eu.example.com:5000/shop/web:1"),
            ("docker.io/shop/web", "eu.example.com:5000/shop/web"),
            ("localhost/web@sha256:ab", "eu.example.com:5000/web@sha256:ab"),
            ("us.example.com:443/web:1@sha256:ab", "eu.example.com:5000/web:1@sha256:ab"),
        ] {
            assert_eq!(eu.of(from), to);
            assert_eq!(eu.of(to), to, "twice is once");
        }
        let mirror = Image { prefix: some("mirror/hub"), ..Image::default() };
        assert_eq!(mirror.of("quay.io/shop/web:1"), "quay.io/mirror/hub/shop/web:1");
        assert_eq!(mirror.of("quay.io/mirror/hub/shop/web:1"), "quay.io/mirror/hub/shop/web:1");
        let tag = Image { tag: some("2"), ..Image::default() };
        assert_eq!(tag.of("quay.io/web:1@sha256:ab"), "quay.io/web:2");
        assert_eq!(tag.of("localhost:5000/web"), "localhost:5000/web:2");
        assert_eq!(Image::default().of("web:1@sha256:ab"), "web:1@sha256:ab");
    }
}
