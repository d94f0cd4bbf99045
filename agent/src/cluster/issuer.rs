//! Who signs for the pods of the cluster, as its API server says it.

use anyhow::Context;
use godwit_proto::v1;
use http::Request;
use serde::Deserialize;

use super::{CALL_LIMIT, Cluster, chain};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
}

impl Cluster {
    /// The issuer of service accounts' tokens, and its keys. What they are worth is for the hub to say.
    pub(crate) async fn issuer(&self) -> anyhow::Result<v1::Issuer> {
        let configuration = self.document(DISCOVERY).await?;
        let configuration: Configuration = serde_json::from_str(&configuration)
            .with_context(|| format!("what the API server answers at {DISCOVERY} names no issuer"))?;
        // Where else the keys may be read, the document says, too; but who asks here trusts this API server alone.
        Ok(v1::Issuer { url: configuration.issuer, keys: self.document(KEYS).await? })
    }

    async fn document(&self, path: &str) -> anyhow::Result<String> {
        let request = Request::get(path).body(Vec::new()).context("a path is one")?;
        let answer = tokio::time::timeout(CALL_LIMIT, self.client.request_text(request)).await;
        let answer = answer.with_context(|| format!("the API server did not answer at {path}"))?;
        answer.map_err(|error| {
            anyhow::anyhow!(
                "{path} of the API server cannot be read ({}): the agent's ClusterRole needs `get` for it under nonResourceURLs",
                chain(&error)
            )
        })
    }
}
