//! Clusters and migrations that a command is about, by their names.

use godwit_common::ClusterName;

use super::Target;
use crate::error::Error;

impl Target {
    /// The names of clusters.
    pub(crate) fn cluster_names(self, rest: &[String]) -> Result<Vec<ClusterName>, Error> {
        self.names(rest, Self::cluster_name)
    }

    /// The ids of migrations, which the hub checks.
    pub(crate) fn migration_ids(self, rest: &[String]) -> Result<Vec<String>, Error> {
        self.names(rest, |_, id| Ok(id.to_owned()))
    }

    /// All names, as in kubectl: one resource before several names, or each with its own, as in `cluster/alpha`.
    fn names<T>(
        self,
        rest: &[String],
        read: impl Fn(&Self, &str) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let Some(first) = &self.name else {
            if rest.is_empty() {
                return Err(Error::Usage(self.which()));
            }
            return rest.iter().map(|name| read(&self, name)).collect();
        };
        let mut names = vec![read(&self, first)?];
        for text in rest {
            let Some(Self { name: Some(name), .. }) =
                Self::parse(text).filter(|other| other.resource == self.resource)
            else {
                let one = self.resource.singular();
                let message =
                    format!("{text:?} follows {one}/{first}; write {one}/NAME for each, or {one} NAME...");
                return Err(Error::Usage(message));
            };
            names.push(read(&self, &name)?);
        }
        Ok(names)
    }

    /// The name, which is that of the first argument unless it came with the resource; and the other arguments.
    pub(crate) fn cluster_name_before(self, arguments: &[String]) -> Result<(ClusterName, &[String]), Error> {
        let (name, rest) = match (&self.name, arguments) {
            (Some(name), arguments) => (name, arguments),
            (None, [name, rest @ ..]) => (name, rest),
            (None, []) => return Err(Error::Usage(self.which())),
        };
        Ok((self.cluster_name(name)?, rest))
    }

    /// What is left out most easily is the name before other arguments, which are no names: so the error asks for it.
    fn cluster_name(&self, text: &str) -> Result<ClusterName, Error> {
        text.parse().map_err(|error| Error::Usage(format!("{error}; {}", self.which())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_are_named_after_one_word_or_each_with_its_own() {
        let named = |first: &str, rest: &[&str]| {
            let target = Target::parse(first).expect("it is a target");
            let rest: Vec<String> = rest.iter().map(|name| (*name).to_owned()).collect();
            match target.cluster_names(&rest) {
                Ok(names) => Ok(names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
                Err(Error::Usage(message)) => Err(message),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert_eq!(named("cluster", &["alpha", "bravo"]).as_deref(), Ok("alpha bravo"));
        assert_eq!(named("cluster/alpha", &["cl/bravo"]).as_deref(), Ok("alpha bravo"));
        for (first, rest, says) in [
            ("cluster", &[][..], "which cluster? give its name (`godwit get clusters` lists them)"),
            ("cluster/alpha", &["bravo"], "\"bravo\" follows cluster/alpha; write cluster/NAME for each"),
            (
                "cluster",
                &["cluster/alpha"],
                "cluster name \"cluster/alpha\" is not valid: it must be lower-case",
            ),
            (
                "cluster",
                &["alpha", "Bravo"],
                "cluster name \"Bravo\" is not valid: it must be lower-case letters",
            ),
            (
                "cluster/",
                &[],
                "cluster name \"\" is not valid: it must not be empty; which cluster? give its name",
            ),
            (
                "cluster/alpha",
                &["cl/a.b"],
                "cluster name \"a.b\" is not valid: it must be lower-case letters",
            ),
            ("cluster/alpha", &["policy/bravo"], "\"policy/bravo\" follows cluster/alpha; "),
        ] {
            let said = named(first, rest).expect_err(says);
            assert!(said.starts_with(says), "{said:?} does not begin with {says:?}");
        }
    }

    #[test]
    fn a_name_may_stand_before_other_arguments() {
        let arguments = ["alpha", "tier=prod"].map(str::to_owned);
        let target = |text| Target::parse(text).expect("it is a target");
        let (name, rest) = target("cluster").cluster_name_before(&arguments).expect("a name");
        assert_eq!((name.as_str(), rest), ("alpha", &arguments[1..]));
        let (name, rest) = target("cluster/bravo").cluster_name_before(&arguments[1..]).expect("a name");
        assert_eq!((name.as_str(), rest), ("bravo", &arguments[1..]));
        for (left_out, says) in [
            (&arguments[1..], "cluster name \"tier=prod\" is not valid: "),
            (&[], "which cluster? give its name"),
        ] {
            match target("cluster").cluster_name_before(left_out) {
                Err(Error::Usage(said)) => assert!(said.starts_with(says) && said.contains("which cluster?")),
                other => panic!("{other:?}"),
            }
        }
    }
}
