//! A request, taken apart.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, header};
use serde_json::Value;

use crate::error::ApiError;

/// A request whose body was read.
#[derive(Debug)]
pub(crate) struct Call {
    /// The method.
    pub(crate) method: Method,
    /// The path as it came, without the query.
    pub(crate) path: String,
    /// The parameters of the query.
    pub(crate) query: Query,
    /// The `Accept` header.
    pub(crate) accept: String,
    /// The media type of the body, without parameters.
    pub(crate) content_type: String,
    /// The first part of the `User-Agent` header.
    pub(crate) agent: String,
    /// In whose name the request is made, if not in that of whoever has the token.
    pub(crate) user: Option<String>,
    /// The body.
    pub(crate) body: Bytes,
}

/// The parameters of a query.
#[derive(Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Call {
    /// Takes a request apart.
    pub(crate) fn new(parts: &Parts, body: Bytes) -> Self {
        let header = |name: header::HeaderName| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let media = header(header::CONTENT_TYPE).split(';').next().unwrap_or_default();
        let agent = header(header::USER_AGENT).split(['/', ' ']).next().unwrap_or_default();
        let user = parts.headers.get("impersonate-user").and_then(|value| value.to_str().ok());
        Self {
            user: user.map(str::to_owned),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: Query::parse(parts.uri.query().unwrap_or_default()),
            accept: header(header::ACCEPT).to_owned(),
            content_type: media.trim().to_owned(),
            agent: if agent.is_empty() { "unknown".into() } else { agent.to_owned() },
            body,
        }
    }

    /// The steps of the path, decoded.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| decode(segment, false))
            .collect()
    }

    /// The body as JSON, also when it came as YAML. An empty body is null.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        if self.content_type.contains("protobuf") {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/json, application/yaml";
            return Err(ApiError::new(415, "UnsupportedMediaType", message));
        }
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        if self.content_type.ends_with("yaml") && self.body.first() != Some(&b'{') {
            return serde_saphyr::from_slice(&self.body)
                .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::bad_request(format!("error decoding JSON: {error}")))
    }

    /// Who owns the fields that this request writes.
    pub(crate) fn manager(&self) -> &str {
        match self.query.get("fieldManager") {
            "" => &self.agent,
            manager => manager,
        }
    }

    /// Whether nothing is to be written.
    pub(crate) fn dry_run(&self) -> Result<bool, ApiError> {
        match self.query.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(ApiError::bad_request(format!(
                "dryRun: Unsupported value: {other:?}: supported values: \"All\""
            ))),
        }
    }
}

impl Query {
    /// Reads a query string.
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        });
        Self(pairs.collect())
    }

    /// The value of `name`; empty when it is absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether `name` is switched on.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), "1" | "true" | "True")
    }

    /// The number that `name` gives. An error when it is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.get(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                ApiError::bad_request(format!("{name}: Invalid value: {text:?}: must be a whole number"))
            }),
        }
    }
}

fn decode(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let hex = match tail {
            [high, low, after @ ..] if first == b'%' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high).zip(digit(low)).map(|(high, low)| (high * 16 + low, after))
            }
            _ => None,
        };
        match hex {
            Some((code, after)) => {
                bytes.push(u8::try_from(code).unwrap_or(b'?'));
                rest = after;
            }
            None if first == b'+' && plus_is_space => bytes.push(b' '),
            None => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("labelSelector=app%3Dweb%2Ctier+in+%28a%29&watch=1&limit=5&bad=%zz");
        assert_eq!(query.get("labelSelector"), "app=web,tier in (a)");
        assert!(query.flag("watch"));
        assert_eq!(query.number("limit").expect("a number"), Some(5));
        assert_eq!(query.get("bad"), "%zz");
        assert!(query.number("bad").is_err());
    }
}
