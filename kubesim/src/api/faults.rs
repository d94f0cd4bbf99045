//! Faults on demand: failing and slow requests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::fields;
use crate::store::Store;

/// Longer delays are refused: a request that must never end is made by cutting the process off instead.
const MAX_DELAY_MS: u64 = 600_000;

/// What goes wrong at the moment.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Setting>);

#[derive(Debug, Clone, Default)]
struct Setting {
    /// The share of requests that fail, in millionths.
    errors_ppm: u64,
    delay: Duration,
    paths: String,
}

impl Faults {
    /// Takes `{"errors": 0.2, "delay_ms": 100, "paths": "/apis/apps"}`; what is left out is off.
    pub(crate) fn set(&self, wanted: &Value) -> Result<Value, ApiError> {
        let mut setting = Setting::default();
        for (field, value) in fields(wanted) {
            let wrong =
                |what: &str| ApiError::bad_request(format!("{field}: Invalid value: {value}: {what}"));
            match field.as_str() {
                "errors" => {
                    let share = value
                        .as_f64()
                        .filter(|share| (0.0..=1.0).contains(share))
                        .ok_or_else(|| wrong("must be a number from 0 to 1"))?;
                    setting.errors_ppm = (share * 1e6) as u64;
                }
                "delay_ms" => {
                    let delay = value
                        .as_u64()
                        .filter(|delay| *delay <= MAX_DELAY_MS)
                        .ok_or_else(|| wrong("must be a whole number of at most 600000"))?;
                    setting.delay = Duration::from_millis(delay);
                }
                "paths" => {
                    value
                        .as_str()
                        .ok_or_else(|| wrong("must be the beginning of a path"))?
                        .clone_into(&mut setting.paths);
                }
                _ => return Err(wrong("no such fault; use errors, delay_ms and paths")),
            }
        }
        *self.lock() = setting;
        Ok(self.show())
    }

    /// Nothing goes wrong any more.
    pub(crate) fn clear(&self) -> Value {
        *self.lock() = Setting::default();
        self.show()
    }

    /// What goes wrong at the moment.
    pub(crate) fn show(&self) -> Value {
        let setting = self.lock().clone();
        json!({
            "errors": setting.errors_ppm as f64 / 1e6,
            "delay_ms": u64::try_from(setting.delay.as_millis()).unwrap_or(u64::MAX),
            "paths": setting.paths,
        })
    }

    /// Delays and perhaps fails a request for `path`.
    pub(super) async fn strike(&self, path: &str, store: &Store) -> Result<(), ApiError> {
        let setting = self.lock().clone();
        if !path.starts_with(&setting.paths) {
            return Ok(());
        }
        if !setting.delay.is_zero() {
            tokio::time::sleep(setting.delay).await;
        }
        if setting.errors_ppm > 0 && store.random(1_000_000) < setting.errors_ppm {
            return Err(ApiError::new(
                500,
                "InternalError",
                "Internal error occurred: injected by /kubesim/faults",
            ));
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Setting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
