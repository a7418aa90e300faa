//! TLS: the client's cryptography provider and trusted certificates.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::error::BuildError;

/// The protocols that the client offers, the best first.
const ALPN_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Builds the TLS configuration. Plain HTTP needs no CA certificates, so a machine without any can
/// use a sandbox.
///
/// # Errors
///
/// Fails when there is no provider, or when the client needs CA certificates and the system has
/// none.
pub(crate) fn config(plain_http: bool) -> Result<ClientConfig, BuildError> {
    let provider = provider()?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Client(error.into()))?;
    let builder = match Verifier::new(provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        Err(_) if plain_http => builder.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(BuildError::Client(error.into())),
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = ALPN_PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

/// Returns the process's default provider, else that of this crate's features. Never installs a
/// default, which is the application's choice.
fn provider() -> Result<Arc<CryptoProvider>, BuildError> {
    match CryptoProvider::get_default() {
        Some(installed) => Ok(Arc::clone(installed)),
        None => of_the_features().map(Arc::new).ok_or(BuildError::NoTlsProvider),
    }
}

fn of_the_features() -> Option<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    return Some(rustls::crypto::aws_lc_rs::default_provider());
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return Some(rustls::crypto::ring::default_provider());
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    return None;
}
