//! The issuer of service-account tokens: keys of its own, and tokens with real signatures, as `TokenRequest` gives them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::kubeconfig::base64;

/// What clusters that were set up in the usual way call their issuer: most of them the same.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A key that signs tokens.
#[derive(Debug)]
pub struct Signer {
    name: String,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
}

impl Signer {
    /// RSA with 2048 bits, as `kube-apiserver` usually has it.
    pub fn rsa(name: &str) -> anyhow::Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no RSA key could be made"))?;
        Ok(Self { name: name.to_owned(), pair: Pair::Rsa(Box::new(pair)) })
    }

    /// ECDSA on P-256.
    pub fn ecdsa(name: &str) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pair = pair.map_err(|_| anyhow!("no ECDSA key could be made"))?;
        Ok(Self { name: name.to_owned(), pair: Pair::Ec(pair) })
    }

    /// The public half as a JSON Web Key.
    pub fn key(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({
                    "use": "sig", "kty": "RSA", "kid": self.name, "alg": "RS256",
                    "n": base64url(n.big_endian_without_leading_zero()),
                    "e": base64url(e.big_endian_without_leading_zero()),
                })
            }
            Pair::Ec(pair) => {
                // 0x04, and two coordinates of 32 bytes.
                let point = pair.public_key().as_ref();
                json!({
                    "use": "sig", "kty": "EC", "kid": self.name, "alg": "ES256", "crv": "P-256",
                    "x": base64url(&point[1..33]), "y": base64url(&point[33..65]),
                })
            }
        }
    }

    /// A JSON Web Token that says `claims`.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let algorithm = match &self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
        };
        let header = json!({"alg": algorithm, "kid": self.name});
        let said = format!(
            "{}.{}",
            base64url(header.to_string().as_bytes()),
            base64url(claims.to_string().as_bytes())
        );
        let (random, failed) = (SystemRandom::new(), |_| anyhow!("the signature failed"));
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, said.as_bytes(), &mut signature).map_err(failed)?;
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, said.as_bytes()).map_err(failed)?.as_ref().to_vec(),
        };
        Ok(format!("{said}.{}", base64url(&signature)))
    }
}

/// The keys of a cluster. The last one signs.
#[derive(Debug)]
pub(crate) struct Keys(Mutex<Vec<Signer>>);

impl Keys {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Mutex::new(vec![Signer::rsa("key-1")?])))
    }

    /// Another key signs from now on; those before it are shown as long as nobody forgets them.
    pub(crate) fn rotate(&self) -> anyhow::Result<()> {
        let mut keys = self.lock();
        let name = format!("key-{}", keys.len() + 1);
        keys.push(Signer::ecdsa(&name)?);
        Ok(())
    }

    /// Only the key that signs is left.
    pub(crate) fn forget(&self) {
        let mut keys = self.lock();
        let last = keys.len() - 1;
        keys.drain(..last);
    }

    /// `/openid/v1/jwks`.
    pub(crate) fn show(&self) -> Value {
        json!({"keys": self.lock().iter().map(Signer::key).collect::<Vec<Value>>()})
    }

    /// What a `TokenRequest` is answered with. Agents that are tested run in no pod: whether the one that the token is to be
    /// bound to is there is not looked at.
    pub(crate) fn token(&self, namespace: &str, account: &str, request: &Value) -> anyhow::Result<Value> {
        let spec = &request["spec"];
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let lasts = spec["expirationSeconds"].as_u64().unwrap_or(3600);
        let mut claims = json!({
            "aud": spec["audiences"],
            "exp": now + lasts,
            "iat": now,
            "iss": ISSUER,
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account}},
            "nbf": now,
            "sub": format!("system:serviceaccount:{namespace}:{account}"),
        });
        if spec["boundObjectRef"]["kind"] == "Pod" {
            claims["kubernetes.io"]["pod"] = json!({"name": spec["boundObjectRef"]["name"]});
            claims["kubernetes.io"]["node"] = json!({"name": "node-1"});
        }
        let keys = self.lock();
        let signer = keys.last().ok_or_else(|| anyhow!("there is no key"))?;
        let token = signer.sign(&claims)?;
        let expires = time::OffsetDateTime::from_unix_timestamp(i64::try_from(now + lasts)?)?;
        let expires = expires.format(&time::format_description::well_known::Rfc3339)?;
        let mut answer = request.clone();
        answer["status"] = json!({"token": token, "expirationTimestamp": expires});
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Signer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Base64 for URLs, without padding.
pub fn base64url(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}
