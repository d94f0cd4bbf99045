//! From a request to a response: authentication, faults, routing.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::call::Call;
use super::log::Log;
use super::watch::Watch;
use super::{Api, Body, discovery, resource};
use crate::error::ApiError;

/// As the real API server: larger bodies are refused.
const MAX_BODY_BYTES: usize = 3 << 20;

/// What comes of a call.
#[derive(Debug)]
pub(super) enum Reply {
    Json(u16, Value),
    Text(u16, String),
    Watch(Box<Watch>),
    Log(Box<Log>),
}

impl Reply {
    pub(super) fn ok(value: Value) -> Self {
        Self::Json(200, value)
    }
}

/// Answers one request.
pub(crate) async fn handle(api: Arc<Api>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let reply = answer(&api, request).await;
    Ok(match reply {
        Ok(Reply::Json(code, value)) => json_response(code, &value),
        Ok(Reply::Text(code, text)) => response(code, "text/plain; charset=utf-8", full(text.into())),
        Ok(Reply::Watch(watch)) => response(200, "application/json", watch.body(&api)),
        Ok(Reply::Log(log)) => response(200, "text/plain", log.body()),
        Err(error) => json_response(error.code, &error.status()),
    })
}

async fn answer(api: &Api, request: Request<Incoming>) -> Result<Reply, ApiError> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if matches!(path, "/healthz" | "/livez" | "/readyz") {
        return Ok(Reply::Text(200, "ok".into()));
    }
    authenticate(api, parts.headers.get(header::AUTHORIZATION))?;
    if path != "/kubesim" && !path.starts_with("/kubesim/") {
        api.faults.strike(path, &api.store).await?;
    }
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|_| {
        let message =
            format!("the request could not be read, or its body is longer than {MAX_BODY_BYTES} bytes");
        ApiError::new(413, "RequestEntityTooLarge", message)
    })?;
    let call = Call::new(&parts, body.to_bytes());
    let reply = route(api, &call);
    tracing::debug!(method = %call.method, path = call.path, failed = reply.is_err(), "request");
    reply
}

fn authenticate(api: &Api, given: Option<&header::HeaderValue>) -> Result<(), ApiError> {
    let Some(token) = &api.token else {
        return Ok(());
    };
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.strip_prefix("Bearer ") == Some(token) {
        return Ok(());
    }
    Err(ApiError::new(401, "Unauthorized", "Unauthorized"))
}

fn route(api: &Api, call: &Call) -> Result<Reply, ApiError> {
    let segments = call.segments();
    let steps: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (&call.method, steps.as_slice()) {
        (&Method::GET, []) => Ok(Reply::ok(discovery::paths(&api.registry))),
        (&Method::GET, ["version"]) => Ok(Reply::ok(discovery::version())),
        (&Method::GET, ["api"]) => Ok(Reply::ok(discovery::core())),
        (&Method::GET, ["apis"]) => Ok(Reply::ok(discovery::groups(&api.registry))),
        (&Method::GET, ["api", version]) => discovery::resources(&api.registry, "", version),
        (&Method::GET, ["apis", group]) => discovery::group(&api.registry, group),
        (&Method::GET, ["apis", group, version]) => discovery::resources(&api.registry, group, version),
        (&Method::GET, [".well-known", "openid-configuration"]) => Ok(Reply::ok(discovery::issuer())),
        (&Method::GET, ["openid", "v1", "jwks"]) => Ok(Reply::ok(api.keys.show())),
        (_, ["api", version, rest @ ..]) => resource::serve(api, call, "", version, rest),
        (_, ["apis", group, version, rest @ ..]) => resource::serve(api, call, group, version, rest),
        (_, ["kubesim", rest @ ..]) => operate(api, call, rest),
        _ => Err(ApiError::no_such_path()),
    }
}

/// The simulator's own paths: accidents on demand.
fn operate(api: &Api, call: &Call, path: &[&str]) -> Result<Reply, ApiError> {
    match (&call.method, path) {
        (&Method::GET, ["faults"]) => Ok(Reply::ok(api.faults.show())),
        (&Method::POST, ["faults"]) => api.faults.set(&call.json()?).map(Reply::ok),
        (&Method::DELETE, ["faults"]) => Ok(Reply::ok(api.faults.clear())),
        (&Method::POST, ["watches", "cut"]) => {
            api.cut.send_modify(|count| *count += 1);
            Ok(Reply::ok(json!({"watches": "cut"})))
        }
        (&Method::POST, ["history", "forget"]) => {
            api.store.forget_history();
            Ok(Reply::ok(json!({"history": "forgotten"})))
        }
        (&Method::POST, ["issuer", "rotate"]) => {
            api.keys.rotate().map_err(|error| ApiError::new(500, "InternalError", error.to_string()))?;
            Ok(Reply::ok(api.keys.show()))
        }
        (&Method::POST, ["issuer", "forget"]) => {
            api.keys.forget();
            Ok(Reply::ok(api.keys.show()))
        }
        _ => Err(ApiError::no_such_path()),
    }
}

fn json_response(code: u16, value: &Value) -> Response<Body> {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    response(code, "application/json", full(text.into()))
}

fn response(code: u16, media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}
