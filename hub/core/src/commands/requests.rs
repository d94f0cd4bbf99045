//! Requests that carry a mark: the same again gets the same answer.

use super::refused;
use crate::contract::{Deploy, Deployed, Key, Refused, RefusedKind, Request};
use crate::hub::Hub;

impl Hub {
    /// The answer to a request that was answered before.
    pub(super) fn answered(&mut self, deploy: &Deploy) -> Result<Option<Deployed>, Refused> {
        let Some(request) = self.requests.get(&deploy.request_id) else {
            return Ok(None);
        };
        let age = self.now.wall.0.saturating_sub(request.at.0);
        if u128::from(age) > self.config.request_age.as_millis() {
            return Ok(None);
        }
        if request.fingerprint != deploy.fingerprint {
            let message = format!(
                "request_id {:?} was used for another request: choose a new one for each request",
                deploy.request_id
            );
            return Err(refused(RefusedKind::AlreadyExists, message));
        }
        Ok(Some(request.answer.clone()))
    }

    /// Keeps an answer; the oldest makes room for it.
    pub(super) fn remember(&mut self, request: Request) {
        self.touched.keys.insert(Key::Request(request.id.clone()));
        self.requests.insert(request.id.clone(), request);
        if self.requests.len() > self.config.requests {
            let oldest =
                self.requests.values().min_by_key(|request| request.at).map(|request| request.id.clone());
            if let Some(oldest) = oldest {
                self.requests.remove(&oldest);
                self.touched.keys.insert(Key::Request(oldest));
            }
        }
    }
}
